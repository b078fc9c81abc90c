import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cp, lstat, mkdtemp, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Expected } from './golden/make.ts';
import type { ExpectedEntry } from './golden/tree.ts';
import { skipUnless } from './installed-programs.ts';

const GOLDEN = path.join(import.meta.dirname, 'golden');
const READER = path.join(import.meta.dirname, '..', 'tools', 'read-repository.py');
const PACKAGES = 'import cryptography.hazmat.primitives.kdf.hkdf, zstandard, cryptography.hazmat.primitives.kdf.argon2';
const skip = skipUnless(
  spawnSync('python3', ['-c', PACKAGES]).status === 0,
  'Python 3 or a package of it',
  'pip install cryptography zstandard',
);

/** A second implementation of docs/repository-format.md, in another language, must read what Holdfast wrote. */
describe('the independent reader', { skip }, () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'holdfast-reader-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  for (const name of ['repository-v1', 'repository-v1-cbc']) {
    for (const [option, suffix] of [
      ['--key-file', 'key'],
      ['--passphrase-file', 'passphrase'],
    ] as const) {
      test(`lists and verifies ${name} with ${option}`, async () => {
        const key = [option, path.join(GOLDEN, `${name}.${suffix}`)];
        const expected = await expectedOf(name);
        const listed = read(path.join(GOLDEN, name), ...key, 'list', '--json');
        assert.deepEqual(
          listed.stdout.trim().split('\n').map(summary),
          expected.snapshots.map(({ id, kind, length, held, expiresAt }) => [
            id,
            kind,
            length,
            held ?? false,
            expiresAt ?? null,
          ]),
        );
        const verified = read(path.join(GOLDEN, name), ...key, 'verify');
        assert.equal(verified.status, 0, verified.stderr);
        assert.match(verified.stdout, / 0 findings/);
      });
    }

    test(`restores every snapshot of ${name}`, async () => {
      for (const snapshot of (await expectedOf(name)).snapshots) {
        const target = path.join(folder, snapshot.id);
        const restored = read(
          path.join(GOLDEN, name),
          '--key-file',
          path.join(GOLDEN, `${name}.key`),
          'restore',
          snapshot.id,
          '--target',
          target,
        );
        assert.equal(restored.status, 0, restored.stderr);
        if (snapshot.entries !== undefined) await checkTree(Buffer.from(target), snapshot.entries);
        else assert.equal(await hashOf(path.join(target, `${snapshot.id}.content`)), snapshot.sha256);
      }
    });
  }

  test('says that a key does not open the repository', () => {
    const wrong = path.join(GOLDEN, 'repository-v1-cbc.key');
    assert.equal(read(path.join(GOLDEN, 'repository-v1'), '--key-file', wrong, 'list').status, 12);
  });

  test('finds a flipped bit in any object', async () => {
    const copy = path.join(folder, 'flipped');
    const name = 'repository-v1-cbc';
    const key = ['--key-file', path.join(GOLDEN, `${name}.key`)];
    const objects = (await readdir(path.join(GOLDEN, name), { recursive: true, withFileTypes: true })).filter(
      (entry) => entry.isFile() && !entry.parentPath.endsWith('keys'),
    );
    for (const object of objects) {
      await rm(copy, { recursive: true, force: true });
      await cp(path.join(GOLDEN, name), copy, { recursive: true });
      const file = path.join(copy, path.relative(path.join(GOLDEN, name), path.join(object.parentPath, object.name)));
      const bytes = await readFile(file);
      const at = Math.floor(bytes.length * 0.6);
      bytes[at] = bytes[at]! ^ 4;
      await rm(file);
      await writeFile(file, bytes);
      assert.notEqual(read(copy, ...key, 'verify').status, 0, file);
    }
  });
});

function read(...parameters: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync('python3', [READER, ...parameters], {
    encoding: 'utf8',
    env: { ...process.env, PYTHONIOENCODING: 'utf-8' },
  });
}

async function expectedOf(name: string): Promise<Expected> {
  return JSON.parse(await readFile(path.join(GOLDEN, `${name}.json`), 'utf8'));
}

function summary(line: string): unknown[] {
  const { backup, root } = JSON.parse(line);
  return [backup.id, root.kind, root.length, backup.held, backup.expiresAt ?? null];
}

async function hashOf(file: string | Buffer): Promise<string> {
  return createHash('sha256')
    .update(await readFile(file))
    .digest('hex');
}

/** Compares what lies in a folder with what the tree says; devices need privileges and may be missing. */
async function checkTree(target: Buffer, entries: readonly ExpectedEntry[]): Promise<void> {
  const inodes = new Map<string, bigint>();
  for (const entry of entries) {
    const file = Buffer.concat([target, Buffer.from('/'), Buffer.from(entry.path, 'latin1')]);
    const status = await lstat(file, { bigint: true }).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' && entry.type.endsWith('device')) return undefined;
      throw error;
    });
    if (status === undefined) continue;
    assert.equal(status.mtimeNs, BigInt(entry.modifiedAt), entry.path);
    if (entry.type === 'symlink') {
      assert.equal((await readlink(file, { encoding: 'buffer' })).toString('latin1'), entry.target);
      continue;
    }
    assert.equal(Number(status.mode & 0o777n), entry.mode & 0o777, entry.path);
    if (entry.type !== 'file') continue;
    assert.equal(status.size, BigInt(entry.size!));
    assert.equal(await hashOf(file), entry.sha256, entry.path);
    if (entry.hardLinkGroup === undefined) continue;
    assert.equal(inodes.get(entry.hardLinkGroup) ?? status.ino, status.ino);
    inodes.set(entry.hardLinkGroup, status.ino);
  }
  assert.equal(inodes.size, 1);
}
