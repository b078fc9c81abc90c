import type { TaskContext, TaskHandler } from '../../core/ports/repository.ts';
import type { ContentSegment } from '../../core/tree-entry.ts';

export interface SegmentTask {
  /** Whole pages. */
  bytes: Uint8Array;
  /** Bytes of a segment, whole pages as well. */
  segmentBytes: number;
}

/** Stores bytes cut at fixed places, so that a changed page makes one new chunk: pages stay where they are. */
export function createTaskHandler(context: TaskContext): TaskHandler<SegmentTask, ContentSegment[]> {
  return {
    handle({ bytes, segmentBytes }) {
      const segments: ContentSegment[] = [];
      for (let at = 0; at < bytes.length; at += segmentBytes)
        segments.push(...context.sink.store(bytes.subarray(at, at + segmentBytes)));
      return segments;
    },
  };
}
