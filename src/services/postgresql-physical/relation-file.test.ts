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
  assert.equal(segmentBytesFor(0), 8192);
  assert.equal(segmentBytesFor(9 * gib), 16_384);
  assert.equal(segmentBytesFor(9 * gib, 8192), 8192);
  assert.equal(segmentBytesFor(17 * gib, 8192), 16_384);
  assert.equal(segmentBytesFor(7 * gib, 16_384), 16_384);
  assert.equal(segmentBytesFor(2 * gib, 16_384), 8192);
  assert.equal(segmentBytesFor(5000 * gib, 65_536), 262_144);
  assert.equal(segmentBytesFor(5000 * gib, 7), 262_144);
});
