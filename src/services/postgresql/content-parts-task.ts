import { HoldfastError } from '../../core/errors.ts';
import type { TaskContext, TaskHandler } from '../../core/ports/repository.ts';

/** Chunks of which parts are wanted, and how many bytes all these parts have. */
export interface PartsTask {
  chunks: readonly ChunkParts[];
  bytes: number;
}

export interface ChunkParts {
  id: Uint8Array;
  /** Of the whole chunk, as the content records it. */
  length: number;
  /** Where its first part belongs among the bytes of all; the others follow. */
  at: number;
  /** Where each part begins in the chunk, and where it ends. */
  bounds: Uint32Array;
}

/** Runs in the worker threads: whole chunks are verified there, and their wanted parts alone leave the thread. */
export function createTaskHandler(context: TaskContext): TaskHandler<PartsTask, Uint8Array<ArrayBuffer>> {
  return {
    async handle({ chunks, bytes }) {
      const found = new Uint8Array(bytes);
      const take = (tag: number, chunk: Uint8Array): void => {
        const { length, at, bounds } = chunks[tag] as ChunkParts;
        if (chunk.length !== length) throw lengthDiffers();
        let to = at;
        for (let part = 0; part < bounds.length; part += 2) {
          const piece = chunk.subarray(bounds[part], bounds[part + 1]);
          found.set(piece, to);
          to += piece.length;
        }
      };
      const lose = (_tag: number, reason: HoldfastError): never => {
        throw reason;
      };
      const wanted = chunks.map(({ id }, tag) => ({ id, tag }));
      await context.readDespiteDamage(wanted, take, lose);
      return found;
    },
    transferables: ({ buffer }) => [buffer],
  };
}

function lengthDiffers(): HoldfastError {
  const message = 'A list of chunks records another length than one of its chunks has. Verify the repository.';
  return new HoldfastError('damaged', 'metadata-damaged', message);
}
