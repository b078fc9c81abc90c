import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, it } from 'node:test';
import { makeFolders } from './make-folders.ts';

describe('making folders', () => {
  const place = mkdtempSync(path.join(tmpdir(), 'holdfast-make-folders-'));
  after(() => rmSync(place, { recursive: true, force: true }));

  it('makes what is missing and says which is the outermost', () => {
    const folder = path.join(place, 'a', 'b', 'c');
    assert.equal(makeFolders(folder, { mode: 0o700 }), path.join(place, 'a'));
    assert.equal(statSync(folder).mode & 0o777, 0o700);
    assert.equal(makeFolders(folder, { mode: 0o700 }), undefined);
    assert.equal(makeFolders(path.join(folder, 'd'), { mode: 0o700 }), path.join(folder, 'd'));
  });

  it('fails where something else stands in the way', () => {
    const file = path.join(place, 'file');
    writeFileSync(file, '');
    const link = path.join(place, 'link');
    symlinkSync(path.join(place, 'nowhere'), link);
    assert.throws(() => makeFolders(file, { mode: 0o700 }), { code: 'EEXIST' });
    assert.throws(() => makeFolders(path.join(file, 'x', 'y'), { mode: 0o700 }), { code: 'EEXIST' });
    assert.throws(() => makeFolders(path.join(link, 'x'), { mode: 0o700 }), { code: 'EEXIST' });
  });

  it('ends where a folder refuses whatever is to be made in it', { skip: !existsSync('/proc/self') }, () => {
    for (const folder of ['/proc/nope', '/proc/nope/a/b'])
      assert.throws(() => makeFolders(folder, { mode: 0o700 }), { code: 'ENOENT' });
  });
});
