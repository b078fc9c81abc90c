import assert from 'node:assert/strict';
import { test } from 'node:test';
import { relationFileAt } from './relation-file.ts';
import { segmentBytesFor } from './segment-size.ts';

test('files of relations are known by their names, and which part of it they are', () => {
  for (const [path, part] of [
    ['base/5/16384', 0],
    ['base/5/16384.12', 12],
    ['base/5/16384_fsm', 0],
    ['base/5/16384_vm.1', 1],
    ['base/5/t3_16384', 0],
    ['global/1262', 0],
    ['pg_tblspc/16400/PG_15_202209061/5/16384.1', 1],
  ] as const)
    assert.equal(relationFileAt(path)?.part, part, path);
  for (const path of [
    'global/pg_control',
    'base/5/PG_VERSION',
    'base/5/pg_filenode.map',
    'pg_wal/000000010000000000000001',
    'pg_xact/0000',
    'x/base/5/1',
    'base/5/1x',
  ])
    assert.equal(relationFileAt(path), undefined, path);
});

test('segments grow with the cluster, and stay while it is near a step', () => {
  const gib = 1024 ** 3;
  assert.equal(segmentBytesFor(0), 32_768);
  assert.equal(segmentBytesFor(65 * gib), 131_072);
  assert.equal(segmentBytesFor(65 * gib, 32_768), 32_768);
  assert.equal(segmentBytesFor(129 * gib, 32_768), 131_072);
  assert.equal(segmentBytesFor(60 * gib, 131_072), 131_072);
  assert.equal(segmentBytesFor(15 * gib, 131_072), 32_768);
  assert.equal(segmentBytesFor(5000 * gib, 131_072), 262_144);
  assert.equal(segmentBytesFor(5000 * gib, 7), 262_144);
});
