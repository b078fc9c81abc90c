import type { DownloadContext } from '../../core/ports/service-download.ts';
import { listArchive, type ReadableArchive, schemaOf } from './archive-reading.ts';
import { type Selection, selectLines } from './archive-selection.ts';

/**
 * The lines of an archive's list that make some tables in an empty database: their own, and those of types, functions, sequences and
 * so on that these name, and that those name in turn. pg_dump writes each name with its schema, so that it is found in the text.
 *
 * @param options `write`: makes the list that `args` of pg_restore name
 */
export async function tableLines(
  archive: ReadableArchive,
  selection: Selection,
  {
    write,
    args,
    signal,
    warn,
  }: Pick<DownloadContext, 'signal' | 'warn'> & {
    write: (lines: readonly string[]) => Promise<void>;
    args: readonly string[];
  },
): Promise<readonly string[]> {
  const list = await listArchive(archive, signal);
  const { lines, skippedKeys } = selectLines(list, selection, NOTHING_THERE);
  for (const key of skippedKeys)
    warn(`The foreign key "${key}" is left out: the table that it refers to is not chosen.`);
  const chosen = new Set(lines);
  const candidates = new Map<string, Candidate>();
  for (const line of list.split('\n')) {
    const candidate = candidateOf(line);
    if (candidate === undefined || chosen.has(line)) continue;
    if (candidate.kind === 'EXTENSION') chosen.add(line);
    else candidates.set(line, candidate);
  }
  for (let isMore = candidates.size > 0; isMore; ) {
    isMore = false;
    await write(inOrder(list, chosen));
    const sql = await schemaOf(archive, signal, args);
    const names = namesIn(sql);
    const parents = namesIn([...sql.matchAll(INHERITS)].join('\n'));
    for (const [line, { kind, schema, name }] of candidates) {
      if (!(kind === 'TABLE' ? parents : names).has(`${schema}.${name}`)) continue;
      candidates.delete(line);
      chosen.add(line);
      isMore = true;
    }
  }
  addSchemas(list, chosen);
  return inOrder(list, chosen);
}

const NOTHING_THERE = { schemas: new Set(['public']), tables: new Set<string>() };

interface Candidate {
  kind: string;
  schema: string;
  name: string;
}

/** Parents of tables come empty; other tables that are named (by views, by functions) are not needed to make what is chosen. */
const INHERITS = /^INHERITS \(.*\)/gm;

/** What tables can need. */
const NEEDED =
  /^\d+; \d+ \d+ (?:(EXTENSION) - (\S+)|(TABLE|SHELL TYPE|TYPE|DOMAIN|FUNCTION|PROCEDURE|AGGREGATE|OPERATOR CLASS|OPERATOR FAMILY|OPERATOR|COLLATION|SEQUENCE SET|SEQUENCE|TEXT SEARCH CONFIGURATION|TEXT SEARCH DICTIONARY) (\S+) (.*)) \S*$/;

/** Names of functions come with the types of their arguments, which are no part of the name. */
function candidateOf(line: string): Candidate | undefined {
  const [, extension, , kind, schema, rest] = NEEDED.exec(line) ?? [];
  if (extension !== undefined) return { kind: 'EXTENSION', schema: '', name: '' };
  if (kind === undefined || schema === undefined || rest === undefined) return undefined;
  const name = /^(FUNCTION|PROCEDURE|AGGREGATE)$/.test(kind) ? rest.replace(/\(.*$/s, '') : rest;
  return { kind, schema, name };
}

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

/** Schemas of what was added. */
function addSchemas(list: string, chosen: Set<string>): void {
  const schemas = new Set([...chosen].flatMap((line) => candidateOf(line)?.schema ?? []));
  for (const line of list.split('\n')) {
    const [, schema] = /^\d+; \d+ \d+ SCHEMA - (\S+) \S*$/.exec(line) ?? [];
    if (schema !== undefined && schemas.has(schema) && !NOTHING_THERE.schemas.has(schema)) chosen.add(line);
  }
}

/** The archive's order is one in which everything can be made. */
function inOrder(list: string, chosen: ReadonlySet<string>): string[] {
  return list.split('\n').filter((line) => chosen.has(line));
}
