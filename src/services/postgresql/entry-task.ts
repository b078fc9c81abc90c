import type { TaskContext, TaskHandler } from '../../core/ports/repository.ts';
import type { TreeEntry } from '../../core/tree-entry.ts';

/** Runs in a worker thread, where entries can be encoded. */
export function createTaskHandler(context: TaskContext): TaskHandler<TreeEntry, Uint8Array> {
  return { handle: (entry) => context.encodeEntry(entry) };
}
