import type { TaskContext } from '../../core/ports/repository.ts';
import type { ByteString, ContentSegment, TreeEntry } from '../../core/tree-entry.ts';

export interface BaseEntry {
  entry: TreeEntry;
  encoded: Uint8Array;
}

/** The entries of the backup that an incremental one builds on, for the paths of the batch at hand. */
export class BaseEntries {
  readonly #context: TaskContext;
  readonly #pages = new Map<string, Map<ByteString, BaseEntry>>();
  #current: readonly Map<ByteString, BaseEntry>[] = [];

  constructor(context: TaskContext) {
    this.#context = context;
  }

  async load(pages: readonly ContentSegment[]): Promise<void> {
    const current: Map<ByteString, BaseEntry>[] = [];
    for (const page of pages) current.push(await this.#page(page));
    this.#current = current;
  }

  find(path: ByteString): BaseEntry | undefined {
    for (const page of this.#current) {
      const found = page.get(path);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  async #page(page: ContentSegment): Promise<Map<ByteString, BaseEntry>> {
    const name = Buffer.from(page.id ?? []).toString('latin1');
    const known = this.#pages.get(name);
    if (known !== undefined) return known;
    const { entries, encoded } = await this.#context.readPage(page);
    const map = new Map<ByteString, BaseEntry>();
    for (const [index, entry] of entries.entries())
      map.set(entry.path, { entry, encoded: encoded[index] as Uint8Array });
    if (this.#pages.size >= PAGES_KEPT) this.#pages.clear();
    this.#pages.set(name, map);
    return map;
  }
}

const PAGES_KEPT = 64;
