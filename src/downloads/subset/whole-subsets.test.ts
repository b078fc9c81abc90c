import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { assertWhole, chosenKeys, database, has, POLICY, selected } from '../../../test/subset-rig.ts';

test('each reference of a chosen row leads to a chosen row, whatever the references and their cycles', () => {
  fc.assert(
    fc.property(database, fc.double({ min: 0, max: 1, noNaN: true }), ({ data, follow }, sample) => {
      const policy = { ...POLICY, roots: [{ table: 't0', sample }], follow };
      const selection = selected(policy, data);
      for (const table of data.schema.tables)
        for (const [at, row] of (data.rows[table.name] ?? []).entries())
          if (has(selection, table.name, at)) assertWhole(selection, data, table, row);
    }),
    { numRuns: 150 },
  );
});

test('a smaller share lies within a larger one', () => {
  fc.assert(
    fc.property(database, fc.double({ min: 0, max: 0.5, noNaN: true }), ({ data, follow }, sample) => {
      const of = (share: number) => selected({ ...POLICY, roots: [{ table: 't0', sample: share }], follow }, data);
      const [small, large] = [of(sample), of(sample * 2)];
      for (const { name } of data.schema.tables)
        for (const at of (data.rows[name] ?? []).keys())
          assert.ok(!has(small, name, at) || has(large, name, at), `${name} ${at}`);
    }),
    { numRuns: 60 },
  );
});

test('the same rows are chosen in whatever order they come', () => {
  fc.assert(
    fc.property(database, fc.infiniteStream(fc.double({ noNaN: true })), ({ data, follow }, random) => {
      const policy = { ...POLICY, roots: [{ table: 't0', sample: 0.5, limit: 5 }], follow };
      const rows = Object.fromEntries(
        Object.entries(data.rows).map(([name, all]) => {
          const places = new Map(all.map((row) => [row, random.next().value as number]));
          return [name, [...all].sort((one, other) => places.get(one)! - places.get(other)!)];
        }),
      );
      assert.deepEqual(chosenKeys(policy, { ...data, rows }), chosenKeys(policy, data));
    }),
    { numRuns: 40 },
  );
});
