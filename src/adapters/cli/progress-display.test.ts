import assert from 'node:assert/strict';
import test from 'node:test';
import { bar, describe } from './progress-display.ts';

const MIB = 1024 * 1024;

test('progress tells amount, rate and the time left where totals are known', () => {
  const text = describe({ percent: 25, doneBytes: 50 * MIB, totalBytes: 200 * MIB, doneFiles: 1204 }, 1000);
  assert.equal(text, '50.0 MiB of 200.0 MiB, 1,204 files, 50.0 MiB/s, 3.0 s left');
});

test('without totals it tells amount and rate, without amounts the phase', () => {
  assert.equal(describe({ percent: 0, doneBytes: MIB }, 500), '1.0 MiB, 2.0 MiB/s');
  assert.equal(describe({ percent: 0, phase: 'listing packs' }, 500), 'listing packs');
});

test('a bar shows the share that is done, and nothing where nobody knows how much there is', () => {
  assert.equal(bar({ percent: 25, doneBytes: 50 * MIB, totalBytes: 200 * MIB }), '[####------------] 25 %');
  assert.equal(bar({ percent: 0, totalBytes: 200 * MIB }), '[----------------] 0 %');
  assert.equal(bar({ percent: 100 }), '[################] 100 %');
  assert.equal(bar({ percent: 0, doneBytes: 50 * MIB, doneFiles: 7 }), undefined);
});
