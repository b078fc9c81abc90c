import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { createKeyFile } from '../src/keys/keyfile/key-file.ts';
import { createKeyFileProvider } from '../src/keys/keyfile/keyfile-provider.ts';
import { initialiseRepository } from '../src/repository/initialise-repository.ts';
import { openRepository } from '../src/repository/open-repository.ts';
import { openStorage } from '../src/storage/local/local-storage.ts';
import { flip } from './flipped-bytes.ts';
import { skipUnless } from './installed-programs.ts';
import { backUpBytes, SMALL } from './temporary-repository.ts';

const READER = path.join(import.meta.dirname, '..', 'tools', 'read-repository.py');
const skip = skipUnless(
  spawnSync('python3', ['-c', 'import cryptography.hazmat.primitives.kdf.hkdf, zstandard']).status === 0,
  'Python 3 or a package of it',
  'pip install cryptography zstandard',
);

/** What a repair writes is in docs/repository-format.md, too. */
test('the independent reader refuses what a repair recorded as lost, or says what it gives zeros for', {
  skip,
}, async () => {
  const root = await mkdtemp(path.join(tmpdir(), 'holdfast-repaired-'));
  try {
    const folder = path.join(root, 'repository');
    const keyFile = path.join(root, 'key');
    await createKeyFile(keyFile);
    const provider = createKeyFileProvider(keyFile);
    const storage = await openStorage({ folder });
    await initialiseRepository({ storage, provider, label: 'test', settings: SMALL });
    const repository = await openRepository({ storage, providers: [provider], workers: 1 });
    const bytes = randomBytes(300_000);
    const { id } = await backUpBytes(repository, bytes);
    const [{ key } = { key: '' }] = (await storage.list('packs/')).toSorted((a, b) => b.size - a.size);
    await flip(folder, key, 90_000);
    const { incomplete } = await repository.repair({ dryRun: false });
    const [{ derivedId = '', missing } = { missing: [] }] = incomplete;
    const restore = (snapshot: string, name: string, ...options: string[]) =>
      spawnSync('python3', [
        ...[READER, folder, '--key-file', keyFile, 'restore', snapshot, '--target', path.join(root, name)],
        ...options,
      ]);
    assert.equal(restore(id, 'original').status, 4);
    const refused = restore(derivedId, 'refused');
    assert.equal(refused.status, 4);
    assert.match(refused.stderr.toString(), /are lost/);
    const allowed = restore(derivedId, 'allowed', '--allow-damaged');
    assert.equal(allowed.status, 4, 'not as if all was well');
    const [{ offset, length } = { offset: 0, length: 0 }] = missing;
    assert.ok(allowed.stderr.toString().includes(`bytes ${offset} to ${offset + length - 1} are lost`));
    const expected = Buffer.from(bytes).fill(0, offset, offset + length);
    assert.ok((await readFile(path.join(root, 'allowed', `${derivedId}.content`))).equals(expected));
    await backUpBytes(repository, bytes);
    const healed = restore(id, 'healed');
    assert.equal(healed.status, 0, healed.stderr.toString());
    assert.ok((await readFile(path.join(root, 'healed', `${id}.content`))).equals(bytes));
    await repository.close();
  } finally {
    await rm(root, { recursive: true, force: true });
  }
});
