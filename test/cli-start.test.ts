import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const MAIN = fileURLToPath(new URL('../src/main.ts', import.meta.url));
/** Tells the package of each module that is loaded, behind all that a command prints. */
const LISTING = `
  import { registerHooks } from 'node:module';
  const packages = new Set();
  registerHooks({
    load(url, context, next) {
      const [, name] = /.*\\/node_modules\\/((?:@[^/]+\\/)?[^/]+)/.exec(url) ?? [];
      if (name !== undefined) packages.add(name);
      return next(url, context);
    },
  });
  process.on('exit', () => {
    if (process.moduleLoadList.includes('NativeModule http')) packages.add('node:http');
    process.stdout.write('\\nPACKAGES ' + [...packages].sort().join(' '));
  });`;

test('what only tells about commands, or asks another service, loads no package that it does not need', async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-start-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const packagesOf = (...words: string[]) => loadedPackages(folder, MAIN, ...words);
  const telling = [
    ['--help'],
    ['--version'],
    ...['policy', 'schedule', 'retention', 'resource'].map((name) => [name, '--help']),
  ];
  for (const words of [...telling, ['policy', 'check', '--help']])
    assert.deepEqual(await packagesOf(...words), ['commander'], words.join(' '));
  const pull = await packagesOf('pull', 'shop', '--server', 'http://127.0.0.1:1', '--output', 'shop.sql');
  assert.ok(pull.includes('commander'));
  for (const heavy of ['zod', 'yaml', 'fastify', 'pino', 'kysely']) assert.ok(!pull.includes(heavy), heavy);
});

test('a backup of files loads no package of other services, and its threads none but what encodes and decodes', async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-start-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  await mkdir(path.join(folder, 'given'));
  const backup = await loadedPackages(folder, MAIN, 'backup', 'given', '--data', 'data');
  for (const used of ['commander', 'kysely', 'zod']) assert.ok(backup.includes(used), used);
  for (const heavy of [
    'pg',
    'yaml',
    'pino',
    'jsonpath-rfc9535',
    'tar-stream',
    '@aws-sdk/client-s3',
    'fastify',
    'node:http',
  ])
    assert.ok(!backup.includes(heavy), heavy);
  // Outside of a thread it ends when all that it imports is loaded.
  const worker = path.join(path.dirname(MAIN), 'repository/pipeline/worker.ts');
  assert.deepEqual(await loadedPackages(folder, worker), ['cborg']);
});

test('the service says at once that a folder cannot be made', { skip: !existsSync('/proc/self') }, async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-start-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const failureOf = (...words: string[]) =>
    promisify(execFile)(process.execPath, [MAIN, 'serve', '--port', '0', ...words], {
      cwd: folder,
      timeout: 60_000,
      killSignal: 'SIGKILL',
    }).then(
      () => assert.fail('it started'),
      ({ code, stderr }: { code: number; stderr: string }) => ({ code, stderr }),
    );
  const data = await failureOf('--data', '/proc/nope');
  assert.equal(data.code, 1);
  assert.match(data.stderr, /The data folder \/proc\/nope cannot be made or written to/);
  const repository = await failureOf('--data', folder, '--repository', '/proc/nope');
  assert.equal(repository.code, 1);
  assert.match(repository.stderr, /\/proc\/nope.* cannot be made/);
});

/** The packages of whose modules the script loads any, and `node:http` with them. */
async function loadedPackages(folder: string, script: string, ...words: string[]): Promise<readonly string[]> {
  const listing = `data:text/javascript,${encodeURIComponent(LISTING)}`;
  const run = promisify(execFile)(process.execPath, ['--import', listing, script, ...words], { cwd: folder });
  const { stdout } = await run.catch((error: { stdout: string }) => error);
  return /PACKAGES (.*)$/.exec(stdout)?.[1]?.split(' ') ?? [];
}
