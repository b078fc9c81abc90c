import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { DECODERS } from './fuzz/decoders.ts';
import { type Finding, type FuzzOutcome, fuzz, LIMITS } from './fuzz/fuzz-process.ts';

/** Inputs for each decoder; `.ci/run` has more. */
const RUNS = Number(process.env.HOLDFAST_FUZZ_RUNS ?? 400);
/** Replays a run. */
const SEED = Number(process.env.HOLDFAST_FUZZ_SEED ?? 20_261_121);

describe('whatever bytes are stored', () => {
  const module = new URL('./fuzz/decoders.ts', import.meta.url);

  for (const { name } of DECODERS) {
    test(`${name} is read or refused as damaged, in time and in little memory`, async (context) => {
      const outcome = await fuzz(module, { decoder: name, seed: SEED, runs: RUNS });
      if (outcome.finding !== undefined) assert.fail(reportOf(name, outcome.finding));
      const { taken, refused } = outcome;
      context.diagnostic(`seed ${SEED}: ${taken} inputs were read, ${refused} refused`);
    });
  }
});

describe('the search for faults of decoders', () => {
  const find = (decoder: string, seed = 1): Promise<FuzzOutcome> => {
    // Whoever comes to an end has the time that a busy machine needs for that.
    const patience = ['hangs', 'never answers'].includes(decoder) ? { hangMilliseconds: 5000 } : {};
    const limits = { ...LIMITS, milliseconds: 150, heap: 64, ...patience };
    return fuzz(new URL('./fuzz/bad-decoders.ts', import.meta.url), { decoder, seed, runs: 100 }, limits);
  };

  const bad: [decoder: string, problem: RegExp][] = [
    ['hangs', /^it did not end within 5000 ms$/],
    ['never answers', /^it did not end within 5000 ms$/],
    ['is slow', /^it took \d+ ms of processor time$/],
    ['throws a TypeError', /^it threw TypeError: of nothing/],
    ['refuses with another kind', /^it refused with the kind internal: wrong-kind$/],
    ['refuses its examples', /^it refused what Holdfast writes: picky/],
    ['fills the heap', /^it ended its process \(.*\): FATAL ERROR.* heap|^it took \d+ MiB of memory$/],
    ['takes buffers', /^it took \d+ MiB of memory$/],
    ['explodes a bomb', /^it took \d+ MiB of memory$/],
  ];
  for (const [decoder, problem] of bad) {
    test(`finds one that ${decoder}, and gives the input`, async () => {
      const outcome = await find(decoder);
      assert.ok(outcome.finding !== undefined, 'nothing was found');
      assert.match(outcome.finding.problem, problem);
      assert.equal(Buffer.from(outcome.finding.input).toString() === 'an example', decoder === 'refuses its examples');
    });
  }

  test('finds nothing in a good one', async () => {
    assert.deepEqual(await find('good'), { taken: 100, refused: 0 });
  });

  test('comes to the same input again by the same seed', async () => {
    const once = await find('throws a TypeError', 7);
    const again = await find('throws a TypeError', 7);
    const other = await find('throws a TypeError', 8);
    assert.deepEqual(again, once);
    assert.notDeepEqual(other, once);
  });
});

function reportOf(decoder: string, { number, problem, input }: Finding): string {
  const hex = Buffer.from(input.subarray(0, 2048)).toString('hex');
  const cut = input.length > 2048 ? `… (${input.length} bytes)` : '';
  return `${decoder}, input ${number}: ${problem}\nInput: ${hex}${cut}\nReplay it with HOLDFAST_FUZZ_SEED=${SEED} HOLDFAST_FUZZ_RUNS=${RUNS}.`;
}
