import { messageOf } from '../../core/errors.ts';
import type { ResourceLog } from '../../core/ports/resource-log.ts';
import type { SqliteConfiguration } from './configuration.ts';
import { beginningOf, type DatabasePiece, databasePiece } from './log-facts.ts';
import { mergePieces } from './merge-pieces.ts';

export type KeptStates = Pick<SqliteConfiguration['log'], 'keepSeconds' | 'keepMinutes'>;

/**
 * Replaces pieces by merged ones as they grow old: after `keepSeconds` one a minute is left, after `keepMinutes` one an hour. The
 * merged one is durable before what it replaces is removed, so that a crash leaves both, and the next round removes again.
 */
export class LogMerging {
  readonly #log: ResourceLog;
  readonly #keep: KeptStates;
  readonly #signal: AbortSignal;
  #pieces: DatabasePiece[] = [];
  #running: Promise<void> | undefined;
  #lastRound = -Infinity;

  constructor(log: ResourceLog, keep: KeptStates, signal: AbortSignal) {
    this.#log = log;
    this.#keep = keep;
    this.#signal = signal;
  }

  begin(pieces: readonly DatabasePiece[]): void {
    this.#pieces = [...pieces].sort((left, right) => left.to - right.to || left.from - right.from);
  }

  add(piece: DatabasePiece): void {
    this.#pieces.push(piece);
  }

  /** Begins a round in the background if it is time for one. */
  run(now: Date, warn: (message: string) => void): void {
    if (this.#running !== undefined || performance.now() - this.#lastRound < ROUND_EVERY) return;
    this.#lastRound = performance.now();
    this.#running = this.#round(now)
      .catch((error: unknown) => warn(`Pieces of the log could not be merged: ${messageOf(error)}`))
      .finally(() => {
        this.#running = undefined;
      });
  }

  async end(): Promise<void> {
    await this.#running;
  }

  async #round(now: Date): Promise<void> {
    await this.#dropForgotten();
    for (const run of runsToMerge(this.#pieces, this.#keep, now)) {
      if (this.#signal.aborted) return;
      await this.#merge(run);
    }
  }

  /** Cleanup forgets pieces that no backup needs any more. */
  async #dropForgotten(): Promise<void> {
    const listed = new Set((await this.#log.pieces()).map(({ id }) => id));
    this.#pieces = this.#pieces.filter(({ piece }) => listed.has(piece.id));
  }

  async #merge(run: readonly DatabasePiece[]): Promise<void> {
    const [first, last] = [beginningOf(run), run.at(-1)];
    if (first === undefined || last === undefined) return;
    const covering = run.find(({ from, to }) => from === first.from && to === last.to);
    const merged = covering ?? databasePiece(await this.#log.append(await mergePieces(this.#log, run)));
    const replaced = new Set(run.filter((piece) => piece !== merged));
    // The newest first: what a crash leaves of them still leads on from the state before.
    await this.#log.remove([...replaced].reverse().map(({ piece }) => piece));
    const kept = this.#pieces.filter((piece) => !replaced.has(piece) && piece !== merged);
    this.#pieces = [...kept, merged].sort((left, right) => left.to - right.to || left.from - right.from);
  }
}

/**
 * Neighbouring pieces of changed pages whose states fall into the same minute (or hour), once that is old enough. One whose
 * pages would not fit into memory together with its neighbours' stays as it is.
 */
export function runsToMerge(
  pieces: readonly DatabasePiece[],
  { keepSeconds, keepMinutes }: KeptStates,
  now: Date,
): DatabasePiece[][] {
  const runs: DatabasePiece[][] = [];
  let run: DatabasePiece[] = [];
  let runOf: string | undefined;
  let bytes = 0;
  for (const piece of pieces) {
    const bucket = piece.kind === 'pages' ? bucketOf(Date.parse(piece.at)) : undefined;
    const reached = run.at(-1)?.to;
    const fits = bytes + piece.piece.size <= MOST_BYTES;
    const goesOn = bucket !== undefined && bucket === runOf && reached !== undefined && piece.from <= reached && fits;
    if (!goesOn) {
      run = [];
      bytes = 0;
      runs.push(run);
    }
    runOf = bucket;
    if (bucket === undefined) continue;
    run.push(piece);
    bytes += piece.piece.size;
  }
  return runs.filter(({ length }) => length > 1);

  /** Undefined: too young. */
  function bucketOf(at: number): string | undefined {
    const [minute, hour] = [Math.floor(at / MINUTE), Math.floor(at / HOUR)];
    if ((hour + 1) * HOUR < now.getTime() - keepMinutes * MINUTE) return `hour ${hour}`;
    return (minute + 1) * MINUTE < now.getTime() - 1000 * keepSeconds ? `minute ${minute}` : undefined;
  }
}

/** milliseconds */
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const ROUND_EVERY = 30_000;
const MOST_BYTES = 32 * 1024 * 1024;
