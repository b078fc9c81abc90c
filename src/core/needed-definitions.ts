/**
 * Which definitions of a PostgreSQL database some of its tables need: found by their names in SQL, where pg_dump writes each name with its schema. One rule for archives of which
 * `pg_restore` is to give a part, and for SQL of which a part is given.
 */

/** Something that a definition makes, by names without quotes. */
export interface NeedableDefinition {
  /** One of `NEEDABLE_KINDS`, as archives call them. */
  kind: string;
  schema: string;
  /** Of functions without the types of their arguments. */
  name: string;
}

/** What tables can need. One kind that begins like another stands before it. */
export const NEEDABLE_KINDS = [
  ...['TABLE', 'SHELL TYPE', 'TYPE', 'DOMAIN', 'FUNCTION', 'PROCEDURE', 'AGGREGATE'],
  ...['OPERATOR CLASS', 'OPERATOR FAMILY', 'OPERATOR', 'COLLATION', 'SEQUENCE SET', 'SEQUENCE'],
  ...['TEXT SEARCH CONFIGURATION', 'TEXT SEARCH DICTIONARY'],
] as const;

/**
 * Chooses what the chosen definitions name, and what that names in turn, until nothing is added. Of tables only those that others inherit from are needed: tables that views or
 * functions name are not needed to make what is chosen.
 * @param chosen is added to
 * @param sqlOf the SQL of what is chosen by now
 * @returns that of all that is chosen
 */
export async function chooseNeeded<Entry>(
  chosen: Set<Entry>,
  candidates: ReadonlyMap<Entry, NeedableDefinition>,
  sqlOf: () => Promise<string>,
): Promise<string> {
  const left = new Map(candidates);
  for (;;) {
    let isMore = false;
    const sql = await sqlOf();
    const names = namesIn(sql);
    const parents = namesIn([...sql.matchAll(INHERITS)].join('\n'));
    for (const [entry, { kind, schema, name }] of left) {
      if (!(kind === 'TABLE' ? parents : names).has(`${schema}.${name}`)) continue;
      left.delete(entry);
      chosen.add(entry);
      isMore = true;
    }
    if (!isMore) return sql;
  }
}

const INHERITS = /^INHERITS \(.*\)/gm;

/** `schema.name` for each qualified name in the text, quotes taken off. */
function namesIn(sql: string): ReadonlySet<string> {
  const found = new Set<string>();
  for (const [, quotedSchema, schema, quotedName, name] of sql.matchAll(QUALIFIED))
    found.add(`${unquoted(quotedSchema) ?? schema}.${unquoted(quotedName) ?? name}`);
  return found;
}

const WORD = '[\\p{L}_][\\p{L}\\p{N}_$]*';
const QUALIFIED = new RegExp(
  `(?:"((?:[^"]|"")+)"|(${WORD}))\\.(?:OPERATOR\\()?(?:"((?:[^"]|"")+)"|(${WORD}|[+\\-*/<>=~!@#%^&|\`?]+))`,
  'gu',
);

function unquoted(text: string | undefined): string | undefined {
  return text?.replaceAll('""', '"');
}
