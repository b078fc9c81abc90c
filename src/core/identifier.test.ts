import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createIdentifierSource, requireUsableId } from './identifier.ts';

test('ids made in one millisecond, and while the clock goes backwards, sort in the order they were made', () => {
  const times = [5000, 5000, 5000, 4000, 6000];
  const next = createIdentifierSource({ now: () => new Date(times.shift() ?? 7000) });
  const ids = [1, 2, 3, 4, 5, 6].map(() => next('operation'));
  assert.deepEqual(ids.toSorted(), ids);
  assert.equal(new Set(ids).size, ids.length);
  assert.match(ids[0] ?? '', /^operation-[0-9A-HJKMNP-TV-Z]{26}$/);
});

test('resource ids that could be mistaken in a path, a pattern or a shell are refused with the rule', () => {
  for (const id of ['', '.', '..', 'a/b', 'a b', 'a*', 'é', 'x'.repeat(201), '../x', 'a\n']) {
    assert.throws(() => requireUsableId(id, 'resource'), { code: 'id-invalid' }, JSON.stringify(id));
  }
  for (const id of ['database-1', 'a', 'shop:orders@eu.west_1', 'x'.repeat(200), '...']) {
    assert.doesNotThrow(() => requireUsableId(id, 'resource'));
  }
});
