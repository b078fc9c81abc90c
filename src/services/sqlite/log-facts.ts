import { z } from 'zod';
import { HoldfastError } from '../../core/errors.ts';
import type { LogPiece } from '../../core/ports/resource-log.ts';

const schema = z.object({
  /** `pages`: changed pages, which lead from the state before to this one; `whole`: the database itself. */
  kind: z.enum(['pages', 'whole']),
  /** The state that the piece leads to: nothing that was committed after this time is in it. */
  at: z.iso.datetime(),
  /** The `at` of the state before; empty where nothing is known of before. */
  since: z.string(),
  /** The database was seen to be as before until then; empty where nothing is known of before. */
  unchangedUntil: z.string(),
  /** In the piece. */
  pages: z.number().int(),
  pageSize: z.number().int(),
  databaseSizeInPages: z.number().int(),
  /** The sum over all pages of the state; see `PageTable`. */
  state: z.string(),
});

export type LogFacts = z.infer<typeof schema>;

/** A piece of a database's log. States are numbered; a piece leads from one to a later one. */
export interface DatabasePiece extends LogFacts {
  from: number;
  to: number;
  piece: LogPiece;
}

/** @throws HoldfastError `log-piece-malformed` (damaged) */
export function databasePiece(piece: LogPiece): DatabasePiece {
  const parsed = schema.safeParse(piece.facts);
  const [from, to] = [Number(piece.from), Number(piece.to)];
  if (parsed.success && Number.isSafeInteger(from) && Number.isSafeInteger(to))
    return { ...parsed.data, from, to, piece };
  throw new HoldfastError(
    'damaged',
    'log-piece-malformed',
    `The piece ${piece.id} of the log (${piece.from} to ${piece.to}) does not say what state of the database it leads to.`,
    { details: { pieceId: piece.id } },
  );
}

/** The piece that begins at the earliest state; the first in order may not, where a merge was not completed. */
export function beginningOf(run: readonly DatabasePiece[]): DatabasePiece | undefined {
  return run.reduce<DatabasePiece | undefined>(
    (first, piece) => (first === undefined || piece.from < first.from ? piece : first),
    undefined,
  );
}
