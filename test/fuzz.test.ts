import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { DECODERS } from './fuzz/decoders.ts';
import { type Finding, FuzzThread, LIMITS } from './fuzz/fuzz-thread.ts';

/** Inputs for each decoder; `.ci/run` has more. */
const RUNS = Number(process.env.HOLDFAST_FUZZ_RUNS ?? 400);
/** Replays a run. */
const SEED = Number(process.env.HOLDFAST_FUZZ_SEED ?? 20_261_121);

describe('whatever bytes are stored', () => {
  const thread = new FuzzThread(new URL('./fuzz/decoders.ts', import.meta.url));
  after(() => thread.close());

  for (const { name } of DECODERS) {
    test(`${name} is read or refused as damaged, in time and in little memory`, async (context) => {
      const outcome = await thread.run({ decoder: name, seed: SEED, runs: RUNS });
      if (outcome.finding !== undefined) assert.fail(reportOf(name, outcome.finding));
      const { taken, refused } = outcome;
      context.diagnostic(`seed ${SEED}: ${taken} inputs were read, ${refused} refused`);
    });
  }
});

describe('the search for faults of decoders', () => {
  const limits = { ...LIMITS, milliseconds: 500, hangMilliseconds: 5000, heap: 64 };
  const thread = new FuzzThread(new URL('./fuzz/bad-decoders.ts', import.meta.url), limits);
  after(() => thread.close());

  const bad: [decoder: string, problem: RegExp][] = [
    ['hangs', /^it did not end within 5000 ms$/],
    ['never answers', /^it did not end within 5000 ms$/],
    ['is slow', /^it took \d+ ms of processor time$/],
    ['throws a TypeError', /^it threw TypeError: of nothing/],
    ['refuses with another kind', /^it refused with the kind internal: wrong-kind$/],
    ['refuses its examples', /^it refused what Holdfast writes: picky/],
    ['fills the heap', /^it ended its thread: .*memory limit|^it took \d+ MiB of memory$/],
    ['takes buffers', /^it took \d+ MiB of memory$/],
    ['explodes a bomb', /^it took \d+ MiB of memory$/],
  ];
  for (const [decoder, problem] of bad) {
    test(`finds one that ${decoder}, and gives the input`, async () => {
      const outcome = await thread.run({ decoder, seed: 1, runs: 100 });
      assert.ok(outcome.finding !== undefined, 'nothing was found');
      assert.match(outcome.finding.problem, problem);
      assert.equal(Buffer.from(outcome.finding.input).toString() === 'an example', decoder === 'refuses its examples');
    });
  }

  test('goes on after a decoder that had to be stopped, and finds nothing in a good one', async () => {
    await thread.run({ decoder: 'hangs', seed: 2, runs: 100 });
    const outcome = await thread.run({ decoder: 'good', seed: 1, runs: 100 });
    assert.deepEqual(outcome, { taken: 100, refused: 0 });
  });

  test('comes to the same input again by the same seed', async () => {
    const once = await thread.run({ decoder: 'throws a TypeError', seed: 7, runs: 100 });
    const again = await thread.run({ decoder: 'throws a TypeError', seed: 7, runs: 100 });
    const other = await thread.run({ decoder: 'throws a TypeError', seed: 8, runs: 100 });
    assert.deepEqual(again, once);
    assert.notDeepEqual(other, once);
  });
});

function reportOf(decoder: string, { number, problem, input }: Finding): string {
  const hex = Buffer.from(input.subarray(0, 2048)).toString('hex');
  const cut = input.length > 2048 ? `… (${input.length} bytes)` : '';
  return `${decoder}, input ${number}: ${problem}\nInput: ${hex}${cut}\nReplay it with HOLDFAST_FUZZ_SEED=${SEED} HOLDFAST_FUZZ_RUNS=${RUNS}.`;
}
