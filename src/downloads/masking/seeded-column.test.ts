import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rule } from '../../../test/masking-rig.ts';
import { CanaryWatch } from '../canary/canary-watch.ts';
import { WatchingProbe } from '../canary/watching-probe.ts';
import type { TablePlan } from '../variant-plan.ts';
import { SeededColumn, WatchedSeededColumn } from './seeded-column.ts';
import type { SeededOutput } from './seeded-output.ts';

const PLAN: TablePlan = {
  table: 't',
  fate: 'rows',
  columns: [{ column: 'name', family: 'text', type: 'text', isNullable: true, rule: rule('hash') }],
};

/** Gives the values that end with 7 as they are: what a fault would do. */
const LEAKING: SeededOutput = {
  isPlain: true,
  room: (length) => length,
  write: ({ bytes, start, end }, out, at) => {
    if (bytes[end - 1] !== 0x37) return at;
    out.set(bytes.subarray(start, end), at);
    return at + end - start;
  },
};

for (const name of ['Anna Schmidt', 'Мария Иванова', '山田太郎先生様方御中'])
  test(`an original like ${name} that a whole column gives all the same is found by the canary`, () => {
    const canary = new CanaryWatch(undefined);
    const probe = new WatchingProbe(canary.memory, 'none', { plan: PLAN, columns: ['name'] });
    probe.watches = true;
    const column = new WatchedSeededColumn(new SeededColumn(0, LEAKING, Buffer.alloc(32), []), probe, true);
    const values = Array.from({ length: 20 }, (_, at) => Buffer.from(`${name} ${at}`));
    const ends = Int32Array.from(values, (_, at) => Buffer.concat(values.slice(0, at + 1)).length);
    const starts = ends.map((end, at) => end - (values[at]?.length ?? 0));
    column.mask({ bytes: Buffer.concat(values), starts, ends, count: values.length });
    canary.told('t', probe.take());
    assert.throws(() => canary.require(), { code: 'variant-leaks', message: /t\.name holds originals/ });
  });
