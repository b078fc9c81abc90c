import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { after, before, describe, test } from 'node:test';
import { toByteString } from './byte-path.ts';
import { listAndLook, listFolder } from './folder-listing.ts';

describe('a listing of a folder', () => {
  let folder: string;
  before(() => {
    folder = mkdtempSync(`${tmpdir()}/holdfast-listing-`);
    for (const name of ['b', 'B', 'a', 'a.b', '\xff\xfe', '\x01', 'ä'])
      writeFileSync(Buffer.from(`${folder}/${name}`, 'latin1'), '');
    mkdirSync(`${folder}/folder`);
    mkdirSync(Buffer.from(`${folder}/folder \xe4`, 'latin1'));
    symlinkSync('folder', `${folder}/link to folder`);
    symlinkSync('nowhere', `${folder}/dangling`);
  });
  after(() => rmSync(folder, { recursive: true }));

  for (const list of [listFolder, listAndLook]) {
    test(`by ${list.name} gives names as they are, in byte order, and tells which are folders`, async () => {
      const { names, folders } = await list(toByteString(folder).slice(1));
      assert.deepEqual(names, [
        '\x01',
        'B',
        'a',
        'a.b',
        'b',
        'dangling',
        'folder',
        'folder \xe4',
        'link to folder',
        '\xe4',
        '\xff\xfe',
      ]);
      assert.deepEqual([...folders].sort(), ['folder', 'folder \xe4']);
    });

    test(`by ${list.name} of what is no folder or not there fails with the system's error`, async () => {
      await assert.rejects(list(toByteString(`${folder}/a`).slice(1)), { code: 'ENOTDIR' });
      await assert.rejects(list(toByteString(`${folder}/nothing`).slice(1)), { code: 'ENOENT' });
    });
  }

  test('holds each name once, also where it comes in many pieces', async () => {
    const many = `${folder}/folder/many`;
    mkdirSync(many);
    for (let number = 0; number < 3000; number++) writeFileSync(`${many}/${number}`, '');
    const { names, folders } = await listFolder(toByteString(many).slice(1));
    assert.deepEqual(names, Array.from({ length: 3000 }, (_, number) => `${number}`).sort());
    assert.equal(folders.size, 0);
  });
});
