import type { EncodedEntries, TaskContext, TaskHandler } from '../src/core/ports/repository.ts';
import type { TreeEntry } from '../src/core/tree-entry.ts';

/** Encodes entries as they are given, however hostile, so that a test can make any tree. */
export function createTaskHandler(context: TaskContext): TaskHandler<readonly TreeEntry[], EncodedEntries> {
  return {
    handle(entries) {
      const parts = entries.map((entry) => context.encodeEntry(entry));
      let end = 0;
      const ends = parts.map(({ length }) => {
        end += length;
        return end;
      });
      return { bytes: Buffer.concat(parts), ends: Uint32Array.from(ends), paths: entries.map(({ path }) => path) };
    },
  };
}
