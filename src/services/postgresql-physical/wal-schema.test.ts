import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createPostgresqlLog } from './postgresql-log.ts';
import { slotName, walSchema } from './wal-schema.ts';

test('a slot is called after its resource, and no two resources share one', () => {
  assert.equal(slotName({}, 'shop'), 'holdfast_shop');
  assert.equal(slotName({ slot: 'mine' }, 'shop'), 'mine');
  const ids = ['shop.eu', 'shop-eu', 'shop_eu', 'Shop_eu', 'x'.repeat(200), `${'x'.repeat(199)}y`, ':@'];
  const names = ids.map((id) => slotName({}, id));
  assert.equal(new Set(names).size, ids.length);
  for (const name of names) assert.match(name, /^[a-z0-9_]{1,63}$/);
});

test('no slot is made for a resource that does not ask for its log', () => {
  const { isKept } = createPostgresqlLog(async () => '');
  assert.equal(isKept({}), false);
  assert.equal(isKept({ wal: {} }), true);
  assert.equal(isKept({ wal: { mode: 'push' } }), false);
});

test('what is not set has its default, and a name that no slot may have is refused', () => {
  const { mode, flushSeconds, createSlot, maxLagBytes } = walSchema.parse({});
  assert.deepEqual(
    { mode, flushSeconds, createSlot, maxLagBytes },
    { mode: 'stream', flushSeconds: 10, createSlot: true, maxLagBytes: 2 ** 30 },
  );
  for (const slot of ['', 'Slot', 'a-b', "a'; DROP", 'x'.repeat(64)]) assert.ok(!walSchema.safeParse({ slot }).success);
});
