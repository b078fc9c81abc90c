import { choiceInvalid } from '../../core/download-choice.ts';
import { HoldfastError } from '../../core/errors.ts';
import { KeyedLock } from '../../core/keyed-lock.ts';
import type { DownloadMaterial } from '../../core/ports/service-download.ts';
import type { KeptCopy, VariantContent, WantedParts } from '../../core/ports/variant-maker.ts';
import { chosenEntries } from '../content/postgresql/chosen-entries.ts';
import { type DumpEntry, dumpEntries } from '../content/postgresql/dump-entries.ts';
import {
  type DumpOutline,
  dumpOutline,
  outlineBytes,
  type RowsOfCopy,
  storedOutline,
} from '../content/postgresql/dump-outline.ts';
import { countLineEnds } from '../content/postgresql/row-blocks.ts';
import { tableName, tableNameParts } from '../content/table-name.ts';
import type { VariantPlan } from '../variant-plan.ts';
import type { ContentShape } from './content-reading.ts';
import { keptFacts } from './kept-facts.ts';
import { tablesGiven } from './part-of-material.ts';

export interface PartOfKeptOptions {
  content: VariantContent;
  variant: string;
  kept: KeptCopy;
  /** As `tableName` writes them. */
  tables: readonly string[];
  signal: AbortSignal;
}

/**
 * Some tables of a copy that was kept: statements and rows of the copy itself, as they stand there, and of its rows only those are read. Where they stand is found by reading all of it
 * once, and kept beside it. How many rows each table has must be what the copy's report says: before the first byte, and again of what is given.
 */
export function partOfKept(options: PartOfKeptOptions): DownloadMaterial {
  return {
    format: 'sql',
    dialect: 'postgresql',
    mediaType: 'application/sql; charset=utf-8',
    fileExtension: '.sql',
    isReproducible: true,
    acceptsRanges: false,
    bytes: () => partBytes(options),
  };
}

async function* partBytes(options: PartOfKeptOptions): AsyncGenerator<Uint8Array> {
  const { kept, signal } = options;
  for (const { bytes, rows } of await chosenOf(options)) {
    signal.throwIfAborted();
    if (rows === undefined) {
      yield bytes;
      continue;
    }
    const end = bytes.length - END_OF_ROWS_BYTES;
    yield bytes.subarray(0, end);
    yield* rowsOf(rows, kept);
    yield bytes.subarray(end);
  }
}

/** Of `\.` and its line end. */
const END_OF_ROWS_BYTES = 3;

/** A statement with the comments before it; with rows, they stand before its last line. */
interface GivenStatement {
  bytes: Buffer;
  rows?: RowsOfCopy;
}

/** Of many who ask at once for parts of a copy, one holds its outline, and of a new copy one reads all. What is given of it is held on, by itself. */
const turns = new KeyedLock();

function chosenOf(options: PartOfKeptOptions): Promise<readonly GivenStatement[]> {
  const { kept, tables: names, signal } = options;
  return turns.run(
    kept.id,
    async () => {
      const outline = (await knownOutline(options)) ?? (await newOutline(options));
      const { definitions } = outline;
      const found = await dumpEntries(outline, signal);
      const missing = names.filter((name) => !found.tables.has(name));
      if (missing.length > 0) throw differs(`it has no table ${missing.join(', ')}`);
      const { tables, entries } = await chosenEntries({ ...found, definitions }, names);
      requireReported(tables, entries, kept);
      return entries.map(({ from, to, rows }) => ({
        bytes: Buffer.from(definitions.subarray(from, to)),
        ...(rows === undefined ? {} : { rows }),
      }));
    },
    signal,
  );
}

async function knownOutline({ content, variant, kept, signal }: PartOfKeptOptions): Promise<DumpOutline | undefined> {
  const known = await keptFacts(content, sidecarOf(variant), signal, async (bytes) =>
    storedOutline(Buffer.concat(await Array.fromAsync(bytes, (piece) => Buffer.from(piece))), kept.id),
  );
  return known !== undefined && lengthOf(known) === kept.length ? known : undefined;
}

async function newOutline({ content, variant, kept, signal }: PartOfKeptOptions): Promise<DumpOutline> {
  const outline = await dumpOutline(kept.bytes(), kept.id, signal);
  if (lengthOf(outline) !== kept.length) throw differs(`${lengthOf(outline)} bytes were read of ${kept.length}`);
  await content.sidecars?.write(sidecarOf(variant), asynchronous(outlineBytes(outline)), signal);
  return outline;
}

/** With the variant's name, so that what is told of a copy goes when a newer one of it is read. To be raised where the same copy gets another outline. */
function sidecarOf(variant: string): string {
  return `outline-1-${variant}`;
}

async function* asynchronous(pieces: Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* pieces;
}

/** Of the copy, in bytes. */
function lengthOf({ definitions, blocks }: DumpOutline): number {
  return blocks.reduce((sum, block) => sum + block.length, definitions.length);
}

/** All rows of a table that were counted when the copy was made, and of no table more. */
function requireReported(tables: ReadonlySet<string>, entries: readonly DumpEntry[], { report }: KeptCopy): void {
  const counted = new Map<string, number>();
  for (const { role, rows } of entries)
    if (rows !== undefined && role.kind === 'tables')
      counted.set(role.tables[0] ?? '', (counted.get(role.tables[0] ?? '') ?? 0) + rows.rows);
  for (const table of counted.keys()) if (!tables.has(table)) throw differs(`it has rows of table ${table}`);
  const reported = new Map(report.tables.map(({ name, rowsOut }) => [name, rowsOut]));
  for (const table of tables) {
    const [rows, expected] = [counted.get(table) ?? 0, reported.get(table) ?? 0];
    if (rows !== expected) throw differs(`table ${table} has ${rows} rows in it, and ${expected} were counted`);
  }
}

async function* rowsOf({ offset, length, rows }: RowsOfCopy, kept: KeptCopy): AsyncGenerator<Uint8Array> {
  if (length === 0) return;
  let [bytes, found, last] = [0, 0, 0];
  for await (const piece of kept.bytes({ offset, length })) {
    bytes += piece.length;
    found += countLineEnds(piece);
    last = piece.at(-1) ?? last;
    yield piece;
  }
  if (bytes !== length || found !== rows || last !== LINE_END)
    throw differs(`rows of a table are ${found} in ${bytes} bytes, and were ${rows} in ${length}`);
}

const LINE_END = 0x0a;

function differs(how: string): HoldfastError {
  const message = `The kept copy is not what it was when it was made: ${how}. Do not use what was given of it. Remove the variant, and it is made anew.`;
  return new HoldfastError('damaged', 'variant-copy-differs', message);
}

/**
 * The full names of the tables that are chosen of a kept copy.
 * @throws HoldfastError `download-choice-invalid` (invalid) for tables that the variant has not, and what no part of a kept copy is given of
 */
export function tablesOfKept(
  plan: VariantPlan,
  shape: ContentShape,
  { tables, paths }: WantedParts,
): readonly string[] {
  const dialect = shape.kind === 'tables' ? shape.dialect : undefined;
  if (tables !== undefined && paths === undefined && dialect === 'postgresql')
    return tablesGiven(plan, tables).map((name) => tableName(tableNameParts(name)));
  const why =
    paths === undefined && dialect !== undefined
      ? 'of MySQL and MariaDB dumps and SQLite databases no tables are given alone'
      : 'of a copy that is kept, tables of PostgreSQL databases are given alone, and nothing else';
  const field = paths === undefined ? 'tables' : 'path';
  throw choiceInvalid(`The variant "${plan.variant}" is given whole: ${why}. Leave \`${field}\` away.`, { field });
}
