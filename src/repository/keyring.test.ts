import assert from 'node:assert/strict';
import { createSecretKey, randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Storage } from '../core/ports/storage.ts';
import { openStorage } from '../storage/local/local-storage.ts';
import { Keyring, keyringName } from './keyring.ts';
import { encodeMetadata } from './metadata-encoding.ts';
import { KEYRING_SEAL, sealObject, singleKey } from './sealed-object.ts';
import { readKeyring } from './stored-keyring.ts';

const ID = '00112233445566778899aabbccddeeff';
const CONFIG = Buffer.from('{"a":"config"}');
const MASTER = createSecretKey(Buffer.alloc(32, 5));

describe('the keyring', () => {
  let folder: string;
  let storage: Storage;
  let generation = 0;
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'holdfast-keyring-'));
    storage = await openStorage({ folder });
  });
  after(() => rm(folder, { recursive: true, force: true }));

  async function stored(bytes: Uint8Array): Promise<number> {
    await storage.putNew(keyringName(++generation), bytes);
    return generation;
  }
  function sealed(content: unknown): Buffer {
    return sealObject(singleKey(ID, MASTER), encodeMetadata(content), {
      ...KEYRING_SEAL,
      name: keyringName(generation + 1),
    });
  }

  test('gives back every secret, and a new epoch keeps the earlier ones', async () => {
    const first = Keyring.create(ID, new Date());
    const second = first.withNewEpoch(new Date());
    const number = await stored(second.seal(MASTER, generation + 1, CONFIG));
    const read = await readKeyring(storage, ID, MASTER, number, CONFIG);
    assert.equal(plain(read), plain(second));
    assert.equal(read.currentEpoch, 1);
    assert.ok(read.dataKey(0).equals(first.dataKey(0)));
    assert.ok(!read.dataKey(1).equals(read.dataKey(0)));
    assert.equal(plain(Keyring.fromSecrets(read.secrets())), plain(read));
    assert.throws(() => first.dataKey(1), { code: 'key-epoch-unknown' });
  });

  test('does not open under another master key, for another config or another repository, nor when it was moved', async () => {
    const ring = Keyring.create(ID, new Date());
    const bytes = ring.seal(MASTER, generation + 1, CONFIG);
    const number = await stored(bytes);
    const moved = await stored(bytes);
    const other = createSecretKey(randomBytes(32));
    await assert.rejects(readKeyring(storage, ID, other, number, CONFIG), { code: 'object-damaged' });
    await assert.rejects(readKeyring(storage, ID, MASTER, number, Buffer.from('{"a":"confIg"}')), {
      code: 'config-changed',
    });
    await assert.rejects(readKeyring(storage, ID.replace('0', '1'), MASTER, number, CONFIG), {
      code: 'object-damaged',
    });
    await assert.rejects(readKeyring(storage, ID, MASTER, moved, CONFIG), { code: 'object-damaged' });
  });

  test('that does not hold what it should is damaged; a newer one is unsupported', async () => {
    for (const content of [{ version: 1 }, [], { version: 1, configHash: Buffer.alloc(3) }]) {
      const number = await stored(sealed(content));
      await assert.rejects(readKeyring(storage, ID, MASTER, number, CONFIG), { code: 'object-damaged' });
    }
    const newer = await stored(sealed({ version: 2, secrets: [] }));
    await assert.rejects(readKeyring(storage, ID, MASTER, newer, CONFIG), {
      code: 'format-newer',
      kind: 'unsupported',
    });
  });

  test('counts 255 rotations and then says so', () => {
    let ring = Keyring.create(ID, new Date());
    for (let epoch = 1; epoch <= 255; epoch++) ring = ring.withNewEpoch(new Date());
    assert.throws(() => ring.withNewEpoch(new Date()), { code: 'key-epochs-exhausted' });
  });
});

function plain(keyring: Keyring): string {
  return JSON.stringify(keyring.secrets(), (_key, value) =>
    value?.type === 'Buffer'
      ? Buffer.from(value.data).toString('hex')
      : value instanceof Uint8Array
        ? Buffer.from(value).toString('hex')
        : value,
  );
}
