import { ShortLivedMemory } from './pipeline/short-lived-memory.ts';

const MEBIBYTE = 1024 * 1024;
/** What all readers of the process together read ahead of those whom they give it to. */
const TOTAL = 16 * MEBIBYTE;
/** More than this does not make one reader faster. */
const MOST_FOR_ONE = 8 * MEBIBYTE;
const WINDOWS = 4;
/** Bytes that were given away, after which memory is looked for that is nobody's any more. */
const COLLECT_EVERY = 16 * MEBIBYTE;

/**
 * How far the readers of contents may read ahead. Memory is the process's, so they share it evenly, in any number of repositories;
 * one that has nothing at hand may always read a chunk (4 MiB at most, 1 MiB usually), or it would never come to an end.
 */
class ReadAhead {
  readonly #memory = new ShortLivedMemory(COLLECT_EVERY);
  #readers = 0;

  /** @returns how to say that one reads no more; once is enough */
  begin(): () => void {
    let isReading = true;
    this.#readers++;
    return () => {
      if (isReading) this.#readers--;
      isReading = false;
    };
  }

  /** Bytes that one reader may have at hand and under way. */
  get share(): number {
    return Math.min(MOST_FOR_ONE, TOTAL / Math.max(1, this.#readers));
  }

  /** Bytes that are read at once, if a chunk is no longer than that. */
  get windowBytes(): number {
    return this.share / WINDOWS;
  }

  /** Whether so many read that what is given to them must be small. */
  get isCrowded(): boolean {
    return this.share < MEBIBYTE * 2;
  }

  /** Tells of bytes that were given to whoever reads them. */
  passed(bytes: number): void {
    this.#memory.passed(bytes);
  }
}

/** One for the process. */
export const readAhead = new ReadAhead();
