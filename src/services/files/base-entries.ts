import { HoldfastError } from '../../core/errors.ts';
import type { TaskContext, TreePageEntries } from '../../core/ports/repository.ts';
import type { ByteString, ContentSegment, TreeEntry } from '../../core/tree-entry.ts';

export interface BaseEntry {
  entry: TreeEntry;
  encoded: Uint8Array;
}

/** The entries of the backup that an incremental one builds on, for the paths of the batch at hand. */
export class BaseEntries {
  readonly #context: TaskContext;
  readonly #pages = new Map<string, Map<ByteString, BaseEntry>>();

  constructor(context: TaskContext) {
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
    const missing = pages.filter((page) => !this.#pages.has(nameOf(page)));
    try {
      const read = await this.#context.readPages(missing);
      for (const [index, page] of missing.entries()) this.#keep(page, read[index]);
    } catch (error) {
      if (!isDamage(error)) throw error;
      warn(lostBaseWarning(error));
    }
    const current = pages.flatMap((page) => this.#pages.get(nameOf(page)) ?? []);
    // Batches come in order: a page of an earlier one is wanted again by the next one at most.
    for (const name of [...this.#pages.keys()].slice(0, -(pages.length + PAGES_KEPT))) this.#pages.delete(name);
    return (path) => {
      for (const page of current) {
        const found = page.get(path);
        if (found !== undefined) return found;
      }
      return undefined;
    };
  }

  #keep(page: ContentSegment, read: TreePageEntries | undefined): void {
    const map = new Map<ByteString, BaseEntry>();
    for (const [index, entry] of (read?.entries ?? []).entries()) {
      map.set(entry.path, { entry, encoded: read?.encoded[index] as Uint8Array });
    }
    this.#pages.set(nameOf(page), map);
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
