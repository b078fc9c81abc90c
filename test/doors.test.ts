import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { eventually } from './eventually.ts';
import { Service, spawnHoldfast } from './service-process.ts';

/** The real service and command line, with hooks in the configuration file. */
describe('hooks and tests of resources, from the outside', () => {
  let folder: string;
  let data: string;
  let log: string;

  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'holdfast-doors-'));
    data = path.join(folder, 'data');
    log = path.join(folder, 'hooks.log');
    await mkdir(path.join(folder, 'source'));
    await writeFile(path.join(folder, 'source', 'a.txt'), 'a');
    await writeFile(path.join(folder, 'password'), 'the-hooks-password\n');
    const hook = `require('fs').appendFileSync(process.argv[1], process.env.HOLDFAST_EVENT + ' ' + process.env.HOLDFAST_RESOURCE_ID + ' ' + process.env.TOKEN + ' ' + ('HOLDFAST_DATA' in process.env) + '\\n')`;
    const command = JSON.stringify([process.execPath, '--eval', hook, log]);
    const hooks = ['before-backup', 'after-backup', 'before-restore', 'after-restore'].map(
      (when) => `  - {when: ${when}, command: ${command}, environment: {TOKEN: 'file:${folder}/password'}}`,
    );
    const waiting = JSON.stringify(['/bin/sh', '-c', `until [ -e '${folder}/go' ]; do sleep 0.05; done`]);
    hooks.push(`  - {when: before-backup, resources: [slow], command: ${waiting}}`);
    await writeFile(path.join(folder, 'holdfast.yaml'), `hooks:\n${hooks.join('\n')}\n`);
  });
  after(() => rm(folder, { recursive: true, force: true }));

  const words = () => ['--config', path.join(folder, 'holdfast.yaml')];
  const lines = async () => {
    const found = (await readFile(log, 'utf8').catch(() => '')).split('\n').filter((line) => line !== '');
    await rm(log, { force: true });
    return found;
  };

  async function run(command: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
    const child = spawnHoldfast([...command, ...words(), '--data', data]);
    const [stdout, stderr, [code]] = await Promise.all([
      text(child.stdout!),
      text(child.stderr!),
      once(child, 'close'),
    ]);
    return { code: code as number, stdout, stderr };
  }

  test('the service runs hooks around posted backups and restores, with their secret and none of its own', async () => {
    const service = await Service.start(data, words());
    try {
      const backup = await service.call('POST', '/backups', JSON.stringify({ resourceId: 'state', data: { a: 1 } }));
      assert.deepEqual(await lines(), [
        'before-backup state the-hooks-password false',
        'after-backup state the-hooks-password false',
      ]);
      await service.call('POST', '/restore', JSON.stringify({ backupId: backup.id, createdBy: 'test' }));
      assert.deepEqual(
        (await lines()).map((line) => line.split(' ')[0]),
        ['before-restore', 'after-restore'],
      );
      const configuration = { paths: [path.join(folder, 'source'), path.join(folder, 'absent')] };
      await service.call('PUT', '/resources/half', JSON.stringify({ service: 'files', configuration }));
      const half = await service.call('POST', '/resources/half/test');
      assert.equal(half.ok, false);
      const found = half.checks as { name: string; outcome: string; message: string }[];
      assert.deepEqual(found.map(({ name, outcome }) => `${name} ${outcome}`).sort(), [
        'attributes ok',
        'path failed',
        'path ok',
        'repository key ok',
        'repository ok',
        'repository space ok',
      ]);
      assert.ok(found.some(({ message }) => /can be written/.test(message)));
      assert.deepEqual(await lines(), []);
    } finally {
      await service.end('SIGTERM');
    }
  });

  test('the command line runs hooks, tests resources, and the doctor tests all of them', async () => {
    const made = await run(['backup', path.join(folder, 'source'), '--resource', 'whole', '--json']);
    assert.equal(made.code, 0, made.stderr);
    assert.deepEqual(
      (await lines()).map((line) => line.split(' ').slice(0, 2).join(' ')),
      ['before-backup whole', 'after-backup whole'],
    );
    const whole = await run(['resource', 'test', 'whole', '--json']);
    assert.equal(whole.code, 0, whole.stdout);
    assert.equal(JSON.parse(whole.stdout).ok, true);
    const half = await run(['resource', 'test', 'half']);
    assert.equal(half.code, 1);
    assert.match(half.stdout, /^failed {3}path +There is no .*absent\.\n +Mount what it lies on/m);
    const doctor = await run(['doctor']);
    assert.match(doctor.stdout, /ok +resource +whole can be backed up/);
    assert.match(doctor.stdout, /ok +hook +after-restore: .* is there/);
    assert.match(doctor.stdout, /fail +resource +half, path: There is no/);
    assert.equal(doctor.code, 1);
    assert.equal((await run(['resource', 'test', 'nobody'])).code, 1);
  });

  test('the command line waits while the service works on the same resource with hooks, and not for others', async () => {
    const service = await Service.start(data, words());
    try {
      const configuration = { paths: [path.join(folder, 'source')] };
      await service.call('PUT', '/resources/slow', JSON.stringify({ service: 'files', configuration }));
      await service.call('POST', '/backups', JSON.stringify({ resourceId: 'slow' }));
      const logged = async () =>
        (await readFile(log, 'utf8').catch(() => '')).split('\n').map((line) => line.split(' ', 2).join(' '));
      await eventually(async () => (await logged()).includes('before-backup slow'), 'the hook did not begin');
      const second = run(['backup', '--resource', 'slow', '--json']);
      const other = await run(['backup', path.join(folder, 'source'), '--resource', 'another', '--json']);
      assert.equal(other.code, 0, other.stderr);
      const phases = async () => {
        const listed: unknown = await service.call('GET', '/operations?resourceId=slow');
        return (listed as { progress?: { phase?: string } }[]).map(({ progress }) => progress?.phase);
      };
      await eventually(
        async () => (await phases()).includes('waiting for another process'),
        'the operation did not wait for the other process',
      );
      assert.deepEqual(
        (await logged()).filter((line) => line.endsWith(' slow')),
        ['before-backup slow'],
      );
      await writeFile(path.join(folder, 'go'), '');
      const { code, stderr } = await second;
      assert.equal(code, 0, stderr);
      const turns = (await logged()).filter((line) => line.endsWith(' slow'));
      assert.deepEqual(turns, ['before-backup slow', 'after-backup slow', 'before-backup slow', 'after-backup slow']);
    } finally {
      // Whatever went wrong, nobody shall wait on.
      await writeFile(path.join(folder, 'go'), '');
      await service.end('SIGTERM');
    }
  });

  test('the command line shows the plan of a restore into another resource, and then does it', async () => {
    const service = await Service.start(data, words());
    try {
      const configuration = { paths: [path.join(folder, 'restored')] };
      await service.call('PUT', '/resources/other', JSON.stringify({ service: 'files', configuration }));
    } finally {
      await service.end('SIGTERM');
    }
    await lines();
    const restore = ['restore', 'latest', '--resource', 'whole', '--to-resource', 'other'];
    const plan = await run([...restore, '--dry-run']);
    assert.equal(plan.code, 0, plan.stderr);
    assert.match(plan.stdout, /^Would restore .* to the resource other\.$/m);
    assert.match(plan.stdout, /^Would be created: 1\n {2}\/.*source\/a\.txt$/m);
    assert.match(plan.stdout, /^Bytes to restore: 1 B, about .* by the speed of the backup\.$/m);
    assert.deepEqual(await lines(), [], 'a dry run has no hooks');
    const done = await run(restore);
    assert.equal(done.code, 0, done.stderr);
    assert.equal(await readFile(path.join(folder, 'restored', 'a.txt'), 'utf8'), 'a');
    assert.deepEqual(
      (await lines()).map((line) => line.split(' ')[0]),
      ['before-restore', 'after-restore'],
    );
    const posted = ['restore', 'latest', '--resource', 'state', '--to-resource', 'other'];
    assert.match((await run(posted)).stderr, /leave --to-resource away/);
    assert.match((await run([...restore, '--in-place'])).stderr, /one of them/);
  });
});
