import assert from 'node:assert/strict';
import { createCipheriv, randomBytes } from 'node:crypto';
import { lstatSync, readFileSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import type { Progress } from '../src/core/operation.ts';
import type { Content } from '../src/core/tree-entry.ts';
import { createFilesService } from '../src/services/files/files-service.ts';
import type { RestoreTask } from '../src/services/files/restore-task.ts';
import type { FilesSizes } from '../src/services/files/sizes.ts';
import { assertSameTree } from './files-comparison.ts';
import { clockTick, FilesRig, type MadeBackup } from './files-rig.ts';
import { makeHardLinks, makeSparse, writeSparse } from './files-sample-tree.ts';

const MEBIBYTE = 1024 * 1024;
/** Small enough that a few megabytes are many segments and tasks. */
const SIZES: FilesSizes = { small: 10_000, segment: 3 * MEBIBYTE, search: 2 * MEBIBYTE, restoreTask: MEBIBYTE };

/** Of bytes with a place for each segment to begin in the first 1.4 MiB of its search, and for most others in the half MiB before that. */
const SEED = 26;

describe('a large file', () => {
  let rig: FilesRig;
  const service = createFilesService(SIZES);
  before(async () => {
    rig = await FilesRig.create();
  });
  after(() => rig.remove());

  test('is read in segments side by side and restored by many tasks, bit for bit', async () => {
    const source = await rig.newFolder('parts/source');
    for (const size of [10_001, 3 * MEBIBYTE - 1, 3 * MEBIBYTE, 3 * MEBIBYTE + 1, 16 * MEBIBYTE + 12_345])
      writeFileSync(`${source}/${size}`, randomBytes(size));
    writeFileSync(`${source}/zeros`, Buffer.alloc(7 * MEBIBYTE));
    writeFileSync(`${source}/text`, 'the same line again and again\n'.repeat(400_000));
    makeHardLinks(source);
    const { backup, made } = await rig.backUp({ paths: [source] }, { service });
    assert.equal(made.readBytes, made.sourceBytes);
    await rig.restore(backup, { target: `${rig.folder}/parts/target` }, { service });
    assertSameTree(`${rig.folder}/parts/target/source`, source);
  });

  test('shows how far it is while it is read and written, and not only when it is done', async () => {
    const source = await rig.newFolder('progress/source');
    const size = 16 * MEBIBYTE;
    writeFileSync(`${source}/file`, randomBytes(size));
    const told: Progress[] = [];
    const report = (progress: Progress): unknown => told.push(progress);
    const isUnderWay = ({ doneBytes = 0, doneFiles }: Progress): boolean =>
      doneBytes > 0 && doneBytes < size && doneFiles === 0;
    const { backup } = await rig.backUp({ paths: [source] }, { service, report });
    assert.ok(told.some(isUnderWay), JSON.stringify(told));
    assert.equal(told.at(-1)?.doneBytes, size);

    told.length = 0;
    // What is told every fifth of a second has to take longer than that.
    const beforeTask = ({ kind }: RestoreTask): void => {
      const milliseconds = kind === 'ranges' ? 50 : kind === 'finish' ? 250 : 0;
      if (milliseconds > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
    };
    await rig.restore(backup, { target: `${rig.folder}/progress/target` }, { service, report, beforeTask });
    assert.ok(told.some(isUnderWay), JSON.stringify(told));
    assert.ok(
      told.some(({ doneFiles }) => doneFiles === 1),
      'nothing was told at its end',
    );
    assert.ok(
      told.every(({ doneBytes = 0 }) => doneBytes <= size),
      JSON.stringify(told),
    );
  });

  test('keeps its holes, also across segments', async () => {
    const source = await rig.newFolder('holes/source');
    makeSparse(source);
    writeSparse(`${source}/over segments`, 30 * MEBIBYTE, [
      [MEBIBYTE, 65_536],
      [14 * MEBIBYTE, 3 * MEBIBYTE],
      [29 * MEBIBYTE, 4096],
    ]);
    const { backup, made } = await rig.backUp({ paths: [source] }, { service });
    await rig.restore(backup, { target: `${rig.folder}/holes/target` }, { service });
    assertSameTree(`${rig.folder}/holes/target/source`, source);
    const blocks = (folder: string): number => lstatSync(`${folder}/over segments`).blocks;
    // File systems count what they need to list a file's pieces, of which there are more until the page cache was written.
    assert.ok(blocks(`${rig.folder}/holes/target/source`) <= blocks(source) + 16);
    assert.ok(made.readBytes < made.sourceBytes / 2);
    const { content } = (await rig.entries(backup)).find((entry) => entry.path.endsWith('over segments'))!;
    assert.ok(content !== undefined && 'segments' in content);
    assert.equal(content.segments.filter(({ id }) => id === null).length, 4, 'a hole over a boundary is one hole');
  });

  test('with a list of chunks too long for its entry is restored, and taken over while it is unchanged', async () => {
    const source = await rig.newFolder('paged/source');
    // Chunks of the test's repository are some 16 KiB.
    writeFileSync(`${source}/file`, randomBytes(40 * MEBIBYTE));
    await clockTick();
    const first = await rig.backUp({ paths: [source] }, { service });
    const { content } = (await rig.entries(first.backup)).find((entry) => entry.path.endsWith('/file'))!;
    assert.ok(content !== undefined && 'pages' in content);
    const second = await rig.backUp({ paths: [source] }, { service, base: first.backup });
    assert.equal(second.made.readBytes, 0);
    await rig.restore(second.backup, { target: `${rig.folder}/paged/target` }, { service });
    assertSameTree(`${rig.folder}/paged/target/source`, source);
  });

  test('costs little when something is inserted near its front', async () => {
    const source = await rig.newFolder('insertion');
    writeFileSync(`${source}/file`, randomBytes(24 * MEBIBYTE));
    await rig.backUp({ paths: [source] }, { service });
    const bytes = readFileSync(`${source}/file`);
    writeFileSync(
      `${source}/file`,
      Buffer.concat([bytes.subarray(0, 1000), Buffer.from('inserted'), bytes.subarray(1000)]),
    );
    const { backup } = await rig.backUp({ paths: [source] }, { service });
    assert.ok(backup.statistics.newBytes < MEBIBYTE, `${backup.statistics.newBytes} bytes were new`);
  });

  test('is read in the segments it was read in before, though all behind an insertion has moved', async () => {
    const source = await rig.newFolder('moved/source');
    const bytes = createCipheriv('aes-256-ctr', Buffer.alloc(32, SEED), Buffer.alloc(16)).update(
      Buffer.alloc(14 * MEBIBYTE),
    );
    writeFileSync(`${source}/file`, bytes);
    const first = await rig.backUp({ paths: [source] }, { service });
    writeFileSync(`${source}/file`, Buffer.concat([randomBytes(MEBIBYTE / 2), bytes]));
    const second = await rig.backUp({ paths: [source] }, { service, base: first.backup });
    const [before, after] = [await idsOf(first), new Set(await idsOf(second))];
    // The chunk that the insertion runs into, and some until the cuts are where they were.
    const lost = before.filter((id) => !after.has(id)).length;
    assert.ok(lost < 6, `${lost} of ${before.length} chunks are not there any more`);
    await rig.restore(second.backup, { target: `${rig.folder}/moved/target` }, { service });
    assertSameTree(`${rig.folder}/moved/target/source`, source);
  });

  test('that was edited is cut alike whether or not it is known what it held', async () => {
    // Where segments begin is taken over from what is known.
    const service = createFilesService({ ...SIZES, segment: 64 * MEBIBYTE });
    const source = await rig.newFolder('edited/source');
    // One with a list in its entry, one with pages of a list.
    for (const mebibytes of [10, 40]) {
      const bytes = randomBytes(mebibytes * MEBIBYTE);
      writeFileSync(`${source}/file`, bytes);
      const base = await rig.backUp({ paths: [source] }, { service });
      const at = bytes.length / 2;
      bytes.fill('overwritten', 5 * MEBIBYTE, 5 * MEBIBYTE + 100_000);
      const pieces = [
        bytes.subarray(0, 70_000),
        randomBytes(50_001),
        bytes.subarray(70_000, at),
        bytes.subarray(at + 777),
      ];
      writeFileSync(`${source}/file`, Buffer.concat([...pieces, bytes.subarray(0, 100_000)]));
      const known = await rig.backUp({ paths: [source] }, { service, base: base.backup });
      const full = await rig.backUp({ paths: [source] }, { service });
      assert.equal(known.made.readBytes, full.made.readBytes);
      assert.deepEqual(await contentOf(known), await contentOf(full));
      await rig.restore(known.backup, { target: `${rig.folder}/edited/${mebibytes}` }, { service });
      assertSameTree(`${rig.folder}/edited/${mebibytes}/source`, source);
    }
  });

  async function idsOf(made: MadeBackup): Promise<string[]> {
    const content = await contentOf(made);
    assert.ok(content !== undefined && 'segments' in content);
    return content.segments.map(({ id }) => Buffer.from(id!).toString('hex'));
  }

  async function contentOf({ backup }: MadeBackup): Promise<Content | undefined> {
    return (await rig.entries(backup)).find((entry) => entry.path.endsWith('/file'))?.content;
  }
});
