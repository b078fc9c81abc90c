import { SqlLexer, type SqlPiece } from '../../sql/sql-lexer.ts';
import { asUnreadable, unreadable } from './unreadable.ts';

/** A piece of a dump; a statement comes with the delimiter that ends it. */
export type DumpPiece = SqlPiece & { delimiter: string };

const SANDBOX_MARK = /^\/\*M?!999999\\- enable the sandbox mode \*\/\s*$/;

/**
 * The pieces of a dump, by chunks, whatever their sizes.
 * @throws HoldfastError `variant-content-unreadable` for what is for the client, and for an end in the midst of something; the signal's reason
 */
export async function* dumpPieces(
  bytes: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Iterable<DumpPiece>> {
  const lexer = new SqlLexer({ dialect: 'mysql' });
  let delimiter = ';';
  const checked = (piece: SqlPiece): DumpPiece => {
    const wasDelimiter = delimiter;
    if (piece.kind === 'rest') throw unreadable('it ends in the midst of a statement');
    if (piece.kind === 'command') {
      const line = piece.bytes.toString('latin1');
      const wanted = /^delimiter\s+(\S+)\s*$/i.exec(line)?.[1];
      if (wanted === undefined && !SANDBOX_MARK.test(line)) throw unreadable('it holds a command for the mysql client');
      delimiter = wanted ?? delimiter;
    }
    return { ...piece, delimiter: wasDelimiter };
  };
  for await (const chunk of bytes) {
    signal.throwIfAborted();
    yield read(lexer.push(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength)), checked);
  }
  yield read(lexer.end(), checked);
}

function* read(pieces: Iterable<SqlPiece>, checked: (piece: SqlPiece) => DumpPiece): Generator<DumpPiece> {
  try {
    for (const piece of pieces) yield checked(piece);
  } catch (error) {
    throw asUnreadable(error);
  }
}
