import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  linkSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { after, before, describe, test } from 'node:test';
import type { Backup } from '../src/core/backup.ts';
import type { TreeEntry } from '../src/core/tree-entry.ts';
import { setAttribute, terminated } from '../src/services/files/system-calls.ts';
import { assertSameTree } from './files-comparison.ts';
import { clockTick, FilesRig, type MadeBackup } from './files-rig.ts';

const SIZES = [100, 5000, 70_000, 1_500_000];
const FILES = SIZES.length + 1;

describe('a backup of files that builds on another', () => {
  let rig: FilesRig;
  before(async () => {
    rig = await FilesRig.create();
  });
  after(() => rig.remove());

  /** A folder with a file of each kind of size and one in a folder, and a full backup of it. */
  async function prepared(name: string, encrypt = true): Promise<{ source: string; full: MadeBackup }> {
    const source = await rig.newFolder(`${name}/source`);
    for (const size of SIZES) writeFileSync(`${source}/${size}`, randomBytes(size));
    mkdirSync(`${source}/folder`);
    writeFileSync(`${source}/folder/file`, randomBytes(6000));
    await clockTick();
    return { source, full: await rig.backUp({ paths: [source] }, { encrypt }) };
  }

  /** Backs up incrementally, restores and compares. */
  async function backUpAgain(source: string, base: Backup, encrypt = true): Promise<MadeBackup> {
    const again = await rig.backUp({ paths: [source] }, { base, encrypt });
    const target = `${source}.${again.backup.id}`;
    await rig.restore(again.backup, { target });
    assertSameTree(`${target}/source`, source);
    return again;
  }

  async function entryOf(backup: Backup, end: string): Promise<TreeEntry> {
    const found = (await rig.entries(backup)).find(({ path }) => path.endsWith(end));
    assert.ok(found !== undefined, `no ${end}`);
    return found;
  }

  test('reads nothing where nothing changed', async () => {
    const { source, full } = await prepared('unchanged');
    assert.equal(full.made.readBytes, full.made.sourceBytes);
    const { made, backup } = await backUpAgain(source, full.backup);
    assert.equal(made.type, 'incremental');
    assert.equal(made.readBytes, 0);
    assert.equal(made.sourceBytes, full.made.sourceBytes);
    assert.deepEqual(made.files, { ...full.made.files, new: 0, unmodified: FILES });
    assert.equal(made.checksum, full.made.checksum);
    assert.equal(backup.statistics.newBytes, 0);
  });

  test('reads what changed, and nothing else', async () => {
    const { source, full } = await prepared('changed');
    writeFileSync(`${source}/5000`, randomBytes(5000));
    writeFileSync(`${source}/new`, randomBytes(123));
    unlinkSync(`${source}/100`);
    await clockTick();
    const second = await backUpAgain(source, full.backup);
    assert.equal(second.made.readBytes, 5123);
    assert.equal(second.made.files?.new, 1);
    assert.equal(second.made.files?.changed, 1);
    assert.equal(second.made.files?.unmodified, FILES - 2);
    writeFileSync(`${source}/1500000`, randomBytes(1_500_000));
    await clockTick();
    const third = await backUpAgain(source, second.backup);
    assert.equal(third.made.readBytes, 1_500_000);
    // As a differential one does: on the full one again.
    const differential = await backUpAgain(source, full.backup);
    assert.equal(differential.made.readBytes, 1_505_123);
  });

  test('sees a change of mode, time, attributes or links that leaves the content alone', async () => {
    const { source, full } = await prepared('metadata');
    const time = new Date(1_234_567_890_000);
    chmodSync(`${source}/5000`, 0o640);
    utimesSync(`${source}/70000`, time, time);
    setAttribute(terminated(`${source}/100`), 'user.seen', Buffer.from('yes'));
    chmodSync(`${source}/folder`, 0o711);
    linkSync(`${source}/folder/file`, `${source}/folder/second name`);
    const { backup } = await backUpAgain(source, full.backup);
    assert.equal((await entryOf(backup, '/5000')).mode, 0o640);
    assert.equal((await entryOf(backup, '/70000')).modifiedAt, 1_234_567_890_000_000_000n);
    assert.equal((await entryOf(backup, '/100')).extendedAttributes?.[0]?.name, 'user.seen');
    assert.ok(backup.statistics.newBytes < 10_000, 'more than the tree is new');
  });

  test('sees a change that leaves size and time of change of content as they were', async () => {
    const { source, full } = await prepared('disguised');
    const time = new Date(1_000_000_000_000);
    utimesSync(`${source}/70000`, time, time);
    await clockTick();
    const second = await backUpAgain(source, full.backup);
    writeFileSync(`${source}/70000`, randomBytes(70_000));
    utimesSync(`${source}/70000`, time, time);
    const third = await backUpAgain(source, second.backup);
    assert.equal(third.made.files?.changed, 1);
  });

  test('sees a change within the same tick of the clock as the backup before', async () => {
    const source = await rig.newFolder('tick/source');
    for (let round = 0; round < 10; round++) {
      writeFileSync(`${source}/file`, randomBytes(5000));
      const first = await rig.backUp({ paths: [source] });
      writeFileSync(`${source}/file`, randomBytes(5000));
      await backUpAgain(source, first.backup);
    }
  });

  test('sees files replaced by others, folders by files and files by folders', async () => {
    const { source, full } = await prepared('replaced');
    rmSync(`${source}/folder`, { recursive: true });
    writeFileSync(`${source}/folder`, 'now a file');
    unlinkSync(`${source}/5000`);
    mkdirSync(`${source}/5000`);
    writeFileSync(`${source}/5000/inside`, 'now a folder');
    unlinkSync(`${source}/100`);
    symlinkSync('70000', `${source}/100`);
    renameSync(`${source}/1500000`, `${source}/renamed`);
    const second = await backUpAgain(source, full.backup);
    assert.ok(second.backup.statistics.newBytes < 10_000, 'more than the tree is new');
    for (const name of readdirSync(source)) rmSync(`${source}/${name}`, { recursive: true });
    await backUpAgain(source, second.backup);
  });

  test('that is encrypted relies on no content that an unencrypted base left in the clear', async () => {
    const { source, full } = await prepared('plain', false);
    const encrypted = await backUpAgain(source, full.backup);
    // The smallest file lies in the tree itself, which is written anew.
    assert.equal(encrypted.made.readBytes, full.made.readBytes - 100);
    const again = await backUpAgain(source, encrypted.backup);
    assert.equal(again.made.readBytes, 0);
    const plainAgain = await backUpAgain(source, again.backup, false);
    assert.equal(plainAgain.made.readBytes, 0);
  });

  test('reads again what its base holds in packs that are known to be bad', async () => {
    const { source, full } = await prepared('bad');
    const { storage } = rig.temporary;
    for (const { key } of await storage.list('packs/'))
      await storage.putNew(`bad/${key.split('/').at(-1)}`, Buffer.from('test'));
    const again = await backUpAgain(source, full.backup);
    assert.equal(again.made.readBytes, full.made.readBytes - 100);
    assert.ok(again.backup.statistics.newBytes >= 1_581_000);
  });

  test('reads everything again and says so where the tree of its base is gone', async () => {
    const { source, full } = await prepared('lost');
    const { storage } = rig.temporary;
    for (const { key } of await storage.list('packs/')) await storage.delete(key);
    for (const { key } of await storage.list('index/')) await storage.delete(key);
    const fresh = await rig.temporary.openAgain();
    try {
      const again = await rig.backUp({ paths: [source] }, { base: full.backup, repository: fresh });
      assert.equal(again.made.readBytes, full.made.readBytes);
      assert.equal(again.made.files?.new, FILES);
      assert.match(again.warnings.join('\n'), /A part of the backup that this one builds on cannot be read/);
      await rig.restore(again.backup, { target: `${source}.restored` }, { repository: fresh });
      assertSameTree(`${source}.restored/source`, source);
    } finally {
      await fresh.close();
    }
  });
});
