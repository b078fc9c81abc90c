/** The head of an archive of pg_dump's custom format: its header and its table of contents, as far as tables can be added to it. */
export interface ArchiveContents {
  /** All of it; data follows. */
  bytes: Buffer;
  /** Of the pg_dump that made it. */
  toolMajor: number;
  /** Where the number of entries stands. */
  countAt: number;
  entries: readonly ArchiveEntry[];
}

export interface ArchiveEntry {
  id: number;
  /** In the system catalogue that it is of; 0 for what is in none. */
  oid: number;
  kind: string;
  section: number;
  /** What makes it, and for rows their COPY; undefined where there is none. */
  definition: Buffer | undefined;
  copy: Buffer | undefined;
  /** In `bytes`. */
  from: number;
  to: number;
  /** As they stand there, with their lengths. */
  tag: Buffer;
  schema: Buffer;
  owner: Buffer;
}

/** Rows that are to follow all data that an archive has. */
export interface AddedTable {
  oid: number;
  /** As it stands in an archive: `COPY … FROM stdin;`. */
  copy: string;
}

/**
 * Reads the head of an archive (`ReadHead` and `ReadToc` in PostgreSQL's pg_backup_archiver.c) that pg_dump of versions 12 to 18 made without compression.
 *
 * @returns `more` where the bytes end before it does; undefined for all other archives
 */
export function readArchiveContents(bytes: Buffer): ArchiveContents | 'more' | undefined {
  try {
    return new ContentsReader(bytes).contents();
  } catch (error) {
    if (error instanceof TooShort) return bytes.length < LONGEST_CONTENTS ? 'more' : undefined;
    if (error instanceof NotUnderstood) return undefined;
    throw error;
  }
}

/**
 * Adds the rows of tables that an archive has without them, behind all data that it has.
 *
 * @returns the new head, and the numbers under which the rows follow, in the order given; undefined where a table is not there, or has its rows
 */
export function withTables(
  contents: ArchiveContents,
  tables: readonly AddedTable[],
): { head: Buffer; ids: number[] } | undefined {
  const { bytes, countAt, entries } = contents;
  const definitions = new Map<number, ArchiveEntry>();
  const filled = new Set<number>();
  for (const entry of entries) {
    if (entry.kind === 'TABLE') definitions.set(entry.oid, entry);
    if (entry.kind === 'TABLE DATA') filled.add(entry.oid);
  }
  const ids: number[] = [];
  const added: Buffer[] = [];
  let id = entries.reduce((most, entry) => Math.max(most, entry.id), 0);
  for (const table of tables) {
    const definition = definitions.get(table.oid);
    if (definition === undefined || filled.has(table.oid)) return undefined;
    ids.push(++id);
    added.push(dataEntry(id, definition, table, bytes[MINOR_AT] ?? 0));
  }
  const behind =
    entries.findLast(({ section }) => section === SECTION_DATA)?.to ??
    entries.find(({ section }) => section === SECTION_POST_DATA)?.from ??
    bytes.length;
  const head = Buffer.concat([
    bytes.subarray(0, countAt),
    integer(entries.length + added.length),
    bytes.subarray(countAt + INTEGER_BYTES, behind),
    ...added,
    bytes.subarray(behind),
  ]);
  return { head, ids };
}

/** What stands before the rows of a table (`_StartData` in pg_backup_custom.c). */
export function rowsBegin(id: number): Buffer {
  return Buffer.concat([Buffer.of(BLOCK_OF_DATA), integer(id)]);
}

/** What pg_dump writes behind them: the end of a COPY, and a chunk of no bytes. */
export function rowsEnd(): Buffer {
  return Buffer.concat([text('\\.\n\n\n'), integer(0)]);
}

const MAGIC = Buffer.from('PGDMP');
const MINOR_AT = MAGIC.length + 1;
/** Of the format, `K_VERS_1_14` and so on. */
const [OLDEST, NEWEST] = [14, 16];
const WITH_KINDS_OF_RELATIONS = 16;
const WITH_ALGORITHMS = 15;
const CUSTOM_FORMAT = 1;
/** Seconds, minutes, hours, day, month, year and whether it is summer. */
const NUMBERS_OF_A_MOMENT = 7;
const INTEGER_BYTES = 5;
const OFFSET_BYTES = 8;
const SECTION_DATA = 3;
const SECTION_POST_DATA = 4;
const BLOCK_OF_DATA = 1;
/** Rows follow, at a place that is not known yet. */
const OFFSET_NOT_SET = 1;
const LONGEST_CONTENTS = 256 << 20;

class ContentsReader {
  readonly #bytes: Buffer;
  #at = 0;
  #minor = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  contents(): ArchiveContents {
    const toolMajor = this.#header();
    const countAt = this.#at;
    const entries: ArchiveEntry[] = [];
    for (let left = this.#integer(); left > 0; left--) entries.push(this.#entry());
    return { bytes: this.#bytes.subarray(0, this.#at), toolMajor, countAt, entries };
  }

  /** @returns the major version of pg_dump */
  #header(): number {
    if (!this.#take(MAGIC.length).equals(MAGIC)) throw new NotUnderstood();
    const [major, minor = 0, , integerBytes, offsetBytes, format] = this.#take(6);
    if (major !== 1 || minor < OLDEST || minor > NEWEST || format !== CUSTOM_FORMAT) throw new NotUnderstood();
    if (integerBytes !== INTEGER_BYTES - 1 || offsetBytes !== OFFSET_BYTES) throw new NotUnderstood();
    this.#minor = minor;
    const compression = minor >= WITH_ALGORITHMS ? this.#take(1)[0] : this.#integer();
    if (compression !== 0) throw new NotUnderstood();
    for (let number = 0; number < NUMBERS_OF_A_MOMENT; number++) this.#integer();
    // The database, and the version of the server.
    this.#text();
    this.#text();
    return Number.parseInt(contentOf(this.#text()), 10);
  }

  #entry(): ArchiveEntry {
    const from = this.#at;
    const id = this.#integer();
    this.#integer();
    this.#text();
    const oid = Number(contentOf(this.#text()));
    const tag = this.#text();
    const kind = contentOf(this.#text());
    const section = this.#integer();
    const definition = withoutLength(this.#text());
    // What drops it.
    this.#text();
    const copy = withoutLength(this.#text());
    const schema = this.#text();
    // The tablespace, and the access method.
    this.#text();
    this.#text();
    if (this.#minor >= WITH_KINDS_OF_RELATIONS) this.#integer();
    const owner = this.#text();
    // Whether rows have object identifiers, and what it needs.
    this.#text();
    while (this.#text().length > INTEGER_BYTES);
    this.#take(1 + OFFSET_BYTES);
    return { id, oid, kind, section, definition, copy, from, to: this.#at, tag, schema, owner };
  }

  /** With its length before it, which is below zero for none. */
  #text(): Buffer {
    const from = this.#at;
    const length = this.#integer();
    this.#take(Math.max(0, length));
    return this.#bytes.subarray(from, this.#at);
  }

  #integer(): number {
    const isNegative = this.#take(1)[0] !== 0;
    const value = this.#take(INTEGER_BYTES - 1).readUInt32LE();
    return isNegative ? -value : value;
  }

  #take(length: number): Buffer {
    const from = this.#at;
    this.#at += length;
    if (this.#at > this.#bytes.length) throw new TooShort();
    return this.#bytes.subarray(from, this.#at);
  }
}

/** As pg_dump writes it (`WriteToc`). */
function dataEntry(id: number, definition: ArchiveEntry, { oid, copy }: AddedTable, minor: number): Buffer {
  return Buffer.concat([
    integer(id),
    // Rows follow.
    integer(1),
    text('0'),
    text(String(oid)),
    definition.tag,
    text('TABLE DATA'),
    integer(SECTION_DATA),
    NONE,
    NONE,
    text(copy),
    definition.schema,
    NONE,
    NONE,
    ...(minor >= WITH_KINDS_OF_RELATIONS ? [integer(0)] : []),
    definition.owner,
    text('false'),
    text(String(definition.id)),
    NONE,
    Buffer.of(OFFSET_NOT_SET),
    Buffer.alloc(OFFSET_BYTES),
  ]);
}

function integer(value: number): Buffer {
  const bytes = Buffer.alloc(INTEGER_BYTES);
  bytes.writeUInt8(value < 0 ? 1 : 0);
  bytes.writeUInt32LE(Math.abs(value), 1);
  return bytes;
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([integer(bytes.length), bytes]);
}

const NONE = integer(-1);

function withoutLength(bytes: Buffer): Buffer | undefined {
  return bytes[0] === 0 ? bytes.subarray(INTEGER_BYTES) : undefined;
}

function contentOf(bytes: Buffer): string {
  return bytes.toString('utf8', INTEGER_BYTES);
}

class TooShort extends Error {}
class NotUnderstood extends Error {}
