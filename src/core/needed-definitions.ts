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
 * @param sqlOf the SQL of what is chosen by now, or at least of what was added to it since the last call
 * @returns what `sqlOf` gave last
 */
export async function chooseNeeded<Entry>(
  chosen: Set<Entry>,
  candidates: ReadonlyMap<Entry, NeedableDefinition>,
  sqlOf: (added: readonly Entry[]) => Promise<string>,
): Promise<string> {
  const tables = byName([...candidates].filter(([, { kind }]) => kind === 'TABLE'));
  const others = byName([...candidates].filter(([, { kind }]) => kind !== 'TABLE'));
  for (let added: readonly Entry[] = [...chosen]; ; ) {
    const sql = await sqlOf(added);
    const parents = namesIn([...sql.matchAll(INHERITS)].join('\n'));
    added = [...taken(others, namesIn(sql)), ...taken(tables, parents)];
    if (added.length === 0) return sql;
    for (const entry of added) chosen.add(entry);
  }
}

function byName<Entry>(candidates: readonly (readonly [Entry, NeedableDefinition])[]): Map<string, Entry[]> {
  const found = new Map<string, Entry[]>();
  for (const [entry, { schema, name }] of candidates) {
    const full = `${schema}.${name}`;
    const same = found.get(full);
    if (same === undefined) found.set(full, [entry]);
    else same.push(entry);
  }
  return found;
}

/** Those of these names, which are none any more. */
function taken<Entry>(candidates: Map<string, Entry[]>, names: ReadonlySet<string>): Entry[] {
  const found: Entry[] = [];
  for (const name of names) {
    for (const entry of candidates.get(name) ?? []) found.push(entry);
    candidates.delete(name);
  }
  return found;
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
/** Of characters between quotes; PostgreSQL's own limit is 63 bytes. */
const LONGEST_NAME = 256;
/** Begins at the first character of a word or of a run of quotes alone: from each character of a long one, bodies of functions could keep the service busy for hours. */
const QUALIFIED = new RegExp(
  `(?:(?<!")"((?:[^"]|""){1,${LONGEST_NAME}})"|(?=[\\p{L}_])(?<![\\p{L}\\p{N}_]\\$*)(${WORD}))\\.(?:OPERATOR\\()?(?:"((?:[^"]|""){1,${LONGEST_NAME}})"|(${WORD}|[+\\-*/<>=~!@#%^&|\`?]+))`,
  'gu',
);

function unquoted(text: string | undefined): string | undefined {
  return text?.replaceAll('""', '"');
}
