import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { DurableFolders } from './durable-folders.ts';

describe('folders that survive power loss', () => {
  let place: string;
  let root: string;
  let synced: string[];
  let folders: DurableFolders;
  beforeEach(async () => {
    place = await mkdtemp(path.join(tmpdir(), 'holdfast-folders-'));
    root = path.join(place, 'made', 'repository');
    synced = [];
    folders = new DurableFolders(`${root}/`, async (folder) => {
      await stat(folder);
      synced.push(path.relative(place, folder));
    });
  });
  afterEach(() => rm(place, { recursive: true, force: true }));

  test('are made with all that they lie in, each named in a folder that was synchronised', async () => {
    await folders.ensure(path.join(root, 'packs', 'ab'));
    assert.deepEqual(synced.sort(), ['', 'made', 'made/repository', 'made/repository/packs']);
  });

  test('are made to last also where somebody else made them at this moment', async () => {
    await mkdir(path.join(root, 'packs', 'ab'), { recursive: true });
    await folders.ensure(path.join(root, 'packs', 'ab'));
    assert.deepEqual(synced.sort(), ['made/repository', 'made/repository/packs']);
  });

  test('are synchronised once', async () => {
    await folders.ensure(path.join(root, 'packs', 'ab'));
    synced = [];
    await folders.ensure(path.join(root, 'packs', 'ab'));
    assert.deepEqual(synced, []);
    await folders.ensure(path.join(root, 'packs', 'cd'));
    assert.deepEqual(synced, ['made/repository/packs']);
  });
});
