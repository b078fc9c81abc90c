import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

/**
 * Has the memory of short-lived buffers (outputs of ciphers and codecs) given back early. The engine's collector looks at
 * JavaScript objects, of which each buffer is a tiny one, and so lets some 64 MiB of buffers pile up in each thread; a minor
 * collection every few megabytes takes well under a millisecond and keeps a backup's memory flat.
 */
export class ShortLivedMemory {
  readonly #every: number;
  #bytes = 0;

  /** @param every bytes; more than are of use at once, or what is of use grows old and waits for a major collection */
  constructor(every = COLLECT_EVERY) {
    this.#every = every;
  }

  /** Tells of bytes that went through buffers. */
  passed(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes < this.#every) return;
    this.#bytes = 0;
    if (collect === undefined) {
      collect = exposeCollector();
      keepFreedMemory();
    }
    collect({ type: 'minor' });
  }
}

type Collect = (options: { type: 'minor' }) => void;

/** One for each thread: making it takes a millisecond. */
let collect: Collect | undefined;

function exposeCollector(): Collect {
  setFlagsFromString('--expose-gc');
  // Marking the small heap of a worker again and again, whenever buffers came and went, would take a fifth of all processor time.
  setFlagsFromString('--heap-growing-percent=200');
  return runInNewContext('gc') as Collect;
}

/**
 * Has the C library keep what such buffers leave for those that follow. glibc gives free memory above twice the largest block that
 * it took from the kernel and gave back (128 KiB at first) to the kernel after each collection, and half of a backup's processor
 * time in the kernel was the first touch of the same memory again. So one block is taken and, with the collection that follows,
 * given back; it is never touched (mallopt(3), M_MMAP_THRESHOLD). Other C libraries do not mind.
 */
function keepFreedMemory(): void {
  Buffer.allocUnsafeSlow(COLLECT_EVERY);
}

const COLLECT_EVERY = 8 * 1024 * 1024;
