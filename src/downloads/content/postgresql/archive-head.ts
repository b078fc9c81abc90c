import { copyHeader } from '../../sql/copy-header.ts';
import { tableName } from '../table-name.ts';
import { decoded } from './definition.ts';

/** What stands before the rows in an archive of pg_dump's custom format, as far as it must be known to find them. */
export interface ArchiveHead {
  /** Bytes up to the first block of data. */
  length: number;
  /** Bytes of an integer, without the one before it that says its sign. */
  integerBytes: number;
  /** Whose rows they are, by the number that stands before them. */
  tables: ReadonlyMap<number, ArchiveTable>;
}

export interface ArchiveTable {
  /** As a policy names it. */
  table: string;
  /** In the order of the fields of each row. */
  columns: readonly string[];
}

/**
 * Reads the header and the table of contents of an archive (`ReadHead` and `ReadToc` in PostgreSQL's pg_backup_archiver.c) that pg_dump of
 * versions 12 to 18 made without compression, of a database in UTF-8. Of these, each chunk of data is one row.
 * @returns `more` where the bytes end before its end; undefined for all other archives, and whatever is not as pg_dump writes it
 */
export function archiveHead(bytes: Buffer): ArchiveHead | 'more' | undefined {
  try {
    return new HeadReader(bytes).head();
  } catch (error) {
    if (error instanceof TooShort) return bytes.length < LONGEST_HEAD ? 'more' : undefined;
    if (error instanceof RangeError || error instanceof NotUnderstood) return undefined;
    throw error;
  }
}

const LONGEST_HEAD = 256 << 20;
const MAGIC = Buffer.from('PGDMP');
/** Of the format, with `major.minor` as in `K_VERS_1_14`. */
const [OLDEST, NEWEST] = [14, 16];
/** From this version of pg_dump on rows may be cut anywhere. */
const FIRST_LONG_CHUNKS = 19;
const CUSTOM_FORMAT = 1;
/** Seconds, minutes, hours, day, month, year and whether it is summer. */
const NUMBERS_OF_A_MOMENT = 7;

class HeadReader {
  readonly #bytes: Buffer;
  #at = 0;
  #integerBytes = 4;
  #offsetBytes = 8;
  #minor = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  head(): ArchiveHead {
    this.#header();
    const tables = new Map<number, ArchiveTable>();
    const names = new Set<string>();
    for (let entries = this.#integer(); entries > 0; entries--) {
      const { id, table } = this.#entry();
      if (table === undefined) continue;
      if (names.has(table.table)) throw new NotUnderstood();
      names.add(table.table);
      tables.set(id, table);
    }
    return { length: this.#at, integerBytes: this.#integerBytes, tables };
  }

  #header(): void {
    if (!this.#take(MAGIC.length).equals(MAGIC)) throw new NotUnderstood();
    const [major, minor = 0, , integerBytes = 0, offsetBytes = 0, format] = this.#take(6);
    if (major !== 1 || minor < OLDEST || minor > NEWEST || format !== CUSTOM_FORMAT) throw new NotUnderstood();
    if (integerBytes !== 4 || offsetBytes !== 8) throw new NotUnderstood();
    [this.#minor, this.#integerBytes, this.#offsetBytes] = [minor, integerBytes, offsetBytes];
    const compression = minor >= 15 ? this.#byte() : this.#integer();
    if (compression !== 0) throw new NotUnderstood();
    for (let number = 0; number < NUMBERS_OF_A_MOMENT; number++) this.#integer();
    this.#text();
    this.#text();
    const version = Number.parseInt(this.#text()?.toString('latin1') ?? '', 10);
    if (!(version < FIRST_LONG_CHUNKS)) throw new NotUnderstood();
  }

  #entry(): { id: number; table: ArchiveTable | undefined } {
    const id = this.#integer();
    this.#integer();
    this.#texts(3);
    const kind = this.#text()?.toString('latin1');
    this.#integer();
    const definition = this.#text();
    this.#text();
    const copy = this.#text();
    // The schema, the tablespace and the access method.
    this.#texts(3);
    if (this.#minor >= 16) this.#integer();
    // The owner, and whether there are object identifiers.
    this.#texts(2);
    while (this.#text() !== undefined);
    this.#take(1 + this.#offsetBytes);
    if (kind === 'ENCODING' && definition?.includes("'UTF8'") !== true) throw new NotUnderstood();
    return { id, table: kind === 'TABLE DATA' ? tableOf(copy) : undefined };
  }

  #texts(count: number): void {
    for (let text = 0; text < count; text++) this.#text();
  }

  #text(): Buffer | undefined {
    const length = this.#integer();
    return length < 0 ? undefined : this.#take(length);
  }

  #integer(): number {
    const isNegative = this.#byte() !== 0;
    const value = this.#take(this.#integerBytes).readUIntLE(0, this.#integerBytes);
    return isNegative ? -value : value;
  }

  #byte(): number {
    return this.#take(1)[0] ?? 0;
  }

  #take(length: number): Buffer {
    const from = this.#at;
    this.#at += length;
    if (this.#at > this.#bytes.length) throw new TooShort();
    return this.#bytes.subarray(from, this.#at);
  }
}

/** Without names of columns there are none: pg_dump always writes them. */
function tableOf(copy: Buffer | undefined): ArchiveTable {
  if (copy === undefined || copy.length === 0) throw new NotUnderstood();
  const { table, columns = [] } = copyHeader(copy);
  if (table.length !== 2) throw new NotUnderstood();
  return { table: tableName(table.map(decoded)), columns: columns.map(decoded) };
}

class TooShort extends Error {}
class NotUnderstood extends Error {}
