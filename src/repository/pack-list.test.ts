import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { PackList } from './pack-list.ts';

const pack = (number: number) => ({
  idHex: createHash('sha256').update(String(number)).digest('hex'),
  size: number * 2 ** 20 + 7,
  header: Uint8Array.from({ length: 64 }, (_, at) => (number + at) % 256),
});

test('packs keep their numbers, sizes and headers, however many follow', () => {
  const list = new PackList();
  list.add(pack(0));
  list.add(pack(1));
  const early = [list.at(0), list.at(1)];
  for (let number = 2; number < 5000; number++) assert.equal(list.add(pack(number)), number);
  assert.deepEqual(early, [pack(0), pack(1)]);
  for (const number of [0, 1, 1023, 1024, 4999]) {
    assert.deepEqual(list.at(number), pack(number));
    assert.equal(list.numberOf(pack(number).idHex), number);
  }
  assert.equal(list.count, 5000);
  assert.equal(list.numberOf(pack(5000).idHex), undefined);
  assert.throws(() => list.at(5000), RangeError);
});
