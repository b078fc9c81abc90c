import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ChildEnd, RunningChild } from './child-process.ts';

export interface FeedOptions {
  signal: AbortSignal;
  /** How long the program may be busy with what it was given; default: for ever. */
  patience?: { seconds: number; exceeded(): Error };
}

/**
 * Gives a program its input to the end and waits for its own end. It is gone afterwards on every path.
 * @throws what the source throws, the signal's reason, `patience.exceeded`; `EPIPE` where the program ended well without all of its input
 */
export async function feedChild(
  child: RunningChild,
  bytes: AsyncIterable<Uint8Array>,
  { signal, patience }: FeedOptions,
): Promise<ChildEnd> {
  const faults: unknown[] = [];
  const giveUp = (error: unknown): void => {
    faults.push(error);
    void child.stop();
  };
  const watch = patience === undefined ? undefined : new BusyWatch(patience.seconds, () => giveUp(patience.exceeded()));
  try {
    let isWhole = false;
    const given = Readable.from(
      watched(bytes, watch, giveUp, () => {
        isWhole = true;
      }),
      { objectMode: false },
    );
    const broken: unknown = await pipeline(given, child.stdin, { signal }).catch((error: unknown) => error);
    watch?.begin();
    const end = await child.ended;
    signal.throwIfAborted();
    if (faults.length > 0) throw faults[0];
    // Where the program leaves early, its end says more than the broken pipe, unless it says that all is well.
    if (end.exitCode === 0 && !isWhole) throw broken;
    return end;
  } finally {
    watch?.end();
    await child.stop();
  }
}

async function* watched(
  bytes: AsyncIterable<Uint8Array>,
  watch: BusyWatch | undefined,
  onFault: (error: unknown) => void,
  onEnd: () => void,
): AsyncGenerator<Uint8Array> {
  let isGiving = false;
  try {
    for await (const piece of bytes) {
      isGiving = true;
      watch?.begin();
      yield piece;
      watch?.end();
      isGiving = false;
    }
    onEnd();
  } catch (error) {
    // While a piece is given, it is the broken pipe that the stream throws in here.
    if (!isGiving) onFault(error);
    throw error;
  }
}

/** Calls where something takes too long. */
class BusyWatch {
  readonly #seconds: number;
  readonly #exceeded: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(seconds: number, exceeded: () => void) {
    this.#seconds = seconds;
    this.#exceeded = exceeded;
  }

  begin(): void {
    this.end();
    this.#timer = setTimeout(this.#exceeded, this.#seconds * 1000);
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}
