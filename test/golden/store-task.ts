import type { TaskContext, TaskHandler } from '../../src/core/ports/repository.ts';
import type { ContentSegment } from '../../src/core/tree-entry.ts';

/** Stores bytes as a service's worker threads would. */
export function createTaskHandler(context: TaskContext): TaskHandler<Uint8Array, ContentSegment[]> {
  return { handle: (bytes) => context.sink.store(bytes) };
}
