import assert from 'node:assert/strict';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { describe, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import type { Seeds } from './simulation/histories-task.ts';
import type { HistoryResult } from './simulation/history.ts';

/** `.ci/run` runs ten thousand. */
const HISTORIES = Number(process.env.HOLDFAST_SIMULATION_HISTORIES ?? 1000);
/** Replays one history. */
const ONLY = process.env.HOLDFAST_SIMULATION_SEED;

describe('random histories on a simulated storage', () => {
  test('leave every backup that was reported complete whole, whatever crashed, whenever', async (context) => {
    const first = ONLY === undefined ? 1 : Number(ONLY);
    const last = ONLY === undefined ? HISTORIES : first;
    const sums = { histories: 0, backups: 0, restored: 0, steps: 0, crashes: 0, collections: 0 };
    await runOnAllCores({ first, last }, (result) => {
      sums.histories++;
      for (const name of ['backups', 'restored', 'steps', 'crashes', 'collections'] as const)
        sums[name] += result[name];
    });
    context.diagnostic(
      `seeds ${first} to ${last}: ${sums.steps} operations, ${sums.backups} backups, ${sums.restored} restores, ${sums.crashes} crashed actors, ${sums.collections} collections that removed something`,
    );
    assert.equal(sums.histories, last - first + 1);
    if (ONLY === undefined && HISTORIES >= 1000) {
      assert.ok(sums.collections > HISTORIES / 10);
      assert.ok(sums.crashes > HISTORIES / 4);
    }
  });
});

/** The longest of all tests, and among the last to begin: on one core alone, the others would stand idle in the end. */
async function runOnAllCores({ first, last }: Seeds, each: (result: HistoryResult) => void): Promise<void> {
  const share = Math.ceil((last - first + 1) / availableParallelism());
  const workers: Worker[] = [];
  for (let from = first; from <= last; from += share) {
    const workerData: Seeds = { first: from, last: Math.min(from + share - 1, last) };
    workers.push(new Worker(new URL('simulation/histories-task.ts', import.meta.url), { workerData }));
  }
  for (const worker of workers) worker.on('message', each);
  try {
    await Promise.all(workers.map((worker) => once(worker, 'exit')));
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}
