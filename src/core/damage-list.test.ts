import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DamageList } from './damage-list.ts';
import { MOST_DAMAGES } from './ports/service.ts';

test('neighbouring bytes of one file are one damage, others are counted by themselves', () => {
  const damages = new DamageList();
  const reason = 'lost';
  damages.add({ path: 'a', offset: 0, length: 10, reason });
  damages.add({ path: 'a', offset: 10, length: 5, reason });
  damages.add({ path: 'a', offset: 20, length: 5, reason });
  damages.add({ path: 'b', offset: 25, length: 5, reason });
  assert.deepEqual(damages.result().damages, [
    { path: 'a', offset: 0, length: 15, reason },
    { path: 'a', offset: 20, length: 5, reason },
    { path: 'b', offset: 25, length: 5, reason },
  ]);
  assert.deepEqual([damages.report().damageCount, damages.report().damagedBytes], [3, 25]);
});

test('all damages are counted and the first of them listed; without any, nothing is said', () => {
  const damages = new DamageList();
  assert.deepEqual([damages.report(), damages.result()], [{}, {}]);
  for (let file = 0; file < MOST_DAMAGES + 7; file++)
    damages.add({ path: String(file), offset: 0, length: 2, reason: 'lost' });
  assert.equal(damages.result().damages?.length, MOST_DAMAGES);
  assert.equal(damages.report().damageCount, MOST_DAMAGES + 7);
  assert.equal(damages.report().damagedBytes, 2 * (MOST_DAMAGES + 7));
});
