import assert from 'node:assert/strict';
import { createSecretKey, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { keyOf } from '../../test/temporary-repository.ts';
import type { Storage } from '../core/ports/storage.ts';
import { openStorage } from '../storage/local/local-storage.ts';
import { addSlot, listSlots, openWithAny, slotName } from './key-slots.ts';

const ID = '00112233445566778899aabbccddeeff';

describe('key slots', () => {
  const masterKey = createSecretKey(randomBytes(32));
  const provider = keyOf(randomBytes(32));
  let folder: string;
  let storage: Storage;
  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'holdfast-slots-'));
    storage = await openStorage({ folder });
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  test('open with the key that they were made with and no other', async () => {
    await addSlot(storage, ID, masterKey, 0, provider, 'one', new Date());
    const { slots } = await listSlots(storage);
    const opened = await openWithAny(slots, ID, [keyOf(randomBytes(32)), provider]);
    assert.ok(opened?.masterKey.equals(masterKey));
    assert.equal(await openWithAny(slots, ID, [keyOf(randomBytes(32))]), undefined);
    assert.equal(await openWithAny(slots, ID, []), undefined);
  });

  test('do not open when any field was altered, or in another repository', async () => {
    const slot = await addSlot(storage, ID, masterKey, 0, provider, 'one', new Date());
    const wrapped = Buffer.from(slot.wrapped, 'base64');
    for (let at = 0; at < wrapped.length; at++) {
      const flipped = Buffer.from(wrapped);
      flipped[at] = flipped[at]! ^ 1;
      assert.equal(await openWithAny([{ ...slot, wrapped: flipped.toString('base64') }], ID, [provider]), undefined);
    }
    const altered = [
      { id: `${slot.id}0` },
      { label: 'two' },
      { createdAt: '2020-01-01T00:00:00.000Z' },
      { generation: 1 },
      { parameters: { memoryKiB: 8 } },
      { wrapped: wrapped.subarray(1).toString('base64') },
    ];
    for (const change of altered) assert.equal(await openWithAny([{ ...slot, ...change }], ID, [provider]), undefined);
    assert.equal(await openWithAny([slot], ID.replace('0', '1'), [provider]), undefined);
  });

  test('bind their parameters in one order, whatever the order in the file', async () => {
    const key = randomBytes(32);
    const withParameters = {
      ...keyOf(key),
      createWrappingKey: async () => ({ parameters: { b: 1, a: 'two' }, wrappingKey: key }),
    };
    const slot = await addSlot(storage, ID, masterKey, 0, withParameters, 'one', new Date());
    assert.ok((await openWithAny([{ ...slot, parameters: { a: 'two', b: 1 } }], ID, [withParameters])) !== undefined);
  });

  test('of the newest generation are tried first', async () => {
    const newer = createSecretKey(randomBytes(32));
    await addSlot(storage, ID, newer, 1, provider, 'new', new Date());
    await addSlot(storage, ID, masterKey, 0, provider, 'old', new Date());
    const opened = await openWithAny((await listSlots(storage)).slots, ID, [provider]);
    assert.ok(opened?.masterKey.equals(newer));
  });

  test('that are damaged or newer do not keep the others from opening, and are told apart', async () => {
    const good = await addSlot(storage, ID, masterKey, 0, provider, 'one', new Date());
    await storage.putNew(slotName('broken'), Buffer.from('{"version":1,'));
    await storage.putNew(slotName('empty'), Buffer.from('{}'));
    await storage.putNew(slotName('newer'), Buffer.from('{"version":2,"shares":["…"]}'));
    const { slots, damaged } = await listSlots(storage);
    assert.deepEqual(
      slots.map(({ id }) => id),
      [good.id],
    );
    assert.deepEqual(
      damaged.map(({ key, error }) => [key, (error as { kind: string }).kind]),
      [
        ['keys/broken', 'damaged'],
        ['keys/empty', 'damaged'],
        ['keys/newer', 'unsupported'],
      ],
    );
  });

  test('whose parameters are nested so deeply that nobody could bind them do not keep the others from opening', async () => {
    const good = await addSlot(storage, ID, masterKey, 0, provider, 'one', new Date());
    const deep = `{"a":${'['.repeat(200_000)}${']'.repeat(200_000)}}`;
    const hostile = JSON.stringify({ ...good, id: 'hostile', generation: 9 }).replace(
      '"parameters":{}',
      `"parameters":${deep}`,
    );
    await storage.putNew(slotName('hostile'), Buffer.from(hostile));
    const { slots, damaged } = await listSlots(storage);
    assert.deepEqual(
      damaged.map(({ key }) => key),
      ['keys/hostile'],
    );
    assert.ok((await openWithAny(slots, ID, [provider])) !== undefined);
  });

  test('hold no secret in the clear', async () => {
    const slot = await addSlot(storage, ID, masterKey, 0, provider, 'one', new Date());
    const bytes = await storage.get(slotName(slot.id));
    const secret = masterKey.export();
    for (const encoding of ['hex', 'base64', 'latin1'] as const) assert.ok(!bytes.includes(secret.toString(encoding)));
  });
});
