import assert from 'node:assert/strict';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { HoldfastError } from '../core/errors.ts';
import type { HookConfiguration } from '../core/hook-configuration.ts';
import type { HookEvent } from '../core/ports/hook-runner.ts';
import { createProcessHookRunner } from './process-hook-runner.ts';

const never = new AbortController().signal;
const event: HookEvent = { when: 'before-backup', resourceId: 'shop', operationId: 'operation-1' };

describe('hooks as processes', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'holdfast-hooks-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  function hook(command: readonly [string, ...string[]], more: Partial<HookConfiguration> = {}) {
    const configured: HookConfiguration = {
      when: 'before-backup',
      resources: ['*'],
      command,
      timeoutSeconds: 60,
      environment: {},
      onFailure: 'fail',
      ...more,
    };
    const resolveSecret = async (reference: string) => {
      if (reference === 'env:ABSENT') throw new HoldfastError('invalid', 'secret-missing', 'ABSENT is not set.');
      return 'the-real-secret';
    };
    return createProcessHookRunner([configured], resolveSecret).due('before-backup', 'shop')[0]!;
  }

  const script = (code: string, ...more: string[]): [string, ...string[]] => [
    process.execPath,
    '--input-type=module',
    '--eval',
    code,
    ...more,
  ];

  /** A process that was killed may wait for its parent to notice. */
  async function isRunning(pid: number): Promise<boolean> {
    const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
    return status !== undefined && !/\) [ZX] /.test(status);
  }

  async function pidIn(file: string): Promise<number> {
    for (;;) {
      const pid = Number(await readFile(file, 'utf8').catch(() => ''));
      if (pid > 0) return pid;
      await sleep(20);
    }
  }

  test('a command that ends well is done, and its arguments reach it as they are, without a shell', async () => {
    const file = path.join(folder, 'arguments');
    const code = `import { writeFileSync } from 'node:fs'; writeFileSync(process.argv[1], process.argv[2]);`;
    await hook(script(code, file, '$(id) `id` ; "quoted" *')).run(event, never);
    assert.equal(await readFile(file, 'utf8'), '$(id) `id` ; "quoted" *');
  });

  test('it is told what happens, and gets of the environment only what programs need and what is configured', async () => {
    const file = path.join(folder, 'environment');
    process.env.HOLDFAST_PASSPHRASE = 'own secret';
    process.env.SOME_PASSWORD = 'another secret';
    const code = `import { writeFileSync } from 'node:fs'; writeFileSync(process.argv[1], JSON.stringify(process.env));`;
    try {
      const environment = { PLAIN: 'value', PASSWORD: 'env:SHOP_PASSWORD' };
      await hook(script(code, file), { environment }).run(
        { ...event, backupId: 'backup-1', targetResourceId: 'shop-2', outcome: 'failed' },
        never,
      );
    } finally {
      delete process.env.HOLDFAST_PASSPHRASE;
      delete process.env.SOME_PASSWORD;
    }
    const { PATH, HOME, LANG, ...rest } = JSON.parse(await readFile(file, 'utf8'));
    assert.deepEqual([PATH, HOME, LANG], [process.env.PATH, process.env.HOME, process.env.LANG]);
    assert.deepEqual(rest, {
      PLAIN: 'value',
      PASSWORD: 'the-real-secret',
      HOLDFAST_EVENT: 'before-backup',
      HOLDFAST_RESOURCE_ID: 'shop',
      HOLDFAST_TARGET_RESOURCE_ID: 'shop-2',
      HOLDFAST_OPERATION_ID: 'operation-1',
      HOLDFAST_BACKUP_ID: 'backup-1',
      HOLDFAST_OUTCOME: 'failed',
    });
  });

  test('an exit status other than 0 is a failure that carries the last lines of standard error', async () => {
    const code = `for (let line = 1; line <= 30; line++) console.error('line ' + line); process.exitCode = 7;`;
    await assert.rejects(hook(script(code)).run(event, never), (error: HoldfastError) => {
      assert.equal(error.code, 'hook-failed');
      assert.deepEqual(error.details, { exitCode: 7 });
      assert.match(error.message, /exit status 7: line 21 \| line 22 .*\| line 30\.$/);
      return true;
    });
  });

  test('huge standard error is read to its end and kept in small part, without control characters or secrets', async () => {
    const code = `
      const block = '\\u001b[31mred\\u0000\\u202e'.repeat(1 << 14) + '\\n';
      let left = 100;
      const more = () => { while (left-- > 0) if (!process.stderr.write(block)) return process.stderr.once('drain', more);
        process.stderr.write('\\u001b[2Jthe password is ' + process.env.PASSWORD + '\\n', () => process.exit(1)); };
      more();`;
    const environment = { PASSWORD: 'file:/run/secrets/shop' };
    await assert.rejects(hook(script(code), { environment }).run(event, never), (error: HoldfastError) => {
      assert.ok(error.message.length < 1300, `${error.message.length}`);
      assert.match(error.message, /the password is \*\*\*\.$/);
      assert.doesNotMatch(error.message, /[\p{Cc}\p{Cf}]|the-real-secret/u);
      return true;
    });
  });

  test('a command that a signal ends has failed, and the message names the signal', async () => {
    await assert.rejects(hook(script(`process.kill(process.pid, 'SIGKILL')`)).run(event, never), {
      code: 'hook-failed',
      message: /was ended by SIGKILL/,
    });
  });

  test('one that takes too long is ended with all that it started, though they ignore being asked', async () => {
    const file = path.join(folder, 'grandchild');
    const stubborn = `process.on('SIGTERM', () => {}); require('fs').writeFileSync(${JSON.stringify(file)}, String(process.pid)); setInterval(() => {}, 1000);`;
    const code = `
      import { spawn } from 'node:child_process';
      spawn(process.execPath, ['--eval', process.argv[1]], { stdio: 'inherit' });
      setInterval(() => {}, 1000);`;
    // The time is over only when the grandchild runs: it is what must be gone afterwards.
    const running = hook(script(code, stubborn), { timeoutSeconds: 5 }).run(event, never);
    running.catch(() => undefined);
    const pid = await pidIn(file);
    await assert.rejects(running, { code: 'hook-timed-out', message: /not done after 5 s/ });
    assert.equal(await isRunning(pid), false);
  });

  test('a cancellation ends it with all that it started, and is no failure of the hook', async () => {
    const file = path.join(folder, 'cancelled');
    const grandchild = `require('fs').writeFileSync(${JSON.stringify(file)}, String(process.pid)); setInterval(() => {}, 1000);`;
    const code = `
      import { spawn } from 'node:child_process';
      spawn(process.execPath, ['--eval', process.argv[1]], { stdio: 'ignore' });
      setInterval(() => {}, 1000);`;
    const cancelling = new AbortController();
    const running = hook(script(code, grandchild)).run(event, cancelling.signal);
    running.catch(() => undefined);
    const pid = await pidIn(file);
    cancelling.abort(new Error('cancelled by a test'));
    await assert.rejects(running, /cancelled by a test/);
    assert.equal(await isRunning(pid), false);
    await assert.rejects(hook(script('')).run(event, cancelling.signal), /cancelled by a test/);
  });

  test('a program that it leaves running is not waited for, and stays', async () => {
    const file = path.join(folder, 'left');
    const code = `
      import { spawn } from 'node:child_process';
      const daemon = spawn(process.execPath, ['--eval', 'setInterval(() => {}, 1000)'], { stdio: 'inherit' });
      await import('node:fs').then(({ writeFileSync }) => writeFileSync(process.argv[1], String(daemon.pid)));
      process.exit(0);`;
    await hook(script(code, file)).run(event, never);
    const pid = await pidIn(file);
    assert.equal(await isRunning(pid), true);
    process.kill(pid, 'SIGKILL');
  });

  test('a missing program, one that is not executable and a secret that is not there are told as such', async () => {
    await assert.rejects(hook(['/nonexistent/program']).run(event, never), {
      code: 'hook-not-started',
      message: /no such program/,
    });
    const file = path.join(folder, 'not-executable');
    await writeFile(file, '#!/bin/sh\nexit 0\n');
    await chmod(file, 0o644);
    await assert.rejects(hook([file]).run(event, never), { code: 'hook-not-started', message: /not executable/ });
    await assert.rejects(hook(script(''), { environment: { PASSWORD: 'env:ABSENT' } }).run(event, never), {
      code: 'hook-not-started',
      message: /cannot be given PASSWORD.*ABSENT is not set/,
    });
  });

  test('hooks are due by moment and by the pattern of the resource, in the order of the file', () => {
    const of = (when: HookConfiguration['when'], resources: string[], program: string): HookConfiguration => ({
      when,
      resources,
      command: [program],
      timeoutSeconds: 1,
      environment: {},
      onFailure: 'warn',
    });
    const runner = createProcessHookRunner(
      [of('after-backup', ['shop-*', 'wiki'], 'a'), of('before-backup', ['*'], 'b'), of('after-backup', ['*'], 'c')],
      async () => '',
    );
    const due = (when: HookConfiguration['when'], id: string) => runner.due(when, id).map(({ name }) => name);
    assert.deepEqual(due('after-backup', 'shop-1'), ['after-backup a', 'after-backup c']);
    assert.deepEqual(due('after-backup', 'wiki'), ['after-backup a', 'after-backup c']);
    assert.deepEqual(due('after-backup', 'wiki-2'), ['after-backup c']);
    assert.deepEqual(due('before-restore', 'wiki'), []);
  });
});
