import assert from 'node:assert/strict';
import { argon2Sync } from 'node:crypto';
import { test } from 'node:test';
import { createPassphraseProvider } from './passphrase-provider.ts';

const cost = { memoryKiB: 64, passes: 1, parallelism: 1 };

test('a passphrase opens the slot that it made, however its letters were composed, and another one does not', async () => {
  const made = await createPassphraseProvider(async () => 'Zürich brücke', cost).createWrappingKey();
  const slot = { kind: 'passphrase', parameters: made.parameters };
  const decomposed = 'Zürich brücke'.normalize('NFD');
  assert.deepEqual(await createPassphraseProvider(async () => decomposed).wrappingKeyFor(slot), made.wrappingKey);
  assert.notDeepEqual(
    await createPassphraseProvider(async () => 'Zurich brucke').wrappingKeyFor(slot),
    made.wrappingKey,
  );
});

test('by default a guess costs 256 MiB and three passes', async () => {
  const { parameters } = await createPassphraseProvider(async () => 'correct horse').createWrappingKey();
  assert.equal(parameters.memoryKiB, 262_144);
  assert.equal(parameters.passes, 3);
});

test('an empty passphrase and a slot that would exhaust the machine are refused', async () => {
  await assert.rejects(createPassphraseProvider(async () => '').createWrappingKey(), { code: 'passphrase-empty' });
  const parameters = {
    algorithm: 'argon2id',
    salt: 'AAAAAAAAAAAAAAAAAAAAAA==',
    memoryKiB: 2 ** 30,
    passes: 1,
    parallelism: 1,
  };
  await assert.rejects(createPassphraseProvider(async () => 'x').wrappingKeyFor({ kind: 'passphrase', parameters }), {
    code: 'key-slot-unreasonable',
  });
});

test('a slot whose parameters Argon2id does not allow is one that this provider cannot open', async () => {
  const salt = 'AAAAAAAAAAAAAAAAAAAAAA==';
  const allowed = { algorithm: 'argon2id', salt, memoryKiB: 64, passes: 1, parallelism: 1 };
  const provider = createPassphraseProvider(async () => 'x');
  assert.ok(await provider.wrappingKeyFor({ kind: 'passphrase', parameters: allowed }));
  for (const change of [
    { salt: '' },
    { salt: 'AAAA' },
    { memoryKiB: 8, parallelism: 4 },
    { passes: 0 },
    { passes: 1.5 },
  ]) {
    const parameters = { ...allowed, ...change };
    assert.equal(await provider.wrappingKeyFor({ kind: 'passphrase', parameters }), undefined);
  }
});

test('Argon2id of this runtime gives the tag of RFC 9106 section 5.3', () => {
  const tag = argon2Sync('argon2id', {
    message: Buffer.alloc(32, 1),
    nonce: Buffer.alloc(16, 2),
    secret: Buffer.alloc(8, 3),
    associatedData: Buffer.alloc(12, 4),
    memory: 32,
    passes: 3,
    parallelism: 4,
    tagLength: 32,
  });
  assert.equal(tag.toString('hex'), '0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659');
});
