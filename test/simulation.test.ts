import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { emptyRepository, runHistory } from './simulation/history.ts';

/** `.ci/run` runs ten thousand. */
const HISTORIES = Number(process.env.HOLDFAST_SIMULATION_HISTORIES ?? 1000);
/** Replays one history. */
const ONLY = process.env.HOLDFAST_SIMULATION_SEED;

describe('random histories on a simulated storage', () => {
  test('leave every backup that was reported complete whole, whatever crashed, whenever', async (context) => {
    const start = await emptyRepository();
    const first = ONLY === undefined ? 1 : Number(ONLY);
    const last = ONLY === undefined ? HISTORIES : first;
    const sums = { backups: 0, restored: 0, steps: 0, crashes: 0, collections: 0 };
    for (let seed = first; seed <= last; seed++) {
      const result = await runHistory(seed, start);
      for (const name of Object.keys(sums) as (keyof typeof sums)[]) sums[name] += result[name];
    }
    context.diagnostic(
      `seeds ${first} to ${last}: ${sums.steps} operations, ${sums.backups} backups, ${sums.restored} restores, ${sums.crashes} crashed actors, ${sums.collections} collections that removed something`,
    );
    if (ONLY === undefined && HISTORIES >= 1000) {
      assert.ok(sums.collections > HISTORIES / 10);
      assert.ok(sums.crashes > HISTORIES / 4);
    }
  });
});
