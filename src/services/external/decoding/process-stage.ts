import type { Writable } from 'node:stream';
import { HoldfastError } from '../../../core/errors.ts';
import type { ChildEnd, RunningChild } from '../../../process/child-process.ts';

export interface ProcessStage {
  child: RunningChild;
  signal: AbortSignal;
  /** Removes what was made for the process; called once when it is gone, whatever way, though nobody may read on. */
  cleanUp?(): Promise<void>;
  /** What it means how the process ended; undefined where all is well. */
  judge(end: ChildEnd): Error | undefined;
}

/**
 * Gives a process the bytes of a source and yields what it writes. Ends without an error only if the source ended well and the
 * process took all of it and said that all is well. Where the source failed, its fault is thrown, not the process's complaint that
 * its input is cut.
 */
export async function* throughProcess(
  source: AsyncIterable<Uint8Array>,
  { child, signal, cleanUp, judge }: ProcessStage,
): AsyncGenerator<Uint8Array> {
  const cleaned = child.ended.then(
    () => cleanUp?.(),
    () => cleanUp?.(),
  );
  cleaned.catch(() => undefined);
  // A reader who does not come back must not keep the process's pipe open.
  const leave = (): void => void child.stdout.destroy();
  signal.addEventListener('abort', leave, { once: true });
  const feed = new Feed(source, child);
  try {
    for await (const chunk of child.stdout) yield chunk as Uint8Array;
    const end = await child.ended;
    const wrong = feed.fault === undefined ? judge(end) : undefined;
    if (wrong !== undefined) throw wrong;
    await feed.done;
    if (feed.fault !== undefined) throw feed.fault.error;
    if (feed.isMore) throw trailingBytes();
  } catch (error) {
    signal.throwIfAborted();
    throw feed.fault === undefined ? error : feed.fault.error;
  } finally {
    signal.removeEventListener('abort', leave);
    feed.stop();
    await child.stop();
    await cleaned;
  }
}

/** Writes a source to a process. What happens to the process is seen by how it ends, so only the source's faults are kept. */
class Feed {
  /** Resolves when the source has ended or failed, or more came of it than the process took. */
  readonly done: Promise<void>;
  fault: { error: unknown } | undefined;
  isMore = false;
  readonly #iterator: AsyncIterator<Uint8Array>;

  constructor(source: AsyncIterable<Uint8Array>, child: RunningChild) {
    this.#iterator = source[Symbol.asyncIterator]();
    this.done = this.#run(child).catch(async (error: unknown) => {
      this.fault = { error };
      // It must not take what it has for the whole.
      await child.stop();
    });
  }

  /** Lets go of the source without waiting for it: it may be in the middle of a request. */
  stop(): void {
    this.#iterator.return?.()?.catch(() => undefined);
  }

  async #run({ stdin }: RunningChild): Promise<void> {
    for (;;) {
      const next = await this.#iterator.next();
      if (next.done === true) break;
      if (next.value.length === 0) continue;
      if (!stdin.writable) {
        this.isMore = true;
        return;
      }
      if (!stdin.write(next.value)) await writable(stdin);
    }
    stdin.end();
  }
}

function writable(stdin: Writable): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stdin.off('drain', done).off('close', done);
      resolve();
    };
    if (stdin.closed) resolve();
    else stdin.on('drain', done).on('close', done);
  });
}

function trailingBytes(): HoldfastError {
  const message = 'Something follows the end of the encrypted or compressed backup. It is damaged; take another one.';
  return new HoldfastError('damaged', 'external-backup-damaged', message);
}
