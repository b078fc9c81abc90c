import { open, rm } from 'node:fs/promises';
import path from 'node:path';
import type { LogPoint } from '../../core/drill.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { LogReading } from '../../core/ports/resource-log.ts';
import type { DrillContext, DrillFinding } from '../../core/ports/service-drill.ts';
import { saysDamaged } from '../../core/validator.ts';
import { followedThrough } from './followed-databases.ts';
import { type DatabasePiece, databasePiece } from './log-facts.ts';
import { lostBefore } from './log-moments.ts';
import { findPath } from './log-path.ts';
import { LogSource } from './log-source.ts';
import type { RecordedDatabase } from './recorded-database.ts';

/** The log may be merged while it is read: small pieces give way to larger ones. */
const ATTEMPTS = 5;
const MOST_GAPS = 50;
const PERCENT = 40;

/** The state that a drill puts together from the log of a database: the newest one, or that of a moment. */
export interface DrilledState {
  log: LogReading;
  pieces: readonly DatabasePiece[];
  target: DatabasePiece;
  /** bytes */
  size: number;
  /** RFC 3339; nothing that was committed by then is missing, as far as this process knows. */
  through: string;
  /** In words. */
  name: string;
}

/**
 * @returns undefined where no log is kept, or none that holds anything newer than the backup by then
 * @throws HoldfastError `log-piece-missing` (damaged), `moment-not-in-log` (not-found)
 */
export async function drilledState(
  context: DrillContext,
  recorded: RecordedDatabase,
): Promise<DrilledState | undefined> {
  const { log, moment } = context;
  if (log === undefined) return undefined;
  const asked = moment === undefined ? undefined : new Date(moment).toISOString();
  return asked === undefined ? newestState(context, log, recorded) : stateAt(context, log, { recorded, moment: asked });
}

async function newestState(
  { backup, signal }: DrillContext,
  log: LogReading,
  { snapshotAt = backup.completedAt }: RecordedDatabase,
): Promise<DrilledState | undefined> {
  const pieces = (await log.pieces()).map(databasePiece);
  const target = pieces.reduce<DatabasePiece | undefined>(
    (newest, piece) => (newest === undefined || piece.to > newest.to ? piece : newest),
    undefined,
  );
  if (target === undefined || target.at <= snapshotAt) return undefined;
  const followed = await followedThrough(backup.resourceId, target.at, signal);
  const through = [followed, target.at].toSorted().at(-1) ?? target.at;
  const name = `the newest state of the log, ${target.at}`;
  return { log, pieces, target, size: sizeOf(target), through, name };
}

async function stateAt(
  { backup, signal }: DrillContext,
  log: LogReading,
  { recorded, moment }: { recorded: RecordedDatabase; moment: string },
): Promise<DrilledState | undefined> {
  const through = await followedThrough(backup.resourceId, moment, signal);
  const pieces = (await log.pieces()).map(databasePiece);
  const { createdAt, completedAt } = backup;
  const question = { pieces, backup: { createdAt, snapshotAt: recorded.snapshotAt ?? completedAt }, moment, through };
  try {
    const { target } = findPath(question);
    if (target === undefined) return undefined;
    const name = `the state of the log at ${moment}, ${target.at}`;
    return { log, pieces, target, size: sizeOf(target), through: target.at, name };
  } catch (error) {
    const lost = lostBefore(moment, pieces);
    if (!(error instanceof HoldfastError) || error.code !== 'moment-not-in-log' || lost === undefined) throw error;
    const message = `The piece of the log that leads from state ${lost} is not there, and ${moment} lies behind it. ${error.message}`;
    throw new HoldfastError('damaged', 'log-piece-missing', message, { cause: error, details: { moment } });
  }
}

const sizeOf = ({ pageSize, databaseSizeInPages }: DatabasePiece): number => pageSize * databaseSizeInPages;

/**
 * Puts a state together in the drill's folder, from a whole copy and the log, and compares the sum over all pages with the one that
 * was computed when the database was in that state; then, where it is the newest, reads what else there is of the log since the backup.
 * @returns the file; undefined where it failed because of what is stored, which the check says
 */
export async function rebuild(
  context: DrillContext,
  recorded: RecordedDatabase,
  drilled: DrilledState,
): Promise<string | undefined> {
  const { checks, folder, moment } = context;
  const { target, through } = drilled;
  const file = path.join(folder, 'state.sqlite');
  const state = `state ${target.to} of ${target.at}`;
  try {
    await checks.make(
      {
        name: 'log-state',
        kind: 'content',
        description:
          'The database put together from the log has the sum over all pages that was recorded when it was seen',
        expected: `${state}, sum ${target.state}`,
      },
      async () => {
        const pieces = await write(context, recorded, { drilled, file });
        context.dataReady({ position: String(target.to), at: through } satisfies LogPoint);
        return { outcome: 'passed', found: `${state}, sum ${target.state}, by ${pieces} pieces of the log` };
      },
    );
  } catch (error) {
    // The backup itself may be sound: that is worth knowing.
    if (!saysDamaged(error)) throw error;
    await rm(file, { force: true });
    return undefined;
  }
  // What lies beyond a moment has nothing to do with it, and what leads to it was read.
  if (moment === undefined) await readRest(context, drilled);
  return file;
}

/** @returns how many pieces it took */
async function write(
  context: DrillContext,
  { snapshotAt }: RecordedDatabase,
  { drilled, file }: { drilled: DrilledState; file: string },
): Promise<number> {
  const { backup, report } = context;
  let { pieces } = drilled;
  for (let attempt = 1; ; attempt++) {
    const handle = await open(file, 'wx+', 0o600);
    try {
      const { createdAt, completedAt } = backup;
      const moment = drilled.target.at;
      const question = { pieces, backup: { createdAt, snapshotAt: snapshotAt ?? completedAt }, moment, through: '' };
      const way = findPath(question);
      await new LogSource(context, moment, way).write(handle, (done, total) =>
        report({ percent: Math.floor((PERCENT * done) / total), phase: 'replaying the log' }),
      );
      return way.pieces.length + (way.whole === undefined ? 0 : 1);
    } catch (error) {
      if (!isReplaced(error) || attempt === ATTEMPTS) throw unreachable(error, drilled);
      pieces = (await drilled.log.pieces()).map(databasePiece);
    } finally {
      await handle.close();
    }
    await rm(file, { force: true });
  }
}

function isReplaced(error: unknown): boolean {
  return error instanceof HoldfastError && error.cause instanceof HoldfastError && error.cause.kind === 'not-found';
}

/** That nothing leads to a state that is recorded is a fault of what is stored, not of the question. */
function unreachable(error: unknown, { name }: DrilledState): unknown {
  if (!(error instanceof HoldfastError) || error.code !== 'moment-not-in-log') return error;
  const message = `No pieces of the log lead to ${name}, neither from the backup nor from a whole copy. ${error.message}`;
  return new HoldfastError('damaged', 'log-piece-missing', message, { cause: error });
}

/** Moments between the backup and the newest state need the other pieces, too. */
async function readRest(
  { backup, checks, signal, report }: DrillContext,
  { log, pieces }: DrilledState,
): Promise<void> {
  const since = pieces.filter(({ at }) => at > backup.createdAt);
  await checks.make(
    {
      name: 'log',
      kind: 'content',
      description: 'Every piece of the log since the backup can be read',
      expected: 'no damage',
    },
    async (): Promise<DrillFinding> => {
      let bytes = 0;
      for (const { piece } of since) {
        signal.throwIfAborted();
        report({ percent: PERCENT, phase: 'reading the log', current: piece.id });
        const isThere = await readPiece(log, piece, (length) => {
          bytes += length;
        });
        // What gave way to a merged piece meanwhile is in that.
        if (!isThere && (await log.pieces()).some(({ id }) => id === piece.id)) throw lost(piece.id);
      }
      const gaps = gapsOf(since).slice(0, MOST_GAPS);
      const found = `${since.length} pieces, ${bytes} bytes`;
      if (gaps.length === 0) return { outcome: 'passed', found };
      return { outcome: 'passed', found: `${found}; moments in ${gaps.length} gaps cannot be reached`, details: gaps };
    },
  );
}

async function readPiece(
  log: LogReading,
  piece: DatabasePiece['piece'],
  onBytes: (length: number) => void,
): Promise<boolean> {
  try {
    const reader = await log.open(piece);
    try {
      for await (const bytes of reader.read()) onBytes(bytes.length);
    } finally {
      await reader.close();
    }
    return true;
  } catch (error) {
    if (error instanceof HoldfastError && error.kind === 'not-found') return false;
    if (!saysDamaged(error)) throw error;
    const message = `The piece ${piece.id} of the log (state ${piece.from} to ${piece.to}) cannot be read: ${error.message}`;
    throw new HoldfastError('damaged', 'log-piece-damaged', message, { cause: error, details: { pieceId: piece.id } });
  }
}

function lost(id: string): HoldfastError {
  const message = `The piece ${id} of the log is listed, and the repository does not have it. Moments behind it are reached from the next backup only.`;
  return new HoldfastError('damaged', 'log-piece-missing', message, { details: { pieceId: id } });
}

/** A whole copy of which nothing is known before: nobody looked when the database changed. */
function gapsOf(pieces: readonly DatabasePiece[]): string[] {
  const sorted = pieces.toSorted((left, right) => left.to - right.to);
  return sorted.flatMap(({ kind, since, at }, place) => {
    const before = sorted[place - 1];
    return kind === 'whole' && since === '' && before !== undefined ? [`${before.at} to ${at}`] : [];
  });
}
