import { setImmediate } from 'node:timers/promises';
import type { DumpOutline, RowsOfCopy } from './dump-outline.ts';
import { dumpPiecesOf } from './dump-pieces.ts';
import { type EntryRole, EntryRoles, type FoundNames, notUnderstood } from './entry-roles.ts';

/** A statement of a dump, and to what it belongs. Names are as `tableName` writes them. */
export interface DumpEntry {
  /** Where it begins in the definitions, with the comments before it, and where it ends. */
  from: number;
  to: number;
  /** Where the statement itself begins. */
  at: number;
  role: EntryRole;
  /** Statements with the same number stand under one comment that names what they make. */
  group: number;
  /** Where it is a COPY: its rows stand before `to`, which is behind the line that ends them. */
  rows?: RowsOfCopy;
}

/** What there is in a dump. */
export interface DumpEntries extends FoundNames {
  entries: readonly DumpEntry[];
}

/**
 * Finds out of each statement of a dump to what it belongs, by its own words: comments, strings and bodies of functions name nothing. Megabytes take seconds, in which other work goes on.
 * @throws HoldfastError `download-choice-invalid` (invalid) for what is not understood
 */
export async function dumpEntries(
  { definitions, blocks }: Pick<DumpOutline, 'definitions' | 'blocks'>,
  signal: AbortSignal,
): Promise<DumpEntries> {
  const reader = new EntryReader(blocks);
  let rest = 0;
  for (const piece of dumpPiecesOf(definitions)) {
    if (piece.offset >= rest) {
      await setImmediate();
      signal.throwIfAborted();
      rest = piece.offset + BYTES_AT_ONCE;
    }
    switch (piece.kind) {
      case 'gap':
        reader.gap(piece.bytes, piece.offset);
        break;
      case 'rows-end':
        reader.rowsEnd(piece.offset + piece.bytes.length);
        break;
      case 'statement':
        reader.statement(piece.bytes, piece.offset, piece);
        break;
      default:
        throw notUnderstood('a command for psql');
    }
  }
  return reader.end(definitions.length);
}

/** Some ten milliseconds of work. */
const BYTES_AT_ONCE = 32 << 10;

const NAMED_BY_COMMENT = /^-- (?:Data for )?Name: /m;

const LINE_END = 0x0a;

class EntryReader {
  readonly #blocks: readonly RowsOfCopy[];
  readonly #entries: DumpEntry[] = [];
  readonly #roles = new EntryRoles();
  #gap: number | undefined;
  #group = 0;
  #copies = 0;

  constructor(blocks: readonly RowsOfCopy[]) {
    this.#blocks = blocks;
  }

  gap(bytes: Buffer, offset: number): void {
    const last = this.#entries.at(-1);
    // Its line end belongs to a statement, as that of the last line to rows.
    const isLineEnd = bytes[0] === LINE_END && last !== undefined && last.rows === undefined && last.to === offset;
    if (isLineEnd) last.to++;
    this.#gap ??= offset + (isLineEnd ? 1 : 0);
    if (NAMED_BY_COMMENT.test(bytes.toString('latin1'))) this.#group++;
  }

  statement(
    bytes: Buffer,
    at: number,
    { firstWord, copy }: { firstWord: string; copy?: { table: readonly string[] } },
  ): void {
    const role: EntryRole = copy === undefined ? this.#roles.of(bytes, firstWord) : this.#roles.rowsOf(copy.table);
    const entry: DumpEntry = { from: this.#gap ?? at, at, to: at + bytes.length, role, group: this.#group };
    this.#gap = undefined;
    if (copy !== undefined) {
      const rows = this.#blocks[this.#copies++];
      if (rows === undefined) throw notUnderstood('rows whose place is not known');
      entry.rows = rows;
    }
    this.#entries.push(entry);
  }

  rowsEnd(to: number): void {
    const last = this.#entries.at(-1);
    if (last?.rows === undefined) throw notUnderstood('an end of rows without a COPY');
    last.to = to;
  }

  /** What stands behind the last statement is given as settings are. */
  end(to: number): DumpEntries {
    if (this.#copies !== this.#blocks.length) throw notUnderstood('fewer COPYs than blocks of rows');
    if (this.#gap !== undefined)
      this.#entries.push({ from: this.#gap, at: to, to, role: { kind: 'setting' }, group: ++this.#group });
    return { entries: this.#entries, ...this.#roles.found() };
  }
}
