import type { PlannedRange, TaskContext, TaskHandler } from '../src/core/ports/repository.ts';

/** Reads a range that was planned some time ago; its result is the number of bytes. */
export function createTaskHandler(context: TaskContext): TaskHandler<PlannedRange, number> {
  return {
    async handle(range) {
      let bytes = 0;
      await context.source.read(range, (_tag, chunk) => {
        bytes += chunk.length;
      });
      return bytes;
    },
  };
}
