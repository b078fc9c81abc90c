import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { plainEnvironment, type RunningChild, startChild } from './child-process.ts';
import { feedChild } from './fed-child.ts';

describe('a program that is fed', { timeout: 60_000 }, () => {
  const never = new AbortController().signal;

  function start(script: string, signal = never): RunningChild {
    const notStarted = (cause: unknown): Error => new Error('not started', { cause });
    return startChild('/bin/sh', ['-c', script], { environment: plainEnvironment(), signal, notStarted });
  }

  async function* pieces(...texts: string[]): AsyncGenerator<Uint8Array> {
    for (const text of texts) yield Buffer.from(text);
  }

  it('gets all of its input and the end of it', async () => {
    const child = start('wc -c >&2');
    child.stdout.resume();
    const { exitCode, stderr } = await feedChild(child, pieces('a'.repeat(300_000), 'bc'), { signal: never });
    assert.deepEqual([exitCode, Number(stderr)], [0, 300_002]);
  });

  it('is judged by its own end where it leaves before its input has ended', async () => {
    const child = start('echo no >&2; exit 3');
    const endless = (async function* () {
      for (;;) yield Buffer.alloc(65_536);
    })();
    const { exitCode, stderr } = await feedChild(child, endless, { signal: never });
    assert.deepEqual([exitCode, stderr], [3, 'no\n']);
  });

  it('has not ended well where it leaves most of its input', async () => {
    const child = start('exit 0');
    const endless = (async function* () {
      for (;;) yield Buffer.alloc(65_536);
    })();
    await assert.rejects(feedChild(child, endless, { signal: never }), { code: /EPIPE|ECONNRESET|ERR_STREAM/ });
  });

  it('is gone where its source fails, and the fault of the source is told', async () => {
    const child = start('cat >/dev/null; exit 3');
    const failing = (async function* () {
      yield Buffer.from('a');
      throw new Error('the source is cut');
    })();
    await assert.rejects(feedChild(child, failing, { signal: never }), /the source is cut/);
    await child.ended;
  });

  it('is gone where somebody cancels, and the reason is told', async () => {
    const cancelled = new AbortController();
    const child = start('exec sleep 1000', cancelled.signal);
    const source = (async function* () {
      yield Buffer.from('a');
      cancelled.abort(new Error('somebody cancelled'));
    })();
    await assert.rejects(feedChild(child, source, { signal: cancelled.signal }), /somebody cancelled/);
    assert.notEqual((await child.ended).signal, null);
  });

  for (const [when, bytes] of [
    ['takes nothing of a long input', () => pieces(...Array.from({ length: 20 }, () => 'a'.repeat(65_536)))],
    ['does not end behind its input', () => pieces('a')],
  ] as const)
    it(`is ended by patience where it ${when}`, async () => {
      const child = start('exec sleep 1000');
      const patience = { seconds: 0.05, exceeded: () => new Error('too slow') };
      await assert.rejects(feedChild(child, bytes(), { signal: never, patience }), /too slow/);
      assert.notEqual((await child.ended).signal, null);
    });

  it('is not blamed for a source that takes its time', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const child = start('cat >/dev/null');
    child.stdout.resume();
    const slow = (async function* () {
      yield Buffer.from('a');
      t.mock.timers.tick(10_000);
      yield Buffer.from('b');
    })();
    const patience = { seconds: 1, exceeded: () => new Error('too slow') };
    const { exitCode } = await feedChild(child, slow, { signal: never, patience });
    assert.equal(exitCode, 0);
  });
});
