import { HoldfastError } from '../../core/errors.ts';
import type { TaskContext, TreePageEntries } from '../../core/ports/repository.ts';
import type { ByteString, ContentSegment, TreeEntry } from '../../core/tree-entry.ts';

export interface BaseEntry {
  entry: TreeEntry;
  encoded: Uint8Array;
}

type PageEntries = ReadonlyMap<ByteString, BaseEntry>;

/** The entries of the backup that an incremental one builds on, for the paths of the batch at hand. */
export class BaseEntries {
  readonly #context: Pick<TaskContext, 'readPages'>;
  readonly #pages = new Map<string, PageEntries>();

  constructor(context: Pick<TaskContext, 'readPages'>) {
    this.#context = context;
  }

  /**
   * Reads the pages that a batch's paths can be on. Files whose page is damaged or gone are as good as new.
   * @returns what finds their entries, for this batch alone
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
    const current = found.filter((page) => page !== undefined);
    return (path) => {
      for (const page of current) {
        const entry = page.get(path);
        if (entry !== undefined) return entry;
      }
      return undefined;
    };
  }

  async #read(pages: readonly ContentSegment[], warn: (message: string) => void): Promise<PageEntries[]> {
    let read: TreePageEntries[];
    try {
      read = await this.#context.readPages(pages);
    } catch (error) {
      if (!isDamage(error)) throw error;
      warn(lostBaseWarning(error));
      return [];
    }
    return pages.map((page, index) => {
      const entries = byPath(read[index]);
      this.#pages.set(nameOf(page), entries);
      return entries;
    });
  }
}

/** Whether something of a backup is damaged or no longer there. */
export function isDamage(error: unknown): error is HoldfastError {
  return error instanceof HoldfastError && (error.kind === 'damaged' || error.kind === 'not-found');
}

export function lostBaseWarning(error: HoldfastError): string {
  return `A part of the backup that this one builds on cannot be read, so the files in it were read anew: ${error.message}`;
}

function byPath(page: TreePageEntries | undefined): PageEntries {
  return new Map(
    page?.entries.map((entry, index) => [entry.path, { entry, encoded: page.encoded[index] as Uint8Array }]),
  );
}

function nameOf(page: ContentSegment): string {
  return Buffer.from(page.id ?? []).toString('latin1');
}

const PAGES_KEPT = 8;
