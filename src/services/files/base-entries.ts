import { HoldfastError } from '../../core/errors.ts';
import type { TaskContext, TreePageEntries } from '../../core/ports/repository.ts';
import { type ByteString, type ContentSegment, comparePaths, type TreeEntry } from '../../core/tree-entry.ts';

export interface BaseEntry {
  /** Its content refers to the memory of a whole page. */
  entry: TreeEntry;
  encoded: Uint8Array;
}

/** The entries of the backup that an incremental one builds on, for the paths of the batch at hand. */
export class BaseEntries {
  readonly #context: Pick<TaskContext, 'readPages'>;
  readonly #pages = new Map<string, TreePageEntries>();

  constructor(context: Pick<TaskContext, 'readPages'>) {
    this.#context = context;
  }

  /**
   * Reads the pages that a batch's paths can be on. Files whose page is damaged or gone are as good as new.
   * @returns what finds their entries, for this batch alone; fast where it is asked for paths in their order
   */
  async load(
    pages: readonly ContentSegment[],
    warn: (message: string) => void,
  ): Promise<(path: ByteString) => BaseEntry | undefined> {
    // Taken before anything is awaited: another batch of this thread may drop pages from the memory meanwhile.
    const found = pages.map((page) => this.#pages.get(nameOf(page)));
    const missing = pages.filter((_, index) => found[index] === undefined);
    if (missing.length > 0) found.push(...(await this.#read(missing, warn)));
    // Batches come in order: a page of an earlier one is wanted again by the next one at most.
    for (const name of [...this.#pages.keys()].slice(0, -(pages.length + PAGES_KEPT))) this.#pages.delete(name);
    const current = found.filter((page) => page !== undefined).map((page) => new OrderedPage(page));
    return (path) => {
      for (const page of current) {
        const entry = page.find(path);
        if (entry !== undefined) return entry;
      }
      return undefined;
    };
  }

  async #read(pages: readonly ContentSegment[], warn: (message: string) => void): Promise<TreePageEntries[]> {
    let read: TreePageEntries[];
    try {
      read = await this.#context.readPages(pages, { inPlace: true });
    } catch (error) {
      if (!isDamage(error)) throw error;
      warn(lostBaseWarning(error));
      return [];
    }
    for (const [index, page] of pages.entries()) this.#pages.set(nameOf(page), read[index] as TreePageEntries);
    return read;
  }
}

/** Finds entries of a page, which are in the order of their paths. */
class OrderedPage {
  readonly #page: TreePageEntries;
  /** Behind the one that was found last. */
  #next = 0;

  constructor(page: TreePageEntries) {
    this.#page = page;
  }

  find(path: ByteString): BaseEntry | undefined {
    const { entries, encoded } = this.#page;
    if (entries[this.#next]?.path !== path) this.#next = this.#firstNotBefore(path);
    const entry = entries[this.#next];
    if (entry === undefined || entry.path !== path) return undefined;
    return { entry, encoded: encoded[this.#next++] as Uint8Array };
  }

  #firstNotBefore(path: ByteString): number {
    const { entries } = this.#page;
    let low = 0;
    let high = entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (comparePaths((entries[middle] as TreeEntry).path, path) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
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
