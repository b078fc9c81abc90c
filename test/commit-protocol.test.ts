import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import type { Repository } from '../src/core/ports/repository.ts';
import { roundName } from '../src/repository/collection/collection-state.ts';
import { encodeMetadata } from '../src/repository/metadata-encoding.ts';
import { openKeys, openRepository } from '../src/repository/open-repository.ts';
import { SEALED_KIND, sealObject } from '../src/repository/sealed-object.ts';
import { decodeSettings } from '../src/repository/settings.ts';
import { backUpBytes, pieces, readBytes, recordOf, TemporaryRepository } from './temporary-repository.ts';

/** Plays a collector by hand: writes the objects that one would write, at chosen moments. */
class HandCollector {
  readonly #temporary: TemporaryRepository;

  constructor(temporary: TemporaryRepository) {
    this.#temporary = temporary;
  }

  async condemn(round: number, packKeys: readonly string[]): Promise<void> {
    await this.#write(round, 'condemned', { version: 1, packs: packKeys.map(idOf) });
  }

  async seal(round: number, snapshots: readonly string[], kept: readonly string[] = []): Promise<void> {
    await this.#write(round, 'resolution', { version: 1, outcome: 'sealed', snapshots, kept: kept.map(idOf) });
  }

  async packs(): Promise<string[]> {
    return (await this.#temporary.storage.list('packs/')).map((object) => object.key);
  }

  async #write(round: number, part: 'condemned' | 'resolution', content: unknown): Promise<void> {
    const { storage, provider } = this.#temporary;
    const config = await storage.get('config');
    const { keyring } = await openKeys(storage, decodeSettings(config), config, [provider]);
    const name = roundName(round, part);
    const bytes = sealObject(keyring, encodeMetadata(content), {
      kind: SEALED_KIND[part],
      name,
      cipher: 1,
      codec: { name: 'raw', level: 0 },
    });
    assert.equal(await storage.putNew(name, bytes), 'created');
  }
}

function idOf(packKey: string): Buffer {
  return Buffer.from(packKey.slice(-64), 'hex');
}

describe('the commit protocol', () => {
  let temporary: TemporaryRepository;
  let repository: Repository;
  let collector: HandCollector;
  before(async () => {
    temporary = await TemporaryRepository.create();
    repository = temporary.repository;
    collector = new HandCollector(temporary);
  });
  after(() => temporary.remove());

  test('a backup that relied on packs condemned meanwhile stores those chunks again before it counts', async () => {
    const bytes = randomBytes(800_000);
    await backUpBytes(repository, bytes);
    const old = await collector.packs();
    const writer = await repository.beginSnapshot({ encrypt: true });
    const stored = await writer.writeStream(pieces(bytes));
    assert.equal(writer.counts().newBytes, 0);
    await collector.condemn(1, old);
    const { backup } = await writer.commit(recordOf(writer, stored));
    for (const key of old) await temporary.storage.delete(key);
    const names = (await temporary.storage.list('snapshots/')).map(({ key }) => key);
    assert.ok(!names.includes(`snapshots/${backup.id}`), 'a name that was withdrawn is not used again');
    const other = await temporary.openAgain();
    try {
      assert.ok((await readBytes(other, backup.id)).equals(bytes));
    } finally {
      await other.close();
    }
  });

  test('a round that begins while chunks of an earlier one are stored again is not taken as seen', async () => {
    const bytes = Buffer.concat([randomBytes(300_000), randomBytes(300_000)]);
    const own = await TemporaryRepository.create();
    const collecting = new HandCollector(own);
    let early: string[] = [];
    let late: string[] = [];
    let marks = 0;
    const storage = new Proxy(own.storage, {
      get(target, name) {
        if (name !== 'replace') return Reflect.get(target, name).bind?.(target) ?? Reflect.get(target, name);
        return async (key: string, content: Uint8Array) => {
          // The second mark is of the session that stores chunks of the first round's packs again.
          if (key.startsWith('sessions/') && ++marks === 2) {
            late = (await collecting.packs()).filter((pack) => !early.includes(pack));
            await collecting.condemn(2, late);
          }
          return target.replace(key, content);
        };
      },
    });
    const writing = await openRepository({ storage, providers: [own.provider], workers: 1 });
    try {
      await backUpBytes(own.repository, bytes.subarray(0, 300_000));
      early = await collecting.packs();
      const writer = await writing.beginSnapshot({ encrypt: true });
      const stored = await writer.writeStream(pieces(bytes));
      await collecting.condemn(1, early);
      const { backup } = await writer.commit(recordOf(writer, stored));
      assert.ok(late.length > 0);
      for (const key of [...early, ...late]) await own.storage.delete(key);
      assert.ok((await readBytes(own.repository, backup.id)).equals(bytes));
    } finally {
      await writing.close();
      await own.remove();
    }
  });

  test('a backup that begins after a condemnation treats those packs as absent', async () => {
    const bytes = randomBytes(300_000);
    await backUpBytes(repository, bytes);
    const old = await collector.packs();
    await collector.condemn(2, old);
    const backup = await backUpBytes(repository, bytes);
    assert.equal(backup.statistics.newBytes, bytes.length);
    await collector.seal(2, [backup.id]);
    assert.equal((await backUpBytes(repository, bytes)).statistics.newBytes, 0);
  });

  test('a backup whose chunks a collector removed is refused as a whole, to be made again', async () => {
    const bytes = randomBytes(300_000);
    await backUpBytes(repository, bytes);
    const writer = await repository.beginSnapshot({ encrypt: true });
    const stored = await writer.writeStream(pieces(bytes));
    const all = await collector.packs();
    await collector.condemn(3, all);
    for (const key of all) await temporary.storage.delete(key);
    await assert.rejects(writer.commit(recordOf(writer, stored)), (error: { code: string }) =>
      ['object-missing', 'collected-meanwhile'].includes(error.code),
    );
    await writer.abort();
    assert.ok(!(await repository.listSnapshots()).includes(writer.snapshotId));
    assert.ok((await readBytes(repository, (await backUpBytes(repository, bytes)).id)).equals(bytes));
  });

  test('a snapshot that the newest seal excludes is ignored by every reader', async () => {
    const late = await backUpBytes(repository, randomBytes(10));
    const seen = await backUpBytes(repository, randomBytes(11));
    await collector.condemn(4, []);
    await collector.seal(4, [seen.id]);
    const listed = await repository.listSnapshots();
    assert.ok(listed.includes(seen.id));
    assert.ok(!listed.includes(late.id));
    await assert.rejects(repository.openSnapshot(late.id), { code: 'snapshot-missing' });
    const findings = (await repository.check({ level: 0 })).findings;
    assert.ok(
      findings.some((finding) => finding.code === 'snapshot-not-committed' && finding.object.includes(late.id)),
    );
    const after = await backUpBytes(repository, randomBytes(12));
    assert.ok((await repository.listSnapshots()).includes(after.id));
  });
});
