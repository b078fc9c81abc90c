import assert from 'node:assert/strict';
import { createSecretKey } from 'node:crypto';
import { chmod, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import type { KeyProvider } from '../src/core/ports/key-provider.ts';
import type { CheckFinding } from '../src/core/ports/repository-check.ts';
import { createKeyFile } from '../src/keys/keyfile/key-file.ts';
import { createKeyFileProvider } from '../src/keys/keyfile/keyfile-provider.ts';
import { createPassphraseProvider } from '../src/keys/passphrase/passphrase-provider.ts';
import { addSlot } from '../src/repository/key-slots.ts';
import { openRepository } from '../src/repository/open-repository.ts';
import { TemporaryRepository } from './temporary-repository.ts';

const CHEAP = { memoryKiB: 8, passes: 1, parallelism: 1 };

/** A slot that nobody opens for years is the one that counts on the worst day. */
describe('in a repository that a key file and a passphrase open', () => {
  let temporary: TemporaryRepository;
  let keyFile: KeyProvider;
  let passphrase: KeyProvider;
  beforeEach(async () => {
    temporary = await TemporaryRepository.create();
    const file = path.join(temporary.folder, 'a.key');
    await createKeyFile(file);
    keyFile = createKeyFileProvider(file);
    passphrase = createPassphraseProvider(async () => 'four words of Ümlaut', CHEAP);
    const { keys } = temporary.repository;
    await keys.add(keyFile, 'key file of the machine');
    await keys.add(passphrase, 'in the safe: „Straße"');
  });
  afterEach(() => temporary.remove());

  const slotOf = async (kind: string): Promise<{ id: string; key: string; bytes: Buffer }> => {
    const { id } = (await temporary.repository.keys.list()).find((slot) => slot.kind === kind)!;
    return { id, key: `keys/${id}`, bytes: await temporary.storage.get(`keys/${id}`) };
  };
  const write = async (key: string, bytes: string | Buffer): Promise<void> => {
    const file = path.join(temporary.folder, key);
    await chmod(file, 0o600);
    await writeFile(file, bytes);
  };
  const found = async (provider: KeyProvider): Promise<readonly CheckFinding[]> => {
    const repository = await openRepository({ storage: temporary.storage, providers: [provider], workers: 0 });
    return (await repository.check({ level: 0 })).findings;
  };

  for (const rotated of [false, true])
    test(`a flipped bit in any byte of a slot is found by whom the other one lets in${rotated ? ', after a rotation too' : ''}`, async () => {
      const { repository, provider } = temporary;
      if (rotated) await repository.keys.rotate([provider, keyFile, passphrase], { dropOthers: false });
      for (const [kind, other] of [
        ['passphrase', keyFile],
        ['keyfile', passphrase],
      ] as const) {
        assert.deepEqual(await found(other), []);
        const { key, bytes } = await slotOf(kind);
        const opened = await openRepository({ storage: temporary.storage, providers: [other], workers: 0 });
        for (const at of bytes.keys()) {
          const copy = Buffer.from(bytes);
          // Another bit in each byte, so that each is hit in fields of every kind.
          copy[at]! ^= 1 << (at & 7);
          await write(key, copy);
          const { findings } = await opened.check({ level: 0 });
          const named = findings.some(({ object, severity }) => object === key && severity !== 'warning');
          assert.ok(named, `byte ${at} of the slot of the ${kind}: ${copy}`);
        }
        await opened.close();
        await write(key, bytes);
        assert.deepEqual(await found(other), []);
      }
    });

  test('slots of before they were authenticated are no damage, and that by which the repository was opened is verified', async () => {
    const keyFileSlot = await slotOf('keyfile');
    const passphraseSlot = await slotOf('passphrase');
    for (const { key, bytes } of [keyFileSlot, passphraseSlot]) {
      const { authentication: _authentication, ...old } = JSON.parse(bytes.toString());
      await write(key, JSON.stringify(old));
    }
    const opened = await openRepository({ storage: temporary.storage, providers: [keyFile], workers: 0 });
    const about = async (): Promise<string[]> =>
      (await opened.check({ level: 0 })).findings.map(({ severity, object }) => `${severity} ${object}`);
    assert.deepEqual(await about(), [`warning ${passphraseSlot.key}`]);
    const whole = await temporary.storage.get(keyFileSlot.key);
    await write(keyFileSlot.key, whole.toString().replace('key file of', 'key file if'));
    assert.deepEqual((await about()).sort(), [`damage ${keyFileSlot.key}`, `warning ${passphraseSlot.key}`]);
    await write(keyFileSlot.key, whole);
    await opened.keys.rotate([temporary.provider, keyFile, passphrase], { dropOthers: false });
    assert.deepEqual(await about(), []);
    await opened.close();
  });

  test('a damaged slot can be removed, and is not counted where one must stay', async () => {
    const { keys } = temporary.repository;
    const machine = await slotOf('keyfile');
    const safe = await slotOf('passphrase');
    await write(machine.key, machine.bytes.toString().replace('key file of', 'key file if'));
    await write(safe.key, safe.bytes.subarray(1));
    await assert.rejects(keys.remove((await slotOf('known')).id), { code: 'last-key-slot' });
    await keys.remove(machine.id);
    await keys.remove(safe.id);
    assert.deepEqual((await temporary.repository.check({ level: 0 })).findings, []);
    await assert.rejects(keys.remove(safe.id), { code: 'key-slot-missing' });
  });
});

test('a slot that a slower rotation left behind is no damage, is told, counts as no key and can be removed', async (context) => {
  const temporary = await TemporaryRepository.create();
  context.after(() => temporary.remove());
  const { repository, storage, provider } = temporary;
  const otherKey = createSecretKey(Buffer.alloc(32, 7));
  const left = await addSlot(storage, repository.id, otherKey, 0, provider, 'left', new Date());
  const { findings } = await repository.check({ level: 0 });
  assert.deepEqual(
    findings.map(({ severity, code, object }) => [severity, code, object]),
    [['warning', 'key-slot-of-another-key', `keys/${left.id}`]],
  );
  const [own] = (await repository.keys.list()).filter(({ id }) => id !== left.id);
  await assert.rejects(repository.keys.remove(own!.id), { code: 'last-key-slot' });
  await repository.keys.remove(left.id);
  assert.deepEqual((await repository.check({ level: 0 })).findings, []);
});
