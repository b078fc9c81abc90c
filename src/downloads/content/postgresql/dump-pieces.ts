import { HoldfastError } from '../../../core/errors.ts';
import { SqlLexer, type SqlPiece } from '../../sql/sql-lexer.ts';
import { unreadable } from './unreadable.ts';

/**
 * The pieces of a dump, by chunks.
 * @throws HoldfastError `variant-content-unreadable` (unsupported) for what cannot be read for certain, and where the dump ends in the midst of something
 */
export async function* dumpPieces(
  bytes: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Iterable<SqlPiece>> {
  const lexer = new SqlLexer({ dialect: 'postgresql' });
  for await (const chunk of bytes) {
    signal.throwIfAborted();
    yield refusals(lexer.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)));
  }
  if (!lexer.isBetweenStatements) throw unreadable('it ends in the midst of a statement or of rows');
  yield refusals(lexer.end());
}

/** As `dumpPieces`, of what is at hand. */
export function* dumpPiecesOf(bytes: Buffer): Generator<SqlPiece> {
  const lexer = new SqlLexer({ dialect: 'postgresql' });
  yield* refusals(lexer.push(bytes));
  if (!lexer.isBetweenStatements) throw unreadable('it ends in the midst of a statement or of rows');
  yield* refusals(lexer.end());
}

/** Says of variants what the lexer says of sealing. */
function* refusals(pieces: Iterable<SqlPiece>): Generator<SqlPiece> {
  try {
    yield* pieces;
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== 'dump-not-sealable') throw error;
    const [, what = error.message] = /^The dump cannot be given sealed: (.*?)\. [A-Z]/s.exec(error.message) ?? [];
    throw unreadable(what);
  }
}
