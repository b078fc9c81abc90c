import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rule } from '../../../test/masking-rig.ts';
import { CanaryWatch } from '../canary/canary-watch.ts';
import { WatchingProbe } from '../canary/watching-probe.ts';
import type { TablePlan } from '../variant-plan.ts';
import { type ByteValues, viewed } from './byte-values.ts';
import { SeededColumn, WatchedSeededColumn } from './seeded-column.ts';
import { hasQuotes, isPlain, type SeededOutput } from './seeded-output.ts';
import { TRANSFORMERS } from './transformers.ts';

const PLAN: TablePlan = {
  table: 't',
  fate: 'rows',
  columns: [{ column: 'name', family: 'text', type: 'text', isNullable: true, rule: rule('hash') }],
};

/** Gives the values that end with 7 as they are: what a fault would do. */
const LEAKING: SeededOutput = {
  isPlain: true,
  hasQuotes: false,
  room: (length) => length,
  write: ({ bytes, start, end }, out, at) => {
    if (bytes[end - 1] !== 0x37) return at;
    out.bytes.set(bytes.subarray(start, end), at);
    return at + end - start;
  },
};

for (const name of ['Anna Schmidt', 'Мария Иванова', '山田太郎先生様方御中'])
  test(`an original like ${name} that a whole column gives all the same is found by the canary`, () => {
    const canary = new CanaryWatch(undefined);
    const probe = new WatchingProbe(canary.memory, 'none', { plan: PLAN, columns: ['name'] });
    probe.watches = true;
    const column = new WatchedSeededColumn(new SeededColumn(0, LEAKING, Buffer.alloc(32), []), probe, true);
    column.mask(valuesOf(Array.from({ length: 20 }, (_, at) => `${name} ${at}`)));
    canary.told('t', probe.take());
    assert.throws(() => canary.require(), { code: 'variant-leaks', message: /t\.name holds originals/ });
  });

test('outputs that say that they are plain hold no backslash and nothing beyond ASCII, and no quotes unless they say so', () => {
  const values = valuesOf(Array.from({ length: 8000 }, (_, at) => `value ${at}`));
  const plain: string[] = [];
  for (const [name, { options, seeded }] of TRANSFORMERS) {
    if (seeded === undefined) continue;
    const output = seeded(options.parse({}), { family: 'text', type: 'text', isNullable: true });
    if (output?.isPlain !== true) continue;
    plain.push(name);
    const { bytes, ends } = new SeededColumn(0, output, Buffer.alloc(32), []).mask(values);
    const written = bytes.toString('latin1', 0, ends[values.count - 1]);
    assert.ok(isPlain(written), name);
    assert.equal(hasQuotes(written), output.hasQuotes, name);
  }
  assert.ok(plain.includes('name') && plain.includes('hash'), `${plain}`);
});

function valuesOf(texts: readonly string[]): ByteValues {
  const values = texts.map((text) => Buffer.from(text));
  let end = 0;
  const ends = Int32Array.from(values, ({ length }) => {
    end += length;
    return end;
  });
  const starts = ends.map((each, at) => each - (values[at]?.length ?? 0));
  return { ...viewed(Buffer.concat(values)), starts, ends, count: values.length };
}
