import { HoldfastError } from '../../core/errors.ts';
import { freeMemory } from '../../core/freed-memory.ts';
import type { SqlDialect } from '../../core/ports/service-download.ts';
import { type CopyHeader, copyHeader } from './copy-header.ts';
import { notSealable } from './not-sealable.ts';
import { RowBlock } from './row-block.ts';
import { BYTE, isSpace } from './sql-bytes.ts';
import { SqlScanner } from './sql-scanner.ts';

/**
 * A part of a stream of SQL. The bytes of all pieces, one after the other, are the stream; `offset` is where they begin in it.
 *
 * - `gap`: white space and comments between statements
 * - `statement`: from its first byte to its delimiter; with `copy`, to the end of that line; `hasVariable` where psql would change it; `isJoined` where it came
 *   in several chunks: its bytes are nobody else's then, and whoever takes it may free them
 * - `command`: a line that is for the client and not for the server, with its line end
 * - `rows`: of the last COPY, cut anywhere; `rows-end`: the line that ends them, or its last part
 * - `rest`: what a stream that was cut ends with, a statement or comment that is not whole
 */
export type SqlPiece =
  | { kind: 'gap' | 'command' | 'rows' | 'rows-end' | 'rest'; bytes: Buffer; offset: number }
  | {
      kind: 'statement';
      bytes: Buffer;
      offset: number;
      firstWord: string;
      hasVariable?: boolean;
      isJoined?: boolean;
      copy?: CopyHeader;
    };

export interface SqlLexerOptions {
  dialect: SqlDialect;
  /** A longer statement or comment is an error. Default 64 MiB. */
  maxStatementBytes?: number;
}

/**
 * Cuts a stream of SQL into pieces, over bytes and in memory that does not grow, whatever the sizes of the chunks that come in. Pieces are
 * slices of the chunk where they lie within one.
 */
export class SqlLexer {
  readonly #dialect: SqlDialect;
  readonly #maxBytes: number;
  readonly #scanner: SqlScanner;
  /** What earlier chunks hold of the current piece. */
  #held: Buffer[] = [];
  #heldBytes = 0;
  #offset = 0;
  /** While the rest of the line of a COPY is read. */
  #copyLine: CopyHeader | undefined;
  #rows: RowBlock | undefined;

  constructor({ dialect, maxStatementBytes = 64 << 20 }: SqlLexerOptions) {
    this.#dialect = dialect;
    this.#maxBytes = maxStatementBytes;
    this.#scanner = new SqlScanner(dialect);
  }

  /** True where the stream may end: no statement, comment or block of rows is open. */
  get isBetweenStatements(): boolean {
    const { isInStatement, isInComment } = this.#scanner;
    return this.#rows === undefined && this.#copyLine === undefined && !isInStatement && !isInComment;
  }

  /** Bytes of the stream before the piece that is being read. */
  get offset(): number {
    return this.#offset;
  }

  /** The mysql client's delimiter of statements. */
  get delimiter(): string {
    return this.#scanner.delimiter;
  }

  /**
   * The pieces that end in this chunk. It must not change while they are used.
   * @throws HoldfastError `dump-not-sealable` for what clients read differently, and what is too long
   */
  *push(chunk: Buffer): Generator<SqlPiece> {
    if (chunk.includes(0)) throw notSealable('it holds a zero byte, at which clients stop reading a line');
    for (let from = 0; from < chunk.length; ) {
      if (this.#rows !== undefined) {
        const next = this.#rows.endIn(chunk, from);
        if (next < 0) {
          yield this.#piece('rows', chunk.subarray(from));
          return;
        }
        yield* this.#lastRows(chunk.subarray(from, next));
        from = next;
        continue;
      }
      const at = this.#copyLine === undefined ? this.#scanner.scan(chunk, from) : endOfCopyLine(chunk, from);
      const piece = this.#ended(chunk, from, at);
      if (piece !== undefined) yield piece;
      from = at;
    }
  }

  /** What is left at the end of the stream. */
  *end(): Generator<SqlPiece> {
    const bytes = this.#taken(Buffer.alloc(0));
    if (bytes.length > 0) yield this.#piece(this.isBetweenStatements ? 'gap' : 'rest', bytes);
  }

  #ended(chunk: Buffer, from: number, at: number): SqlPiece | undefined {
    const part = chunk.subarray(from, at);
    if (this.#copyLine !== undefined) {
      if (part.at(-1) !== BYTE.newline) return this.#hold(part);
      const copy = this.#copyLine;
      this.#copyLine = undefined;
      this.#rows = new RowBlock();
      return { ...this.#piece('gap', this.#taken(part)), kind: 'statement', firstWord: 'copy', copy };
    }
    switch (this.#scanner.event) {
      case undefined:
        return this.#hold(part);
      case 'begun':
        return this.#gap(part);
      case 'command':
        return this.#piece('command', this.#taken(part));
      case 'ended':
        return this.#statement(part);
    }
  }

  #statement(part: Buffer): SqlPiece | undefined {
    const { firstWord, hasVariable } = this.#scanner;
    if (firstWord !== 'copy' || this.#dialect !== 'postgresql') {
      const isJoined = this.#held.length > 0;
      return { ...this.#piece('gap', this.#taken(part)), kind: 'statement', firstWord, hasVariable, isJoined };
    }
    const bytes = this.#taken(part);
    this.#copyLine = copyHeader(bytes);
    return this.#hold(bytes);
  }

  /** What stands before a statement whose first bytes were read to tell it from a comment. */
  #gap(part: Buffer): SqlPiece | undefined {
    const bytes = this.#taken(part);
    const gap = bytes.subarray(0, bytes.length - this.#scanner.begunBefore);
    this.#hold(bytes.subarray(gap.length));
    return gap.length === 0 ? undefined : this.#piece('gap', gap);
  }

  *#lastRows(bytes: Buffer): Generator<SqlPiece> {
    this.#rows = undefined;
    // The line may have begun in an earlier chunk; then this is its last part alone.
    const end = bytes.lastIndexOf('\n', -2) + 1;
    if (end > 0) yield this.#piece('rows', bytes.subarray(0, end));
    yield this.#piece('rows-end', bytes.subarray(end));
  }

  #piece<Kind extends 'gap' | 'command' | 'rows' | 'rows-end' | 'rest'>(kind: Kind, bytes: Buffer) {
    const offset = this.#offset;
    this.#offset += bytes.length;
    return { kind, bytes, offset };
  }

  #hold(part: Buffer): undefined {
    this.#limit(this.#heldBytes + part.length);
    // A copy: the chunk's memory is free as soon as its pieces are used.
    if (part.length > 0) this.#held.push(Buffer.from(part));
    this.#heldBytes += part.length;
  }

  #taken(part: Buffer): Buffer {
    this.#limit(this.#heldBytes + part.length);
    if (this.#held.length === 0) return part;
    const bytes = Buffer.concat([...this.#held, part], this.#heldBytes + part.length);
    // They would wait for a major collection, as large as the statements of many chunks.
    for (const held of this.#held) freeMemory(held);
    this.#held = [];
    this.#heldBytes = 0;
    return bytes;
  }

  #limit(bytes: number): void {
    if (bytes <= this.#maxBytes) return;
    const message = `The dump cannot be given sealed: a statement at byte ${this.#offset} is longer than ${this.#maxBytes} bytes. Make the dump with shorter statements (for mysqldump, a smaller --net-buffer-length), or download it with seal=none.`;
    throw new HoldfastError('too-large', 'dump-not-sealable', message);
  }
}

function endOfCopyLine(chunk: Buffer, from: number): number {
  for (let at = from; at < chunk.length; at++) {
    const byte = chunk[at] ?? 0;
    if (byte === BYTE.newline) return at + 1;
    if (!isSpace(byte)) throw notSealable('something follows a COPY on its line, where psql reads it after the rows');
  }
  return chunk.length;
}
