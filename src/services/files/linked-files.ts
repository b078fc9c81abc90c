import { type ByteString, comparePaths, type TreeEntry } from '../../core/tree-entry.ts';
import type { FurtherName } from './restore-task.ts';

interface LinkedFile {
  /** Any of its names: but for the path they say the same. */
  entry: TreeEntry;
  paths: ByteString[];
}

/** Files with several names, gathered while a tree is restored; one entry is kept of each, and the paths of the others. */
export class LinkedFiles {
  readonly #files = new Map<string, LinkedFile>();

  add(entries: readonly TreeEntry[]): void {
    for (const entry of entries) {
      const group = entry.hardLinkGroup ?? entry.path;
      const known = this.#files.get(group);
      if (known === undefined) this.#files.set(group, { entry, paths: [entry.path] });
      else known.paths.push(entry.path);
    }
  }

  /**
   * Makes each file under the first of its names that the target takes, and tells the names that are to be linked to it. A
   * name that is skipped, because something else lies there, must not lend its content to the others.
   *
   * @param make restores files, one entry of each, and gives the paths that were made
   */
  async restore(make: (entries: readonly TreeEntry[]) => Promise<ReadonlySet<ByteString>>): Promise<FurtherName[]> {
    const names: FurtherName[] = [];
    let waiting = [...this.#files.values()];
    for (const file of waiting) file.paths.sort(comparePaths);
    while (waiting.length > 0) {
      const made = await make(waiting.map(({ entry, paths }) => ({ ...entry, path: paths[0] as ByteString })));
      const next: LinkedFile[] = [];
      for (const { entry, paths } of waiting) {
        const [existing, ...others] = paths as [ByteString, ...ByteString[]];
        if (!made.has(existing)) {
          if (others.length > 0) next.push({ entry, paths: others });
          continue;
        }
        const { type, modifiedAt } = entry;
        for (const path of others) names.push({ existing, path, type, modifiedAt });
      }
      waiting = next;
    }
    return names;
  }

  /** The entry to restore a name by itself with, where it cannot be linked. */
  alone(paths: readonly ByteString[]): TreeEntry[] {
    const wanted = new Set(paths);
    return [...this.#files.values()].flatMap(({ entry, paths: all }) =>
      all.filter((path) => wanted.has(path)).map((path) => ({ ...entry, path })),
    );
  }
}
