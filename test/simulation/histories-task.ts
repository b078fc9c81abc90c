import { parentPort, workerData } from 'node:worker_threads';
import { emptyRepository, type HistoryResult, runHistory } from './history.ts';

/** Seeds, each of a history; the last included. */
export interface Seeds {
  first: number;
  last: number;
}

/** Runs histories in a thread of their own and posts what each one did; the first broken promise ends it. */
const { first, last } = workerData as Seeds;
const start = await emptyRepository();
for (let seed = first; seed <= last; seed++) {
  const result: HistoryResult = await runHistory(seed, start);
  parentPort?.postMessage(result);
}
