import { chooseNeeded, NEEDABLE_KINDS, type NeedableDefinition } from '../../core/needed-definitions.ts';
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
  const candidates = new Map<string, NeedableDefinition>();
  for (const line of list.split('\n')) {
    const candidate = candidateOf(line);
    if (candidate === undefined || chosen.has(line)) continue;
    if (candidate.kind === 'EXTENSION') chosen.add(line);
    else candidates.set(line, candidate);
  }
  const sql = await chooseNeeded(chosen, candidates, async () => {
    await write(inOrder(list, chosen));
    return schemaOf(archive, signal, args);
  });
  addSchemas(list, chosen, sql);
  return inOrder(list, chosen);
}

const NOTHING_THERE = { schemas: new Set(['public']), tables: new Set<string>() };

const NEEDED = new RegExp(`^\\d+; \\d+ \\d+ (?:(EXTENSION) - (\\S+)|(${NEEDABLE_KINDS.join('|')}) (\\S+) (.*)) \\S*$`);

const EXTENSION_SCHEMA = /^CREATE EXTENSION IF NOT EXISTS .* WITH SCHEMA (.*);$/gm;

/** Names of functions come with the types of their arguments, which are no part of the name. */
function candidateOf(line: string): NeedableDefinition | undefined {
  const [, extension, , kind, schema, rest] = NEEDED.exec(line) ?? [];
  if (extension !== undefined) return { kind: 'EXTENSION', schema: '', name: '' };
  if (kind === undefined || schema === undefined || rest === undefined) return undefined;
  const name = /^(FUNCTION|PROCEDURE|AGGREGATE)$/.test(kind) ? rest.replace(/\(.*$/s, '') : rest;
  return { kind, schema, name };
}

/** Schemas of what was added, and those that extensions are put into. */
function addSchemas(list: string, chosen: Set<string>, sql: string): void {
  const schemas = new Set([...chosen].flatMap((line) => candidateOf(line)?.schema ?? []));
  for (const [, schema = ''] of sql.matchAll(EXTENSION_SCHEMA))
    schemas.add(schema.startsWith('"') ? schema.slice(1, -1).replaceAll('""', '"') : schema);
  for (const line of list.split('\n')) {
    const [, schema] = /^\d+; \d+ \d+ SCHEMA - (\S+) \S*$/.exec(line) ?? [];
    if (schema !== undefined && schemas.has(schema) && !NOTHING_THERE.schemas.has(schema)) chosen.add(line);
  }
}

/** The archive's order is one in which everything can be made. */
function inOrder(list: string, chosen: ReadonlySet<string>): string[] {
  return list.split('\n').filter((line) => chosen.has(line));
}
