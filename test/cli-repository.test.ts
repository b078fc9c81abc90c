import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { commandLine, filesBelow } from './command-line.ts';

describe('holdfast, for what keeps a repository', { concurrency: 2 }, () => {
  test('what was forgotten can be brought back from the trash, and a prune removes what is over', async (context) => {
    const holdfast = await commandLine(context);
    const folder = await holdfast.put('source/file', 'x'.repeat(50_000));
    const { backup } = await holdfast.json(['backup', folder, '--resource', 'a']);
    await holdfast.json(['backup', await holdfast.put('other/file', 'y'), '--resource', 'b']);
    await holdfast.json(['forget', backup.id]);
    const { forgotten } = await holdfast.json(['trash', 'list']);
    assert.deepEqual(
      forgotten.map(({ id }) => id),
      [backup.id],
    );
    assert.match((await holdfast.run(['prune'])).stdout, /nothing to remove/);
    await holdfast.problem(['trash', 'restore', 'backup-01ARZ3NDEKTSV4RRFFQ69G5FAV'], 1);
    await holdfast.json(['trash', 'restore', backup.id]);
    assert.equal((await holdfast.json(['list'])).backups.length, 2);
    const target = join(holdfast.folder, 'back');
    await holdfast.json(['restore', backup.id, '--target', target]);
    await writeFile(join(holdfast.folder, 'holdfast.yaml'), 'trashDays: 0\n');
    await holdfast.json(['forget', backup.id]);
    assert.match((await holdfast.run(['prune', '--dry-run'])).stdout, /would free/);
    assert.match((await holdfast.run(['prune'])).stdout, /freed .*left the trash for good/s);
    await holdfast.problem(['trash', 'restore', backup.id], 1);
    assert.equal((await holdfast.json(['verify', '--level', '4'])).ok, true);
    const shallow = (await holdfast.run(['verify'])).stdout;
    assert.match(shallow, /level 2: no damage found \(1 backup, no pack was read; .*verify --level 4/s);
    assert.match(
      (await holdfast.run(['verify', '--level', '4'])).stdout,
      /level 4: .*1 backup, \d+ packs?, \d+ chunks?/,
    );
  });

  test('a copy is made, synced and recovered from when the repository is gone', async (context) => {
    const holdfast = await commandLine(context);
    const folder = await holdfast.put('source/file', 'x'.repeat(50_000));
    await writeFile(join(holdfast.folder, 'holdfast.yaml'), 'copies:\n  - id: usb\n    folder: ./usb\n');
    const { backup } = await holdfast.json(['backup', folder, '--resource', 'a']);
    const { copies } = await holdfast.json(['copy', 'list']);
    assert.deepEqual([copies[0]?.id, copies[0]?.state], ['usb', 'missing']);
    await holdfast.problem(['copy', 'sync'], 1);
    await holdfast.json(['copy', 'init', 'usb']);
    assert.match((await holdfast.run(['copy', 'sync', '--dry-run'])).stdout, /1 backup would be copied/);
    assert.match((await holdfast.run(['copy', 'sync', 'usb'])).stdout, /1 backup copied/);
    await holdfast.problem(['copy', 'sync', 'nosuch'], 1);
    await rm(join(holdfast.folder, 'data', 'repository'), { recursive: true });
    await rm(join(holdfast.folder, 'data', 'catalogue.sqlite'), { force: true });
    const [usb, data] = [join(holdfast.folder, 'usb'), join(holdfast.folder, 'data')];
    await holdfast.json([
      'recover',
      '--repository',
      usb,
      '--key-file',
      join(data, 'keys', 'holdfast.key'),
      '--data',
      data,
    ]);
    await writeFile(join(holdfast.folder, 'holdfast.yaml'), `repository:\n  folder: ${usb}\n`);
    const target = join(holdfast.folder, 'back');
    await holdfast.json(['restore', backup.id, '--target', target]);
    assert.equal(await readFile(join(target, 'file'), 'utf8'), 'x'.repeat(50_000));
  });

  test('the catalogue is rebuilt from a repository and a key', async (context) => {
    const holdfast = await commandLine(context);
    const { backup } = await holdfast.json(['backup', '-', '--resource', 'dump'], 'precious');
    await holdfast.json(['key', 'add', '--new-key-file', join(holdfast.folder, 'kept.key')]);
    const config = (await filesBelow(holdfast.data)).find((path) => path.endsWith('/config'));
    const place = ['--repository', join(config ?? '', '..'), '--key-file', join(holdfast.folder, 'kept.key')];
    const fresh = join(holdfast.folder, 'fresh');
    const recovered = await holdfast.json(['recover', ...place, '--data', fresh]);
    assert.equal(recovered.repositories[0]?.added, 1);

    const environment = { HOLDFAST_DEBUG: '1' };
    const again = await holdfast.run(['recover', ...place, '--data', fresh], '', environment);
    assert.equal(again.code, 0, again.stderr);
    assert.match(again.stdout, /Found 1 backup in .*\nThe old catalogue lies in /);
    assert.equal(backup.resourceId, 'dump');

    // What it says to write is what the next command needs.
    assert.equal((await holdfast.problem(['list', '--data', fresh], 10)).code, 'repository-missing');
    const settings = again.stdout.slice(again.stdout.indexOf('  data:')).replaceAll(/^ {2}/gm, '');
    await writeFile(join(holdfast.folder, 'holdfast.yaml'), settings);
    assert.equal((await holdfast.run(['restore', backup.id, '--output', '-'])).stdout, 'precious');
  });

  test('a service whose repository is gone makes no empty one, unless it is told to', async (context) => {
    const holdfast = await commandLine(context);
    await holdfast.json(['backup', '-', '--resource', 'dump'], 'precious');
    const repository = join(holdfast.data, 'repository');
    await rename(repository, `${repository}.unmounted`);
    const refused = await holdfast.problem(['serve', '--port', '0'], 10);
    assert.equal(refused.code, 'repository-gone');
    assert.match(refused.message, /lists 1 backup in it\. Mount its disk/);
    assert.ok(!existsSync(repository));
    const { child } = await holdfast.serve(context, ['--new-repository']);
    assert.ok(existsSync(repository));
    child.kill('SIGTERM');
    await once(child, 'exit');
  });
});
