import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createDrillFolders } from './drill-folders.ts';

describe('folders of drills', () => {
  let parent: string;
  before(async () => {
    parent = await mkdtemp(path.join(tmpdir(), 'holdfast-folders-'));
  });
  after(() => rm(parent, { recursive: true, force: true }));

  test('are removed with all that is in them, read-only folders included', async () => {
    const folder = await createDrillFolders({ owner: 'me', isAlive: () => true, parent }).make();
    await mkdir(path.join(folder.path, 'closed'));
    await writeFile(path.join(folder.path, 'closed', 'file'), 'content', { mode: 0o400 });
    assert.ok((await folder.freeBytes()) > 0);
    await folder.remove();
    await folder.remove();
    assert.ok(!existsSync(path.dirname(folder.path)));
  });

  test('that a dead process left are removed; those of living ones, of this one and of strangers stay', async () => {
    const make = (owner: string) => createDrillFolders({ owner, isAlive: () => true, parent }).make();
    const [dead, alive, own] = [await make('dead'), await make('alive'), await make('own')];
    const young = path.join(parent, 'holdfast-drill-young');
    const old = path.join(parent, 'holdfast-drill-old');
    const kept = path.join(parent, 'kept');
    for (const folder of [young, old, kept]) await mkdir(folder);
    await utimes(old, 1, 1);
    await symlink(kept, path.join(parent, 'holdfast-drill-link'));
    const folders = createDrillFolders({ owner: 'own', isAlive: (owner) => owner === 'alive', parent });
    assert.deepEqual((await folders.removeLeftovers()).toSorted(), [path.dirname(dead.path), old].sort());
    for (const folder of [alive.path, own.path, young, kept]) assert.ok(existsSync(folder), folder);
  });
});
