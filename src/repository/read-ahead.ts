import { ShortLivedMemory } from './pipeline/short-lived-memory.ts';

/** Content is read in windows of this many plain bytes, two of them at a time, while few contents are read. */
const WINDOW_BYTES = 4 * 1024 * 1024;
/** What all windows of this thread may hold, but for at least one chunk each. */
const BUDGET_BYTES = 32 * 1024 * 1024;
/** From so many contents on, each reads only what is asked for: others keep the threads busy meanwhile. */
const CROWD = 9;

/** How far contents that are read in this thread at once run ahead, so that a crowd of downloads needs little more memory than a few. */
class ReadAhead {
  readonly #memory = new ShortLivedMemory(WINDOW_BYTES * 3);
  #contents = 0;

  begin(): void {
    this.#contents++;
  }

  end(): void {
    this.#contents--;
  }

  /** Bytes after which a window is full. */
  get windowBytes(): number {
    return Math.min(WINDOW_BYTES, BUDGET_BYTES / (2 * Math.max(1, this.#contents)));
  }

  /** Whether the next window is read while this one is used. */
  get isAhead(): boolean {
    return this.#contents < CROWD;
  }

  /** Tells of bytes that went through windows. */
  passed(bytes: number): void {
    this.#memory.passed(bytes);
  }
}

export const readAhead = new ReadAhead();
