import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { inspect } from 'node:util';
import { loadConfiguration } from './load-configuration.ts';
import { resolveSecret } from './resolve-secret.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'holdfast-config-'));
});
after(() => rm(folder, { recursive: true, force: true }));

async function fileOf(text: string): Promise<string> {
  const file = path.join(folder, `${Math.random().toString(36).slice(2)}.yaml`);
  await writeFile(file, text);
  return file;
}

test('without any setting, everything lies in ./data, loopback only, and the key is the default one', async () => {
  const configuration = await loadConfiguration({ environment: {}, workingFolder: folder });
  assert.equal(configuration.dataFolder, path.join(folder, 'data'));
  assert.equal(configuration.server.host, '127.0.0.1');
  assert.equal(configuration.server.port, 3004);
  const repository = configuration.repositories[0]!;
  assert.equal(repository.keyIsDefault, true);
  assert.deepEqual(repository.keys, [{ kind: 'keyfile', path: path.join(folder, 'data', 'keys', 'holdfast.key') }]);
  assert.deepEqual(repository.storage.options, { folder: path.join(folder, 'data', 'repository') });
});

test('the command line wins over the environment, that over the file, that over defaults', async () => {
  const file = await fileOf('server:\n  port: 1\n  host: 10.0.0.1\nmaxSnapshots: 5\n');
  const configuration = await loadConfiguration({
    file,
    environment: { PORT: '2', HOLDFAST_PASSPHRASE: 'secret words' },
    workingFolder: folder,
    overrides: { port: 3 },
  });
  assert.equal(configuration.server.port, 3);
  assert.equal(configuration.server.host, '10.0.0.1');
  assert.equal(configuration.maxSnapshots, 5);
  assert.deepEqual(configuration.repositories[0]!.keys, [
    { kind: 'passphrase', passphrase: 'env:HOLDFAST_PASSPHRASE' },
  ]);
  assert.ok(!JSON.stringify(configuration).includes('secret words'));
  const fromEnvironment = await loadConfiguration({ file, environment: { PORT: '2' }, workingFolder: folder });
  assert.equal(fromEnvironment.server.port, 2);
});

test('a mistyped setting is named together with the one that was meant', async () => {
  await assert.rejects(
    loadConfiguration({ file: await fileOf('server:\n  prot: 80\n'), environment: {}, workingFolder: folder }),
    { code: 'configuration-invalid', message: /server\.prot.*Did you mean `port`/ },
  );
  await assert.rejects(
    loadConfiguration({ file: await fileOf('maxSnapshot: 80\n'), environment: {}, workingFolder: folder }),
    { message: /`maxSnapshots`/ },
  );
});

test('wrong values, wrong YAML and a missing file are clear errors', async () => {
  await assert.rejects(
    loadConfiguration({ file: await fileOf('server:\n  port: 99999\n'), environment: {}, workingFolder: folder }),
    { message: /server\.port/ },
  );
  await assert.rejects(loadConfiguration({ file: await fileOf('a: [\n'), environment: {}, workingFolder: folder }), {
    code: 'configuration-invalid',
  });
  await assert.rejects(
    loadConfiguration({ file: path.join(folder, 'absent.yaml'), environment: {}, workingFolder: folder }),
    { code: 'configuration-missing' },
  );
  await assert.rejects(loadConfiguration({ environment: { PORT: 'eighty' }, workingFolder: folder }), {
    message: /PORT/,
  });
});

test('a secret itself has no place in the file, and is not repeated in the error', async () => {
  const file = await fileOf('repository:\n  keys:\n    - passphrase: hunter2hunter2\n');
  await assert.rejects(
    loadConfiguration({ file, environment: {}, workingFolder: folder }),
    (error: Error & { code: string }) => error.code === 'secret-in-configuration' && !error.message.includes('hunter2'),
  );
});

test('references to secrets are followed, and a missing one is named', async () => {
  const file = await fileOf('from a file\n');
  assert.equal(await resolveSecret(`file:${file}`, {}), 'from a file');
  assert.equal(await resolveSecret('env:NAME', { NAME: 'value' }), 'value');
  await assert.rejects(resolveSecret('env:NAME', {}), { code: 'secret-missing', message: /NAME/ });
  await assert.rejects(resolveSecret('file:/nowhere/at/all', {}), { code: 'secret-missing' });
});

test('a mistake in the YAML is located without showing the line, which may hold a secret', async () => {
  for (const text of [
    'repository:\n  keys:\n    - passphrase: "hunter2\n',
    'repository:\n  keys:\n    - passphrase: *hunter2\n',
    'repository:\n  keys:\n    - passphrase: @hunter2\n',
  ]) {
    await assert.rejects(
      loadConfiguration({ file: await fileOf(text), environment: {}, workingFolder: folder }),
      (error: Error & { code: string }) =>
        error.code === 'configuration-invalid' &&
        !error.message.includes('\n') &&
        !inspect(error, { depth: 5 }).includes('hunter2'),
    );
  }
  await assert.rejects(
    loadConfiguration({ file: await fileOf('data: a\ndata: b\n'), environment: {}, workingFolder: folder }),
    { message: /line 2, column 1: Map keys must be unique/ },
  );
});

test('a section without settings sets nothing, and a file that is no mapping says so', async () => {
  const file = await fileOf('server:\n  # port: 80\ncleanup:\n');
  const { server } = await loadConfiguration({ file, environment: {}, workingFolder: folder });
  assert.equal(server.port, 3004);
  await assert.rejects(loadConfiguration({ file: await fileOf('- a\n'), environment: {}, workingFolder: folder }), {
    code: 'configuration-invalid',
    message: /must hold settings by name/,
  });
});

test('a cron expression or time zone that cannot be is found before anything starts', async () => {
  for (const cleanup of ['cron: every day', 'timeZone: Mars/Olympus']) {
    await assert.rejects(
      loadConfiguration({ file: await fileOf(`cleanup:\n  ${cleanup}\n`), environment: {}, workingFolder: folder }),
      { code: 'configuration-invalid', message: /cleanup/ },
    );
  }
  const file = await fileOf('cleanup:\n  cron: 30 3 * * *\n  timeZone: Europe/Berlin\n');
  const { cleanup } = await loadConfiguration({ file, environment: {}, workingFolder: folder });
  assert.deepEqual(cleanup, { cron: '30 3 * * *', timeZone: 'Europe/Berlin', enabled: true });
});

test('the default key is never made inside the repository', async () => {
  const environment = { HOLDFAST_DATA: folder, HOLDFAST_REPOSITORY: folder };
  await assert.rejects(loadConfiguration({ environment, workingFolder: folder }), { code: 'key-inside-repository' });
  const beside = { HOLDFAST_DATA: folder, HOLDFAST_REPOSITORY: path.join(folder, 'key') };
  assert.equal((await loadConfiguration({ environment: beside, workingFolder: folder })).repositories.length, 1);
  const named = { ...environment, HOLDFAST_KEY_FILE: '/elsewhere/holdfast.key' };
  const [repository] = (await loadConfiguration({ environment: named, workingFolder: folder })).repositories;
  assert.equal(repository?.keyIsDefault, false);
});

test('hooks get what they do not say, and a hook that could not work is named', async () => {
  const load = async (hook: string) =>
    (await loadConfiguration({ file: await fileOf(`hooks:\n  - ${hook}\n`), environment: {}, workingFolder: folder }))
      .hooks;
  assert.deepEqual(await load('{when: before-backup, command: [/bin/stop, --now]}'), [
    {
      when: 'before-backup',
      resources: ['*'],
      command: ['/bin/stop', '--now'],
      timeoutSeconds: 300,
      environment: {},
      onFailure: 'fail',
    },
  ]);
  assert.equal((await load('{when: after-backup, command: [start]}'))?.[0]?.onFailure, 'warn');
  const wrong = [
    ['{when: before-backup, command: /bin/stop}', /hooks\.0\.command/],
    ['{when: before-backup, command: []}', /hooks\.0\.command/],
    ['{when: before-backup, command: [./stop]}', /absolute path, or a name that is found on PATH/],
    ['{when: sometimes, command: [stop]}', /hooks\.0\.when/],
    ['{when: before-backup, command: [stop], resources: ["a*b"]}', /hooks\.0\.resources/],
    ['{when: before-backup, command: [stop], timeoutSeconds: 0}', /hooks\.0\.timeoutSeconds/],
    ['{when: before-backup, command: [stop], environment: {HOLDFAST_EVENT: x}}', /HOLDFAST_/],
    ['{when: after-backup, command: [stop], onFailure: fail}', /can only warn/],
    ['{when: after-backup, command: [stop], timeoutSecond: 3}', /timeoutSecond`.*Did you mean `timeoutSeconds`/],
  ] as const;
  for (const [hook, message] of wrong) await assert.rejects(load(hook), { code: 'configuration-invalid', message });
});
