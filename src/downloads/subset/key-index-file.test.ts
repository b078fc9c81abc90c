import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { database, indexed, POLICY, planned, shop } from '../../../test/subset-rig.ts';
import type { RowPlaces } from '../content/row-places.ts';
import { chooseRows } from './closure.ts';
import { factsFingerprint, keysFingerprint } from './index-fingerprints.ts';
import { INDEX_VERSION, keyIndexBytes, readKeyIndex, readRowFacts, rowFactsBytes } from './key-index-file.ts';
import { selectionOf } from './selection.ts';
import type { SubsetPolicy } from './subset-policy.ts';

test('an index that is stored and read again chooses the same', async () => {
  await fc.assert(
    fc.asyncProperty(database, fc.integer({ min: 1, max: 200 }), async ({ data, follow }, size) => {
      const where = { kind: 'in', column: 'id', values: ['1', '2'] } as const;
      const roots = [
        { table: 't0', sample: 0.5, newest: { count: 10, by: 'id' } },
        { table: 't0', where },
      ];
      const plan = planned({ ...POLICY, roots, follow }, data.schema);
      const index = { ...indexed(plan, data), places: PLACES };
      const [keys, facts] = [await whole(keyIndexBytes(index)), await whole(rowFactsBytes(index))];
      const again = {
        ...(await readKeyIndex(inPieces(keys, size))),
        ...(await readRowFacts(inPieces(facts, size))),
      };
      assert.deepEqual(again.places, PLACES);
      assert.deepEqual(
        selectionOf(plan, again, chooseRows(plan, again)),
        selectionOf(plan, index, chooseRows(plan, index)),
      );
      for (const [bytes, read] of [
        [keys, readKeyIndex],
        [facts, readRowFacts],
      ] as const)
        for (const damaged of [bytes.subarray(0, -1), Buffer.concat([bytes, Buffer.from('x')]), Buffer.alloc(3)])
          await assert.rejects(read(inPieces(damaged, size)), { code: 'key-index-damaged' });
    }),
    { numRuns: 30 },
  );
});

test('an index of another version, or of another part, is not read', async () => {
  const plan = planned({ ...POLICY, roots: [{ table: 'users', sample: 0.1 }] }, shop().schema);
  const index = indexed(plan, shop());
  const [keys, facts] = [await whole(keyIndexBytes(index)), await whole(rowFactsBytes(index))];
  const older = Buffer.from(keys.toString('latin1').replace(`"version":${INDEX_VERSION}`, '"version":1'), 'latin1');
  assert.notDeepEqual(older, keys);
  await assert.rejects(readKeyIndex(inPieces(older, 50)), { code: 'key-index-damaged' });
  await assert.rejects(readKeyIndex(inPieces(facts, 50)), { code: 'key-index-damaged' });
  await assert.rejects(readRowFacts(inPieces(keys, 50)), { code: 'key-index-damaged' });
});

test('all policies with the same edges share the keys; seeds, shares, limits and budgets need nothing else either', () => {
  const { schema } = shop();
  const of = (policy: Partial<SubsetPolicy>) => {
    const plan = planned({ ...POLICY, roots: [{ table: 'users', sample: 0.1 }], ...policy }, schema);
    return { keys: keysFingerprint(plan), facts: factsFingerprint(plan) };
  };
  const usual = of({});
  assert.deepEqual(of({ roots: [{ table: 'users', sample: 0.2, limit: 5 }], budget: { maxRows: 1 } }), usual);
  assert.deepEqual(of({ nullOut: [{ table: 'users', columns: ['manager_id'] }] }), usual);
  assert.deepEqual(of({ seed: 'other' }), usual);
  for (const policy of [
    { roots: [{ table: 'users', sample: 0.1, where: { kind: 'null', column: 'id' } }] },
    { roots: [{ table: 'orders', sample: 0.1 }] },
    { roots: [{ table: 'users', sample: 0.1, by: ['manager_id'] }] },
  ] as const) {
    assert.equal(of(policy).keys, usual.keys);
    assert.notEqual(of(policy).facts, usual.facts);
  }
  const key = { table: 'alone', columns: ['id'], target: 'users', targetColumns: ['id'] };
  assert.notEqual(of({ virtualKeys: [key] }).keys, usual.keys);
});

const PLACES: RowPlaces = {
  bytes: 5_000_000_000,
  tables: [
    { table: 'public.none', rows: 0, from: 100, to: 100, groups: new Uint32Array(0) },
    { table: 'public.t"', rows: 33, from: 2 ** 33, to: 2 ** 34, groups: Uint32Array.of(5, 2 ** 32 - 1, 7) },
    { table: 'public.long', rows: 2, from: 2 ** 34, to: 2 ** 35, groups: undefined },
  ],
};

async function whole(parts: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const part of parts) all.push(part);
  return Buffer.concat(all);
}

async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
