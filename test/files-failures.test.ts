import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { after, before, beforeEach, describe, test } from 'node:test';
import type { Backup } from '../src/core/backup.ts';
import { PACK_KIND } from '../src/repository/pack-format.ts';
import { createFilesService } from '../src/services/files/files-service.ts';
import { FilesRig } from './files-rig.ts';

const LARGE = 3_000_000;
/** The sixth byte of a pack tells its kind. */
const holdsContents = (pack: Uint8Array): boolean => pack[5] === PACK_KIND.data;
const service = createFilesService({ small: 100_000, segment: 1_000_000, search: 300_000, restoreTask: 200_000 });

describe('a failure in the middle', () => {
  let rig: FilesRig;
  let source: string;
  let target: string;
  let backup: Backup;
  before(async () => {
    rig = await FilesRig.create();
    source = await rig.newFolder('source');
    for (let number = 0; number < 40; number++) writeFileSync(`${source}/small ${number}`, randomBytes(9000 + number));
    for (let number = 0; number < 5; number++) writeFileSync(`${source}/medium ${number}`, randomBytes(90_000));
    writeFileSync(`${source}/large`, randomBytes(LARGE));
    ({ backup } = await rig.backUp({ paths: [source] }, { service }));
  });
  after(() => rig.remove());
  let rounds = 0;
  beforeEach(() => {
    target = `${rig.folder}/target ${rounds++}`;
  });

  /** What is restored is whole, and nothing else is there. */
  function assertOnlyWholeFiles(): string[] {
    const names = existsSync(`${target}/source`) ? readdirSync(`${target}/source`) : [];
    for (const name of names)
      assert.ok(readFileSync(`${target}/source/${name}`).equals(readFileSync(`${source}/${name}`)), name);
    return names;
  }

  describe('of the repository', () => {
    test('stops the restore at a damaged chunk and names the file that it hits', async () => {
      const { storage, folder } = rig.temporary;
      // A damaged page of the tree itself hits many files, or none that can be named.
      const packs = (await storage.list('packs/')).filter(({ key }) => holdsContents(readFileSync(`${folder}/${key}`)));
      for (const { key, size } of packs.slice(0, 4)) {
        const pack = `${folder}/${key}`;
        const bytes = readFileSync(pack);
        const damaged = Buffer.from(bytes);
        const at = Math.floor(size / 2);
        damaged[at] = (damaged[at] ?? 0) ^ 1;
        chmodSync(pack, 0o600);
        writeFileSync(pack, damaged);
        const hit = new Set<string>();
        for (const name of readdirSync(source)) {
          target = `${rig.folder}/target ${rounds++}`;
          const path = `${source}/${name}`;
          try {
            await rig.restore(backup, { target, paths: [path] }, { service });
            assert.deepEqual(assertOnlyWholeFiles(), [name]);
          } catch (error) {
            assertNames(error, [path]);
            assert.deepEqual(assertOnlyWholeFiles(), []);
            hit.add(path);
          }
        }
        target = `${rig.folder}/target ${rounds++}`;
        if (hit.size === 0) await rig.restore(backup, { target }, { service });
        else
          await assert.rejects(rig.restore(backup, { target }, { service }), (error) => {
            assertNames(error, [...hit]);
            return true;
          });
        const restored = assertOnlyWholeFiles();
        for (const path of hit) assert.ok(!restored.includes(path.slice(source.length + 1)));
        writeFileSync(pack, bytes);
      }
    });

    function assertNames(error: unknown, paths: readonly string[]): void {
      const { kind, message, details } = error as { kind: string; message: string; details: { path: string } };
      assert.equal(kind, 'damaged', String(error));
      assert.ok(paths.includes(details.path), `${details.path} is none of ${paths.join(', ')}`);
      assert.ok(message.startsWith(`${details.path} cannot be restored: `), message);
    }

    test('names the file whose chunk is nowhere', async () => {
      const lost = await FilesRig.create();
      try {
        const made = await lost.backUp({ paths: [source] }, { service });
        const { storage } = lost.temporary;
        for (const { key } of await storage.list('index/')) await storage.delete(key);
        for (const { key } of await storage.list('packs/'))
          if (holdsContents(await storage.get(key))) await storage.delete(key);
        const fresh = await lost.temporary.openAgain();
        await fresh.rebuildIndex({});
        await assert.rejects(lost.restore(made.backup, { target }, { service, repository: fresh }), (error) => {
          assertNames(
            error,
            readdirSync(source).map((name) => `${source}/${name}`),
          );
          assert.equal((error as { code: string }).code, 'chunk-missing');
          return true;
        });
        await fresh.close();
        assert.deepEqual(assertOnlyWholeFiles(), []);
      } finally {
        await lost.remove();
      }
    });
  });

  describe('by a signal', () => {
    for (const kind of ['batch', 'segment', 'encode'] as const)
      test(`ends a backup before a task "${kind}" and leaves nothing behind`, async () => {
        const controller = new AbortController();
        const before = await rig.repository.listSnapshots();
        const beforeTask = (task: { kind: string }): void => {
          if (task.kind === kind) controller.abort();
        };
        await assert.rejects(rig.backUp({ paths: [source] }, { service, beforeTask, signal: controller.signal }), {
          name: 'AbortError',
        });
        assert.deepEqual(await rig.repository.listSnapshots(), before);
        for (const folder of ['tmp', 'sessions'])
          assert.deepEqual(readdirSync(`${rig.temporary.folder}/${folder}`), [], folder);
      });

    test('that came before is enough', async () => {
      const signal = AbortSignal.abort();
      await assert.rejects(rig.backUp({ paths: [source] }, { signal }), { name: 'AbortError' });
      await assert.rejects(rig.restore(backup, { target }, { signal }), { name: 'AbortError' });
      assert.equal(existsSync(target), false);
    });

    for (const kind of ['pages', 'begin', 'ranges', 'finish', 'directories'] as const)
      for (const conflict of ['fail', 'overwrite'] as const)
        test(`ends a restore with \`${conflict}\` before a task "${kind}" and leaves whole files only`, async () => {
          const controller = new AbortController();
          let asked = 0;
          const beforeTask = (task: { kind: string }): void => {
            if (task.kind === kind && ++asked === (kind === 'ranges' ? 2 : 1)) controller.abort();
          };
          const choice = { service, beforeTask, signal: controller.signal };
          await assert.rejects(rig.restore(backup, { target, conflict }, choice), { name: 'AbortError' });
          assertOnlyWholeFiles();
        });
  });
});
