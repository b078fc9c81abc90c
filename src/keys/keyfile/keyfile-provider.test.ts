import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { createKeyFile } from './key-file.ts';
import { createKeyFileProvider } from './keyfile-provider.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'holdfast-keys-'));
});
after(() => rm(folder, { recursive: true, force: true }));

test('a key file opens the slot that it made, and no other key file does', async () => {
  const [one, two] = [path.join(folder, 'deep', 'one.key'), path.join(folder, 'two.key')];
  await createKeyFile(one);
  await createKeyFile(two);
  const made = await createKeyFileProvider(one).createWrappingKey();
  const slot = { kind: 'keyfile', parameters: made.parameters };
  assert.deepEqual(await createKeyFileProvider(one).wrappingKeyFor(slot), made.wrappingKey);
  assert.notDeepEqual(await createKeyFileProvider(two).wrappingKeyFor(slot), made.wrappingKey);
  assert.equal(await createKeyFileProvider(one).wrappingKeyFor({ kind: 'passphrase', parameters: {} }), undefined);
});

test('a key file is for its owner only and is never made over another', async () => {
  const file = path.join(folder, 'private.key');
  await createKeyFile(file);
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  const content = await readFile(file, 'utf8');
  await assert.rejects(createKeyFile(file), { code: 'key-file-exists' });
  assert.equal(await readFile(file, 'utf8'), content);
});

test('beside a key file nothing is left, and a place that cannot be is named', async () => {
  const place = path.join(folder, 'only', 'here');
  const file = path.join(place, 'a.key');
  await createKeyFile(file);
  await assert.rejects(createKeyFile(file), { code: 'key-file-exists' });
  assert.deepEqual(await readdir(place), ['a.key']);
  assert.equal((await stat(place)).mode & 0o777, 0o700);
  await assert.rejects(createKeyFile(path.join(file, 'below.key')), { code: 'key-file-denied', kind: 'denied' });
  // No folder can be made there, though it is one itself.
  if (existsSync('/proc/self'))
    await assert.rejects(createKeyFile('/proc/nope/a.key'), { code: 'key-file-denied', kind: 'denied' });
});

test('of several that make the same key file at once, one does', async () => {
  const file = path.join(folder, 'contended.key');
  const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => createKeyFile(file)));
  assert.equal(outcomes.filter(({ status }) => status === 'fulfilled').length, 1);
  await createKeyFileProvider(file).createWrappingKey();
});

test('a missing key file and one with a typo are told apart, and neither error shows the secret', async () => {
  const file = path.join(folder, 'typo.key');
  await createKeyFile(file);
  const content = await readFile(file, 'utf8');
  const secret = content.split(':')[1]!;
  await writeFile(file, content.replace(secret, (secret[0] === 'A' ? 'B' : 'A') + secret.slice(1)));
  await assert.rejects(
    createKeyFileProvider(file).createWrappingKey(),
    (error: Error & { code: string }) => error.code === 'key-file-invalid' && !error.message.includes(secret.slice(5)),
  );
  await assert.rejects(createKeyFileProvider(path.join(folder, 'absent.key')).createWrappingKey(), {
    code: 'key-file-missing',
    kind: 'wrong-key',
  });
});
