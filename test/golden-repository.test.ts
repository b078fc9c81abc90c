import assert from 'node:assert/strict';
import { cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { KeyProvider } from '../src/core/ports/key-provider.ts';
import type { Repository } from '../src/core/ports/repository.ts';
import type { Storage } from '../src/core/ports/storage.ts';
import type { Content, TreeEntry } from '../src/core/tree-entry.ts';
import { createKeyFileProvider } from '../src/keys/keyfile/keyfile-provider.ts';
import { createPassphraseProvider } from '../src/keys/passphrase/passphrase-provider.ts';
import { decodeMetadata } from '../src/repository/metadata-encoding.ts';
import { openKeys, openRepository } from '../src/repository/open-repository.ts';
import { openObject, SEALED_KIND } from '../src/repository/sealed-object.ts';
import { decodeSettings } from '../src/repository/settings.ts';
import { decodeSnapshot } from '../src/repository/snapshot-codec.ts';
import { openStorage } from '../src/storage/local/local-storage.ts';
import { dumpLike, pseudoRandom, sha256 } from './golden/inputs.ts';
import type { Expected, ExpectedSnapshot } from './golden/make.ts';
import { describeEntry, type ExpectedEntry } from './golden/tree.ts';
import { backUpBytes, readBytes } from './temporary-repository.ts';

const GOLDEN = path.join(import.meta.dirname, 'golden');

/** Repositories of each format version are kept as they were made: what was backed up once must restore for ever. */
for (const name of ['repository-v1', 'repository-v1-cbc']) {
  describe(`the golden ${name}`, () => {
    let folder: string;
    let storage: Storage;
    let repository: Repository;
    let expected: Expected;
    const keyFile = createKeyFileProvider(path.join(GOLDEN, `${name}.key`));
    before(async () => {
      expected = JSON.parse(await readFile(path.join(GOLDEN, `${name}.json`), 'utf8'));
      folder = await mkdtemp(path.join(tmpdir(), 'holdfast-golden-'));
      await cp(path.join(GOLDEN, name), folder, { recursive: true });
      storage = await openStorage({ folder });
      repository = await openRepository({ storage, providers: [keyFile], workers: 1 });
    });
    after(async () => {
      await repository.close();
      await rm(folder, { recursive: true, force: true });
    });

    test('lists exactly the snapshots that count', async () => {
      assert.deepEqual(
        await repository.listSnapshots(),
        expected.snapshots.map(({ id }) => id),
      );
      for (const id of expected.void) await assert.rejects(repository.openSnapshot(id), { code: 'snapshot-missing' });
    });

    test('restores every snapshot to the bytes and metadata that were recorded', async () => {
      for (const snapshot of expected.snapshots) await checkSnapshot(repository, snapshot);
    });

    test('opens with its passphrase as well', async () => {
      const passphrase = (await readFile(path.join(GOLDEN, `${name}.passphrase`), 'utf8')).trim();
      await opened([createPassphraseProvider(async () => passphrase.normalize('NFD'))], async (other) => {
        assert.equal((await other.statistics()).keyEpoch, expected.keyEpoch);
        await checkSnapshot(other, expected.snapshots.at(-1)!);
      });
    });

    test('passes every level of the check', async () => {
      const { findings, checked } = await repository.check({ level: 4 });
      assert.deepEqual(
        findings.map(({ severity, code }) => `${severity} ${code}`),
        [
          // Made before slots were authenticated, and not the one that opened the repository here: the passphrase's.
          'warning key-slot-unverifiable',
          ...expected.void.map(() => 'warning snapshot-not-committed'),
        ],
      );
      assert.ok(checked.chunks > 10);
    });

    test('restores from an index that is made anew from its packs', async () => {
      const copy = await mkdtemp(path.join(tmpdir(), 'holdfast-golden-'));
      try {
        await cp(folder, copy, { recursive: true });
        await rm(path.join(copy, 'index'), { recursive: true });
        const other = await openRepository({
          storage: await openStorage({ folder: copy }),
          providers: [keyFile],
          workers: 1,
        });
        try {
          assert.deepEqual((await other.rebuildIndex({})).findings, []);
          for (const snapshot of expected.snapshots) await checkSnapshot(other, snapshot);
        } finally {
          await other.close();
        }
      } finally {
        await rm(copy, { recursive: true, force: true });
      }
    });

    test('takes new backups, which find the chunks that it has', async () => {
      const bytes =
        name === 'repository-v1'
          ? Buffer.concat([pseudoRandom('stream', 60_000), dumpLike('stream', 40_000)])
          : Buffer.concat([dumpLike('cbc', 30_000), pseudoRandom('cbc', 10_000)]);
      const backup = await backUpBytes(repository, bytes);
      assert.equal(backup.statistics.newBytes, 0);
      assert.ok((await readBytes(repository, backup.id)).equals(bytes));
    });

    if (name === 'repository-v1') {
      test('keeps a forgotten snapshot in the trash as it was sealed', async () => {
        const { id, sha256: hash } = expected.forgotten!;
        const config = await storage.get('config');
        const { keyring } = await openKeys(storage, decodeSettings(config), config, [keyFile]);
        const plain = openObject(keyring, await storage.get(`trash/${id}`), {
          kind: SEALED_KIND.trash,
          name: `trash/${id}`,
        });
        const trash = decodeMetadata(plain) as { id: string; expiresAt: string; reason: string; snapshot: Uint8Array };
        assert.deepEqual([trash.id, trash.reason], [id, 'to have one in the trash']);
        const record = decodeSnapshot(
          openObject(keyring, trash.snapshot, { kind: SEALED_KIND.snapshot, name: `snapshots/${id}` }),
          id,
        );
        assert.equal(await readForgotten(repository, record.record.root.content), hash);
      });

      test('holds a list of chunks that takes pages, and a tree whose index is cut into chunks', async () => {
        const { id } = expected.snapshots.find(({ kind }) => kind === 'tree')!;
        const reader = await repository.openSnapshot(id);
        try {
          assert.ok('segments' in reader.record.root.content);
          assert.ok((await reader.pages()).length > 5);
          for await (const entry of reader.entries({ paths: ['srv/data/long-list.img'] })) {
            assert.ok(entry.content !== undefined && 'pages' in entry.content);
            assert.ok(entry.content.pages.length > 1);
          }
        } finally {
          await reader.close();
        }
      });
    }

    async function opened(
      providers: readonly KeyProvider[],
      work: (other: Repository) => Promise<void>,
    ): Promise<void> {
      const other = await openRepository({ storage: await openStorage({ folder }), providers, workers: 1 });
      try {
        await work(other);
      } finally {
        await other.close();
      }
    }
  });
}

/** Reads a content that no snapshot in the list refers to any more. */
async function readForgotten(repository: Repository, content: Content): Promise<string> {
  const reader = await repository.openSnapshot((await repository.listSnapshots())[1]!);
  try {
    return await hashOf(reader.read(content));
  } finally {
    await reader.close();
  }
}

async function checkSnapshot(repository: Repository, expected: ExpectedSnapshot): Promise<void> {
  const reader = await repository.openSnapshot(expected.id);
  try {
    const { backup, root } = reader.record;
    assert.deepEqual([backup.encrypted, root.kind, root.length], [expected.encrypted, expected.kind, expected.length]);
    assert.deepEqual([backup.held, backup.expiresAt], [expected.held ?? false, expected.expiresAt], expected.shows);
    if (expected.sha256 !== undefined) {
      assert.equal(await hashOf(reader.read()), expected.sha256, expected.shows);
      assert.equal(backup.checksum, `sha256:${expected.sha256}`);
    }
    if (expected.entries === undefined) return;
    const found: ExpectedEntry[] = [];
    for await (const entry of reader.entries()) found.push(describeEntry(await withHash(entry)));
    assert.deepEqual(found, expected.entries);
  } finally {
    await reader.close();
  }

  async function withHash(entry: TreeEntry): Promise<{ entry: TreeEntry; sha256?: string }> {
    if (entry.content === undefined) return { entry };
    return { entry, sha256: await hashOf(reader.read(entry.content)) };
  }
}

async function hashOf(source: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Buffer[] = [];
  for await (const bytes of source) parts.push(Buffer.from(bytes));
  return sha256(Buffer.concat(parts));
}
