import { isUnreadable } from '../../core/earlier-content.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { OpenTreePage, TaskContext, TreePageReading } from '../../core/ports/repository.ts';
import { type ByteString, type ContentSegment, comparePaths, type TreeEntry } from '../../core/tree-entry.ts';

export interface BaseEntry {
  /** Its content refers to the memory of a whole page. */
  entry: TreeEntry;
  encoded: Uint8Array;
}

/** The entries of the backup that an incremental one builds on, for the paths of the batch at hand. */
export class BaseEntries {
  readonly #context: Pick<TaskContext, 'openPages'>;
  readonly #pages = new Map<string, OpenTreePage>();

  constructor(context: Pick<TaskContext, 'openPages'>) {
    this.#context = context;
  }

  /**
   * Reads the pages that a batch's paths can be on, in their order. Files whose page is damaged or gone are as good as new.
   * @returns what finds their entries, for this batch alone, whose paths must be asked for in their order
   */
  async load(
    pages: readonly ContentSegment[],
    warn: (message: string) => void,
  ): Promise<(path: ByteString) => BaseEntry | undefined> {
    // Taken before anything is awaited: another batch of this thread may drop pages from the memory meanwhile.
    const found = new Map(pages.map((page) => [nameOf(page), this.#pages.get(nameOf(page))]));
    const missing = pages.filter((page) => found.get(nameOf(page)) === undefined);
    if (missing.length > 0) for (const [name, page] of await this.#open(missing, warn)) found.set(name, page);
    // Batches come in order: a page of an earlier one is wanted again by the next one at most.
    for (const name of [...this.#pages.keys()].slice(0, -(pages.length + PAGES_KEPT))) this.#pages.delete(name);
    return findIn(
      [...found.values()].filter((page) => page !== undefined),
      warn,
    );
  }

  async #open(
    pages: readonly ContentSegment[],
    warn: (message: string) => void,
  ): Promise<readonly (readonly [string, OpenTreePage])[]> {
    try {
      const opened = await this.#context.openPages(pages);
      const named = pages.map((page, index) => [nameOf(page), opened[index] as OpenTreePage] as const);
      for (const [name, page] of named) this.#pages.set(name, page);
      return named;
    } catch (error) {
      if (!isUnreadable(error)) throw error;
      warn(lostBaseWarning(error));
      return [];
    }
  }
}

/** Goes through pages once; entries that nobody asks for, of files that are gone, are passed by. */
function findIn(
  pages: readonly OpenTreePage[],
  warn: (message: string) => void,
): (path: ByteString) => BaseEntry | undefined {
  let left = pages;
  let reading: TreePageReading | undefined;
  let entry: TreeEntry | undefined;
  const next = (): void => {
    do {
      if (reading === undefined) {
        reading = left[0]?.read();
        left = left.slice(1);
      }
      entry = nextOf(reading, warn);
      if (entry === undefined) reading = undefined;
    } while (entry === undefined && left.length > 0);
  };
  next();
  return (path) => {
    while (entry !== undefined && entry.path !== path && comparePaths(entry.path, path) < 0) next();
    return entry?.path === path && reading !== undefined ? { entry, encoded: reading.encoded() } : undefined;
  };
}

/** A page that cannot be understood ends there. */
function nextOf(reading: TreePageReading | undefined, warn: (message: string) => void): TreeEntry | undefined {
  try {
    return reading?.next();
  } catch (error) {
    if (!isUnreadable(error)) throw error;
    warn(lostBaseWarning(error));
    return undefined;
  }
}

/** Whether something of a backup is damaged or no longer there. */
export function isDamage(error: unknown): error is HoldfastError {
  return error instanceof HoldfastError && (error.kind === 'damaged' || error.kind === 'not-found');
}

export function lostBaseWarning(error: HoldfastError): string {
  return `A part of the backup that this one builds on cannot be read, so the files in it were read anew: ${error.message}`;
}

function nameOf(page: ContentSegment): string {
  return Buffer.from(page.id ?? []).toString('latin1');
}

const PAGES_KEPT = 8;
