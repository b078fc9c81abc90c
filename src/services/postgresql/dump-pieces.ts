import {
  type ArchiveContents,
  readArchiveContents,
  rowsBegin,
  rowsEnd,
  withTables,
} from '../../postgresql-archive/archive-contents.ts';
import type { CopiedTable } from './copied-tables.ts';
import type { ListedTable } from './database-facts.ts';
import type { RowCopy } from './row-copy.ts';
import { findRangedTables, type RowRead, rowReads } from './row-reads.ts';
import { quoted, type Session } from './session.ts';

export interface DumpSource {
  copied: readonly CopiedTable[];
  /** Sessions that see what pg_dump sees; none where pg_dump is to read all rows. */
  openCopying(): Promise<readonly Session[]>;
  /** What pg_dump writes with these arguments more. */
  pgDump(args: readonly string[]): AsyncGenerator<Uint8Array>;
  /** Told of rows that are in the dump. */
  onRows(table: ListedTable, rows: number): void;
}

/**
 * The archive of a database, as pg_dump writes it: everything but the rows of large tables by pg_dump itself, and these read from the server directly, which takes a third
 * less of the processor. They stand behind all others. Where an archive is not as it is known, or the tables cannot be read,
 * pg_dump writes all of it, and `onRows` is not called.
 *
 * Each piece stays as it is until the next one is asked for.
 */
export async function* dumpPieces(source: DumpSource): AsyncGenerator<Uint8Array> {
  const { copied, openCopying, pgDump, onRows } = source;
  if (copied.length === 0) return yield* pgDump([]);
  const excluding = copied.map(({ table }) => `--exclude-table-data=${quoted(table.schema)}.${quoted(table.name)}`);
  // A role or a database may ask for another one, which the archive would name: these rows and names come in this one.
  const dump = pgDump(['--encoding=UTF8', ...excluding]);
  let sessions: readonly Session[] = [];
  try {
    const beginning = await readBeginning(dump);
    const added = beginning && withTables(beginning.contents, copied.map(addedTable));
    if (added !== undefined) sessions = await openCopying();
    const [first] = sessions;
    if (beginning === undefined || added === undefined || first === undefined) {
      await dump.return(undefined);
      return yield* pgDump([]);
    }
    // One session alone would only wait between ranges, and a query is dearer than a plain COPY.
    const ranged = sessions.length > 1 ? await findRangedTables(first, copied) : new Set<CopiedTable>();
    const reads = rowReads(copied, ranged);
    yield added.head;
    yield beginning.rest;
    yield* dump;
    const ids = new Map(copied.map((table, index) => [table, added.ids[index] ?? 0]));
    yield* rowPieces(reads, sessions, { idOf: (table) => ids.get(table) ?? 0, onRows });
  } finally {
    await Promise.all(sessions.map((session) => session.close()));
    await dump.return(undefined);
  }
}

/** The rows of all tables, one read after another, while the next reads go on in the other sessions. */
async function* rowPieces(
  reads: Iterator<RowRead, void>,
  sessions: readonly Session[],
  { idOf, onRows }: Pick<DumpSource, 'onRows'> & { idOf(table: CopiedTable): number },
): AsyncGenerator<Uint8Array> {
  const begun: BegunRead[] = [];
  const begin = (session: Session): void => {
    const { value: read } = reads.next();
    if (read) begun.push({ read, session, copy: session.copyRows(read.text, read.copied.name) });
  };
  for (const session of sessions) begin(session);
  let rows = 0;
  for (let first = begun.shift(); first !== undefined; first = begun.shift()) {
    const { copied, isFirst, isLast } = first.read;
    if (isFirst) yield rowsBegin(idOf(copied));
    rows += yield* first.copy.pieces();
    begin(first.session);
    if (!isLast) continue;
    yield rowsEnd();
    onRows(copied.table, rows);
    rows = 0;
  }
}

interface BegunRead {
  read: RowRead;
  session: Session;
  copy: RowCopy;
}

function addedTable({ table, name, columns }: CopiedTable) {
  return { oid: table.oid, copy: `COPY ${name} (${columns}) FROM stdin;\n` };
}

/** Bytes after which the contents are looked for. Twice as many each time, so that long ones are not read again with every piece. */
const FIRST_LOOK = 64 << 10;

async function readBeginning(
  dump: AsyncGenerator<Uint8Array>,
): Promise<{ contents: ArchiveContents; rest: Buffer } | undefined> {
  const pieces: Buffer[] = [];
  let [bytes, nextLook] = [0, FIRST_LOOK];
  for (;;) {
    const { value, done } = await dump.next();
    // A copy: the memory of a piece is not its own for long.
    if (done !== true) pieces.push(Buffer.from(value));
    bytes += done === true ? 0 : value.length;
    if (bytes < nextLook && done !== true) continue;
    nextLook = bytes * 2;
    const whole = Buffer.concat(pieces.splice(0));
    const contents = readArchiveContents(whole);
    if (contents === undefined || (contents === 'more' && done === true)) return undefined;
    if (contents !== 'more') return { contents, rest: whole.subarray(contents.bytes.length) };
    pieces.push(whole);
  }
}
