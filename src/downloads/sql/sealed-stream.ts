import { HoldfastError } from '../../core/errors.ts';
import type { SqlDialect } from '../../core/ports/service-download.ts';
import { joined } from './joined.ts';
import { SqlLexer, type SqlPiece } from './sql-lexer.ts';

/** What makes a dump of one dialect into one that a client cannot take for whole when it is not. */
export interface Seal {
  readonly dialect: SqlDialect;
  /** Before the first piece. */
  readonly head: string;
  /** What makes the whole valid: after the last piece, if all was well. */
  readonly tail: string;
  /** The comment that the dump's own tool writes when it has come to its end. */
  readonly footer: RegExp;
  /** What is given in place of a piece. @throws HoldfastError `dump-not-sealable` */
  given(piece: SqlPiece): Iterable<Buffer>;
  /** After what was given so far: a statement that fails with the message. */
  failure(message: string): string;
}

/**
 * A dump within its seal. An error before the first bytes is thrown alone, so that it can be answered in another way; a later one is
 * first given as a statement that fails with its message.
 */
export async function* sealedStream(
  source: AsyncIterable<Uint8Array>,
  seal: Seal,
  maxStatementBytes: number,
): AsyncGenerator<Buffer> {
  const dump = new SealedDump(seal, maxStatementBytes);
  let hasBegun = false;
  try {
    for await (const chunk of source) {
      dump.read(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
      if (!hasBegun) yield Buffer.from(seal.head);
      hasBegun = true;
      yield* joined(dump.take());
    }
    dump.end();
    if (!hasBegun) yield Buffer.from(seal.head);
    hasBegun = true;
    yield* joined(dump.take());
  } catch (error) {
    if (hasBegun) yield Buffer.concat([...dump.take(), Buffer.from(seal.failure(reasonOf(error)))]);
    throw error;
  }
  yield Buffer.from(seal.tail);
}

/** A dump as it is read, and what is to be given of it. */
class SealedDump {
  readonly #seal: Seal;
  readonly #lexer: SqlLexer;
  #out: Buffer[] = [];
  #hasFooter = false;

  constructor(seal: Seal, maxStatementBytes: number) {
    this.#seal = seal;
    this.#lexer = new SqlLexer({ dialect: seal.dialect, maxStatementBytes });
  }

  read(chunk: Buffer): void {
    for (const piece of this.#lexer.push(chunk)) this.#give(piece);
  }

  /** @throws HoldfastError `dump-cut` */
  end(): void {
    if (!this.#lexer.isBetweenStatements) throw cut(`its last statement, at byte ${this.#lexer.offset}, is not whole`);
    for (const piece of this.#lexer.end()) this.#give(piece);
    if (!this.#hasFooter) throw cut('the line that the dumping tool writes at the very end is missing');
  }

  take(): Buffer[] {
    const out = this.#out;
    this.#out = [];
    return out;
  }

  #give(piece: SqlPiece): void {
    if (piece.kind === 'gap')
      this.#hasFooter ||= this.#seal.footer.test(piece.bytes.toString('latin1').replaceAll('\r', ''));
    else if (piece.kind !== 'command') this.#hasFooter = false;
    for (const bytes of this.#seal.given(piece)) this.#out.push(bytes);
  }
}

function cut(what: string): HoldfastError {
  const message = `The dump is not whole: ${what}. The backup holds an interrupted dump, or its source was made with other options; look at how the backup was made.`;
  return new HoldfastError('damaged', 'dump-cut', message);
}

/** Only what was written to be shown. */
function reasonOf(error: unknown): string {
  const reason = error instanceof HoldfastError ? error.message : 'an internal error; the log of the service says more';
  return `The download failed: ${reason}`;
}
