import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFile,
  chmod,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { firstLine } from './first-line.ts';
import { SERVER_ACCOUNT, SKIP_CLOSED_CHECKOUT } from './server-account.ts';

const CHECKOUT = path.join(import.meta.dirname, '..');
const DAY = 86_400_000;
const run = promisify(execFile);

describe('a checkout runs from a bundle', () => {
  test('that is made once, by however many processes start at first, and anew when a source changes', async (t) => {
    const checkout = await Checkout.make(t);
    const starts = await Promise.all([1, 2, 3].map(() => checkout.start('--version')));
    for (const { stdout, stderr } of starts) assert.deepEqual([stdout, stderr], [VERSION, '']);
    const made = await checkout.bundles();
    assert.equal(made.length, 1, `one bundle and nothing half done: ${made}`);
    await checkout.start('--version');
    assert.deepEqual(await checkout.bundles(), made);

    await appendFile(checkout.path('src/main.ts'), '\n');
    await checkout.start('--version');
    assert.equal((await checkout.bundles()).length, 2, 'a running process may still read from the one before');
  });

  test('that holds the threads, tasks and storages of a backup and its restore', async (t) => {
    const checkout = await Checkout.make(t);
    await mkdir(checkout.path('given'));
    await appendFile(checkout.path('given/file'), 'x'.repeat(200_000));
    await checkout.start('backup', checkout.path('given'), '--resource', 'given', '--data', checkout.path('data'));
    // What the bundle needs of the sources is in it.
    await rm(checkout.path('src/services'), { recursive: true });
    const bundle = checkout.path('.bundles', (await checkout.bundles())[0]!, 'main.mjs');
    const words = ['restore', 'latest', '--resource', 'given', '--target', checkout.path('back')];
    await run(process.execPath, [bundle, ...words, '--data', checkout.path('data')], { cwd: checkout.folder });
    const restored = await readdir(checkout.path('back'), { recursive: true });
    assert.ok(restored.some((name) => path.basename(name) === 'file'));
  });

  test('or from its sources where none can be made, and says why', async (t) => {
    const checkout = await Checkout.make(t);
    await rm(checkout.path('node_modules/esbuild'));
    const { stdout, stderr } = await checkout.start('--version');
    assert.equal(stdout, VERSION);
    assert.match(stderr, /^Holdfast: running from the sources.*esbuild.*\n$/);
    const failure = await checkout.start('list', '--json', '--data', checkout.path('none')).then(
      () => assert.fail('there is no repository'),
      (error: { stderr: string }) => error.stderr.trim().split('\n'),
    );
    assert.match(JSON.parse(failure[0]!).warning, /^running from the sources/);
    assert.equal(typeof JSON.parse(failure.at(-1)!).code, 'string');
    assert.deepEqual(await checkout.bundles(), []);
  });

  test('or from its sources where one of them finds things in a way that the bundle does not know, and names the place', async (t) => {
    const checkout = await Checkout.make(t);
    await appendFile(checkout.path('src/core/errors.ts'), '\nexport const here = import.meta.dirname;\n');
    const { stdout, stderr } = await checkout.start('--version');
    assert.equal(stdout, VERSION);
    assert.match(stderr, /src\/core\/errors\.ts:\d+: the bundle knows import\.meta/);
    assert.deepEqual(await checkout.bundles(), []);
  });

  test('or from its sources where that is asked for', async (t) => {
    const checkout = await Checkout.make(t);
    const { stdout } = await checkout.start({ HOLDFAST_FROM_SOURCES: '1' }, '--version');
    assert.equal(stdout, VERSION);
    assert.deepEqual(await checkout.bundles(), []);
  });

  test('and keeps others that were used within a week, because what runs imports from them', async (t) => {
    const checkout = await Checkout.ofLittle(t);
    for (const [name, days] of [
      ['used', 6],
      ['forgotten', 8],
    ] as const) {
      await mkdir(checkout.path('.bundles', name), { recursive: true });
      const then = new Date(Date.now() - days * DAY);
      await utimes(checkout.path('.bundles', name), then, then);
    }
    await checkout.start('--version');
    const bundles = await checkout.bundles();
    assert.deepEqual([bundles.length, bundles.includes('used'), bundles.includes('forgotten')], [2, true, false]);
  });

  test('and removes what a build left that was killed, not what one makes at this moment', async (t) => {
    const checkout = await Checkout.ofLittle(t);
    for (const [name, hours] of [
      ['new-killed', 2],
      ['new-begun', 0],
    ] as const) {
      await mkdir(checkout.path('.bundles', name, 'bundle'), { recursive: true });
      const then = new Date(Date.now() - hours * 3_600_000);
      await utimes(checkout.path('.bundles', name), new Date(), then);
    }
    await checkout.start('--version');
    const bundles = await checkout.bundles();
    assert.deepEqual([bundles.length, bundles.includes('new-begun')], [2, true]);
  });

  test('and removes what it may where something that a build left is not its to remove', {
    skip: SKIP_CLOSED_CHECKOUT,
  }, async (t) => {
    const checkout = await Checkout.ofLittle(t);
    const left = checkout.path('.bundles', 'new-killed');
    const then = new Date(Date.now() - 8 * DAY);
    await mkdir(path.join(left, 'bundle'), { recursive: true });
    await mkdir(checkout.path('.bundles', 'forgotten'));
    await writeFile(path.join(left, 'bundle', 'main.mjs'), '');
    const { uid, gid } = SERVER_ACCOUNT ?? {};
    const account = uid === undefined ? [] : ['setpriv', `--reuid=${uid}`, `--regid=${gid}`, '--clear-groups'];
    if (uid !== undefined) await run('chown', ['-R', `${uid}:${gid}`, checkout.folder]);
    if (uid !== undefined) await run('chown', ['-R', 'root:root', path.join(left, 'bundle')]);
    await chmod(path.join(left, 'bundle'), 0o500);
    for (const name of ['new-killed', 'forgotten']) await utimes(checkout.path('.bundles', name), then, then);
    const [program = '', ...words] = [...account, process.execPath, checkout.path('bin/holdfast.js'), '--version'];
    const ended = await run(program, words, { cwd: checkout.folder, env: checkout.environment() });
    const bundles = await checkout.bundles();
    for (const name of bundles) await chmod(checkout.path('.bundles', name, 'bundle'), 0o700).catch(() => undefined);
    assert.deepEqual([ended.stdout, ended.stderr, bundles.length], [VERSION, '', 2]);
    assert.ok(!bundles.includes('forgotten'), bundles.join());
  });

  test('and keeps one that an account reads which may not write to it', async (t) => {
    const checkout = await Checkout.ofLittle(t);
    const then = new Date(Date.now() - 30 * DAY);
    for (const [name, read] of [
      ['read', new Date(Date.now() - DAY)],
      ['forgotten', new Date(Date.now() - 9 * DAY)],
    ] as const) {
      await mkdir(checkout.path('.bundles', name), { recursive: true });
      await utimes(checkout.path('.bundles', name), read, then);
    }
    await checkout.start('--version');
    const bundles = await checkout.bundles();
    assert.deepEqual([bundles.length, bundles.includes('read')], [2, true]);
  });

  test('also where sources of another content have the same size and the same time', async (t) => {
    const checkout = await Checkout.ofLittle(t);
    const file = checkout.path('src/main.ts');
    const [text, { atime, mtime }] = [await readFile(file, 'utf8'), await stat(file)];
    await appendFile(file, '// one\n');
    await utimes(file, atime, mtime);
    await checkout.start('--version');
    await writeFile(file, `${text}// two\n`);
    await utimes(file, atime, mtime);
    await checkout.start('--version');
    assert.equal((await checkout.bundles()).length, 2);
  });

  test('and makes it again where half of it was removed', async (t) => {
    const checkout = await Checkout.ofLittle(t);
    await checkout.start('--version');
    const made = await checkout.bundles();
    await rm(checkout.path('.bundles', made[0]!, 'main.mjs'));
    const { stdout, stderr } = await checkout.start('--version');
    assert.deepEqual([stdout, stderr], [VERSION, '']);
    assert.deepEqual(await checkout.bundles(), made);
    assert.ok((await readdir(checkout.path('.bundles', made[0]!))).includes('main.mjs'));
  });

  test('and a service goes on from it while sources change and packages are installed anew', async (t) => {
    const checkout = await Checkout.make(t);
    const service = spawn(
      process.execPath,
      [checkout.path('bin/holdfast.js'), 'serve', '--data', checkout.path('data'), '--port', '0', '--json'],
      { cwd: checkout.folder, env: checkout.environment(), stdio: ['ignore', 'pipe', 'pipe'] },
    );
    t.after(async () => {
      const ended = once(service, 'exit');
      if (service.exitCode === null && service.kill('SIGKILL')) await ended;
    });
    const { url } = JSON.parse(await firstLine(service)) as { url: string };
    await rm(checkout.path('node_modules'), { recursive: true });
    await linkPackages(checkout.path('node_modules'), () => true);
    await appendFile(checkout.path('src/main.ts'), '\n');
    await checkout.start('--version');
    const answer = await fetch(`${url}/resources/given/backups`, {
      method: 'PUT',
      headers: { 'content-type': 'application/octet-stream' },
      body: 'x'.repeat(200_000),
    });
    assert.ok(answer.ok, await answer.text());
  });

  test('whose errors name lines of the sources where they are asked for', async (t) => {
    const checkout = await Checkout.make(t);
    const failure = await checkout.start({ HOLDFAST_DEBUG: '1' }, 'list', '--data', checkout.path('none')).then(
      () => assert.fail('there is no repository'),
      (error: { stderr: string }) => error.stderr,
    );
    assert.match(failure, /src\/adapters\/cli\/commands\/list\.ts:\d+/);
  });
});

test('a checkout that installs first says so as JSON where JSON is asked for', async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-checkout-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  for (const name of ['bin', 'package.json', 'package-lock.json'])
    await cp(path.join(CHECKOUT, name), path.join(folder, name), { recursive: true });
  // No npm is found there.
  const options = { cwd: folder, env: { PATH: folder } };
  const told = (words: readonly string[]) =>
    run(process.execPath, ['bin/holdfast.js', 'list', ...words], options).then(
      () => assert.fail('nothing is installed'),
      ({ stderr }: { stderr: string }) => stderr.split('\n')[0] ?? '',
    );
  assert.match(JSON.parse(await told(['--json'])).warning, /^installing/);
  assert.match(await told([]), /^Holdfast: (waiting|installing)/);
});

describe('what is published', () => {
  test('runs without sources, lock file and tools for development', async (t) => {
    const folder = await realpath(await mkdtemp(path.join(tmpdir(), 'holdfast-package-')));
    t.after(() => rm(folder, { recursive: true, force: true }));
    const checkout = await Checkout.make(t);
    for (const name of ['README.md', 'LICENSE', 'docs'])
      await cp(path.join(CHECKOUT, name), checkout.path(name), { recursive: true });
    await run('npm', ['pack', '--pack-destination', folder], { cwd: checkout.folder });
    const [archive] = (await readdir(folder)).filter((name) => name.endsWith('.tgz'));
    const modules = path.join(folder, 'node_modules');
    await mkdir(path.join(modules, 'holdfast'), { recursive: true });
    await run('tar', [
      '-xzf',
      path.join(folder, archive!),
      '-C',
      path.join(modules, 'holdfast'),
      '--strip-components=1',
    ]);
    assert.match(await readFile(path.join(modules, 'holdfast/dist/THIRD-PARTY-LICENSES.txt'), 'utf8'), /^zod 4.*MIT/m);
    await linkPackages(modules, (name) => name !== 'esbuild' && name !== 'typescript');
    const holdfast = async (...words: string[]) =>
      run(process.execPath, [path.join(modules, 'holdfast/bin/holdfast.js'), ...words], { cwd: folder });
    assert.equal((await holdfast('--version')).stdout, VERSION);
    assert.match(
      (await holdfast('backup', path.join(modules, 'holdfast/docs'), '--data', 'data')).stdout,
      /full backup/,
    );
    assert.match((await holdfast('verify', '--level', '4', '--data', 'data')).stdout, /./);
  });
});

const VERSION = '0.1.0\n';

/** A copy of what a start looks at, with the packages of this checkout. */
class Checkout {
  readonly folder: string;

  private constructor(folder: string) {
    this.folder = folder;
  }

  static async make(t: TestContext): Promise<Checkout> {
    const checkout = await Checkout.#withoutSources(t);
    await cp(path.join(CHECKOUT, 'src'), checkout.path('src'), { recursive: true, preserveTimestamps: true });
    return checkout;
  }

  /** Of a program that knows its version alone: what becomes of a bundle does not depend on what is in it. */
  static async ofLittle(t: TestContext): Promise<Checkout> {
    const checkout = await Checkout.#withoutSources(t);
    await mkdir(checkout.path('src'));
    await writeFile(checkout.path('src/main.ts'), `process.stdout.write(${JSON.stringify(VERSION)} as string);\n`);
    return checkout;
  }

  static async #withoutSources(t: TestContext): Promise<Checkout> {
    const folder = await realpath(await mkdtemp(path.join(tmpdir(), 'holdfast-checkout-')));
    t.after(() => rm(folder, { recursive: true, force: true }));
    for (const name of ['bin', 'package.json', 'package-lock.json', 'tsconfig.json'])
      await cp(path.join(CHECKOUT, name), path.join(folder, name), { recursive: true, preserveTimestamps: true });
    await linkPackages(path.join(folder, 'node_modules'), () => true);
    return new Checkout(folder);
  }

  path(...names: string[]): string {
    return path.join(this.folder, ...names);
  }

  start(...words: string[]): Promise<{ stdout: string; stderr: string }>;
  start(environment: NodeJS.ProcessEnv, ...words: string[]): Promise<{ stdout: string; stderr: string }>;
  start(first: string | NodeJS.ProcessEnv, ...words: string[]): Promise<{ stdout: string; stderr: string }> {
    const isWord = typeof first === 'string';
    return run(process.execPath, [this.path('bin/holdfast.js'), ...(isWord ? [first] : []), ...words], {
      cwd: this.folder,
      env: { ...this.environment(), ...(isWord ? {} : first) },
    });
  }

  environment(): NodeJS.ProcessEnv {
    return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(HOLDFAST_|NODE_)/.test(name)));
  }

  async bundles(): Promise<string[]> {
    return readdir(this.path('.bundles')).catch(() => []);
  }
}

async function linkPackages(folder: string, isWanted: (name: string) => boolean): Promise<void> {
  const packages = path.join(CHECKOUT, 'node_modules');
  await mkdir(folder, { recursive: true });
  for (const name of await readdir(packages))
    if (name !== '.cache' && isWanted(name)) await symlink(path.join(packages, name), path.join(folder, name));
}
