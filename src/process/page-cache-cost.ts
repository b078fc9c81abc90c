/**
 * What writing to the page cache costs on this machine at this moment: a third of a millisecond for a MiB where the kernel has warm memory at hand, ten times
 * as much where a virtual machine must first get it from its host, and as long as the disk takes once too much waits to be written (`vm.dirty_ratio`).
 * Nobody can know beforehand, so the writes themselves are measured (docs/decisions/0047-restored-around-the-page-cache.md).
 */
export class PageCacheCost {
  readonly #now: () => number;
  /** Milliseconds for a MiB, as an average in which each write has an eighth. */
  #average = 0;
  #passedBy = 0;

  /** @param now milliseconds since whenever */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Decides whether the next write goes to the page cache: that is cheap, or it is time to look whether it has become so. */
  takesNext(): boolean {
    if (this.#average <= LIMIT) return true;
    this.#passedBy = (this.#passedBy + 1) % TRIED_AGAIN_AFTER;
    return this.#passedBy === 0;
  }

  /** Runs a write of `bytes` bytes to the page cache. What it throws is thrown on. */
  measure(bytes: number, write: () => void): void {
    const began = this.#now();
    write();
    const cost = ((this.#now() - began) / bytes) * MEBIBYTE;
    // One write in which the thread had to wait for a core tells little.
    this.#average += (Math.min(cost, LIMIT * 4) - this.#average) / 8;
  }
}

const MEBIBYTE = 1024 * 1024;
/** Milliseconds for a MiB. A write that goes around the page cache takes a tenth of it from the processor, and the rest of its time from the disk. */
const LIMIT = 2;
/** Writes. */
const TRIED_AGAIN_AFTER = 32;
