import assert from 'node:assert/strict';
import { mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { createFilesService } from '../src/services/files/files-service.ts';
import { FilesRig } from './files-rig.ts';

describe('a backup of files among which a repository of this Holdfast lies', () => {
  let rig: FilesRig;
  let data: string;
  let repository: string;

  before(async () => {
    rig = await FilesRig.create();
    data = await rig.newFolder('data');
    repository = path.join(data, 'service', 'repository');
    await mkdir(path.join(repository, 'packs'), { recursive: true });
    await writeFile(path.join(repository, 'packs', 'pack'), 'sealed');
    await mkdir(path.join(data, 'service', 'repository-notes'));
    await writeFile(path.join(data, 'service', 'repository-notes', 'note'), 'mine');
    await symlink(data, path.join(rig.folder, 'link'));
  });
  after(() => rig.remove());

  const backUp = (paths: string[], more: Readonly<Record<string, unknown>> = {}, folder = repository) =>
    rig.backUp({ paths, ...more }, { service: createFilesService(undefined, [folder, '/nowhere/at/all']) });

  const restored = async (made: Awaited<ReturnType<typeof backUp>>, name: string): Promise<string> => {
    const target = path.join(await rig.newFolder('restored'), name);
    await rig.restore(made.backup, { target });
    return target;
  };

  it('leaves out what is in the repository, and says so', async () => {
    const made = await backUp([data]);
    assert.equal(made.warnings.length, 1);
    assert.match(made.warnings[0] ?? '', /data\/service\/repository is not in this backup: it is a repository/);
    const target = await restored(made, 'whole');
    assert.deepEqual((await readdir(path.join(target, 'data'), { recursive: true })).sort(), [
      'service',
      'service/repository',
      'service/repository-notes',
      'service/repository-notes/note',
    ]);
  });

  it('knows it by any path that leads there', async () => {
    const throughLink = await backUp([path.join(rig.folder, 'link', 'service')]);
    assert.equal(throughLink.warnings.length, 1);
    const configuredByLink = await backUp([data], {}, path.join(rig.folder, 'link', 'service', 'repository'));
    assert.equal(configuredByLink.warnings.length, 1);
  });

  it('says nothing where it is excluded', async () => {
    const { warnings } = await backUp([data], { exclude: ['/service/repository/'] });
    assert.deepEqual(warnings, []);
  });

  it('takes it where it is named itself, and warns', async () => {
    const made = await backUp([path.join(repository, 'packs')]);
    assert.match(made.warnings.join('\n'), /packs is in a repository of this Holdfast/);
    assert.deepEqual(await readdir(path.join(await restored(made, 'packs'), 'packs')), ['pack']);
  });
});
