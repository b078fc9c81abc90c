import assert from 'node:assert/strict';
import { lstatSync, readdirSync, writeFileSync } from 'node:fs';
import { after, before, describe, test } from 'node:test';
import { assertSameTree } from './files-comparison.ts';
import { FilesRig } from './files-rig.ts';
import { makeContents, makeHardLinks, makeMetadata, makeNames, makeSparse } from './files-sample-tree.ts';

describe('a tree backed up and restored', () => {
  let rig: FilesRig;
  before(async () => {
    rig = await FilesRig.create();
  });
  after(() => rig.remove());

  for (const [what, make] of [
    ['contents of all sizes', makeContents],
    ['names of all bytes', makeNames],
    ['links, special files, modes, owners, times and attributes', makeMetadata],
    ['files with several names', makeHardLinks],
  ] as const) {
    test(`keeps ${what}`, async () => {
      const source = await rig.newFolder(`${make.name}/source`);
      make(source);
      const { backup, warnings } = await rig.backUp({ paths: [source] });
      assert.deepEqual(warnings, []);
      const target = `${rig.folder}/${make.name}/target`;
      const restored = await rig.restore(backup, { target });
      assert.deepEqual(restored.warnings, []);
      assertSameTree(`${target}/source`, source);
    });
  }

  test('keeps holes as holes', async () => {
    const source = await rig.newFolder('sparse/source');
    makeSparse(source);
    const { backup, made } = await rig.backUp({ paths: [source] });
    const target = `${rig.folder}/sparse/target`;
    await rig.restore(backup, { target });
    assertSameTree(`${target}/source`, source);
    for (const name of readdirSync(source)) {
      // File systems count what they need to list a large file's pieces, of which there are more until the page cache was written.
      const expected = lstatSync(`${source}/${name}`).blocks + (name.startsWith('large') ? 16 : 0);
      const actual = lstatSync(`${target}/source/${name}`).blocks;
      assert.ok(actual <= expected, `${name}: ${actual} blocks instead of ${expected}`);
    }
    assert.ok(made.readBytes < made.sourceBytes / 2, 'holes were read');
  });

  test('keeps a folder of 20,000 files', async () => {
    const source = await rig.newFolder('many/source');
    for (let number = 0; number < 20_000; number++) writeFileSync(`${source}/${number}`, `file ${number}`);
    const { backup } = await rig.backUp({ paths: [source] });
    assert.equal(backup.statistics.sourceBytes, backup.size);
    const target = `${rig.folder}/many/target`;
    const { report } = await rig.restore(backup, { target });
    assert.equal(report.files, 20_000);
    assertSameTree(`${target}/source`, source);
  });
});
