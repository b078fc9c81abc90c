/**
 * Names of roles that the SQL of a schema speaks of: owners, grantees, roles of policies. It is read by its lines, as pg_restore
 * writes them, so text inside a function may add names that are none: whoever makes roles of them makes some too many.
 */
export function roleNamesIn(sql: string): Set<string> {
  const names = new Set<string>();
  for (const line of sql.split('\n'))
    for (const pattern of PATTERNS) {
      const list = pattern.exec(line)?.[1];
      if (list !== undefined) for (const name of namesOf(list)) names.add(name);
    }
  return names;
}

const NAME = '(?:"(?:[^"]|"")+"|[\\w$]+)';
const NAMES = `(${NAME}(?:, *${NAME})*)`;
const PATTERNS = [
  new RegExp(`^ALTER .* OWNER TO ${NAMES};`),
  new RegExp(`(?:^| )GRANT .* TO ${NAMES}(?: WITH GRANT OPTION)?;`),
  new RegExp(`(?:^| )REVOKE .* FROM ${NAMES};`),
  new RegExp(`^CREATE POLICY .* TO ${NAMES}(?: USING| WITH CHECK|;)`),
  new RegExp(`^ALTER DEFAULT PRIVILEGES FOR ROLE ${NAMES} `),
];
/** Words that stand where names do. */
const NO_ROLES = new Set(['PUBLIC', 'CURRENT_USER', 'SESSION_USER', 'CURRENT_ROLE']);

function namesOf(list: string): string[] {
  const found = list.match(new RegExp(NAME, 'g')) ?? [];
  return found
    .filter((name) => !NO_ROLES.has(name))
    .map((name) => (name.startsWith('"') ? name.slice(1, -1).replaceAll('""', '"') : name));
}
