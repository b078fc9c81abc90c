import { parentPort, workerData } from 'node:worker_threads';
import { type ErrorKind, HoldfastError } from '../../core/errors.ts';
import {
  type PreparedDocument,
  type PrepareTask,
  prepareDocument,
  rebuildDocument,
  type StoredLink,
} from './document-work.ts';

/** What a worker thread is started for: one task, its `workerData`. */
export type DocumentTask = { kind: 'prepare'; task: PrepareTask } | { kind: 'rebuild'; chain: readonly StoredLink[] };

/** The one message that it answers with; a `HoldfastError` does not survive the way between threads by itself. */
export type DocumentAnswer =
  | { prepared: PreparedDocument }
  | { rebuilt: Uint8Array }
  | { fault: { kind: ErrorKind; code: string; message: string; details: Readonly<Record<string, unknown>> } };

function answer(task: DocumentTask): DocumentAnswer {
  try {
    if (task.kind === 'prepare') return { prepared: prepareDocument(task.task) };
    return { rebuilt: rebuildDocument(task.chain) };
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    const { kind, code, message, details } = error;
    return { fault: { kind, code, message, details } };
  }
}

function buffersOf(result: DocumentAnswer): ArrayBuffer[] {
  if ('rebuilt' in result) return [result.rebuilt.buffer as ArrayBuffer];
  if ('prepared' in result) {
    const { canonical, delta } = result.prepared;
    return delta === undefined ? [canonical.buffer] : [canonical.buffer, delta.buffer];
  }
  return [];
}

const result = answer(workerData as DocumentTask);
parentPort?.postMessage(result, buffersOf(result));
