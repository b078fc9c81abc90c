import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { ToolPipe } from './tool-pipe.ts';
import { startTool } from './tool-process.ts';

async function start(script: string) {
  const pipe = await ToolPipe.open();
  assert.ok(pipe !== undefined);
  const running = startTool('/bin/sh', ['-c', script], {
    environment: { PATH: process.env.PATH },
    signal: new AbortController().signal,
    name: 'sh',
    output: pipe.writing,
  });
  running.stdin.end();
  pipe.writing.destroy();
  return { pipe, running };
}

describe('the pipe of a tool', () => {
  test('gives all that the tool writes, also to a reader that is slow, and then ends', async () => {
    const { pipe, running } = await start('yes "a line of a table" | head -c 20000000; exit 3');
    const expected = createHash('sha256').update('a line of a table\n'.repeat(1_200_000).slice(0, 20_000_000));
    const hash = createHash('sha256');
    let pieces = 0;
    for await (const piece of pipe.pieces()) {
      if (pieces++ % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
      hash.update(piece);
    }
    assert.equal(hash.digest('hex'), expected.digest('hex'));
    assert.equal((await running.ended).exitCode, 3);
  });

  test('lets a tool fail whose reader has left', async () => {
    const { pipe, running } = await start('yes; exit 0');
    for await (const piece of pipe.pieces()) {
      assert.ok(piece.length > 0);
      break;
    }
    pipe.close();
    const { exitCode, signal } = await running.ended;
    assert.ok(exitCode !== null || signal === 'SIGPIPE');
  });

  test('ends where the tool cannot be started', async () => {
    const pipe = await ToolPipe.open();
    assert.ok(pipe !== undefined);
    const running = startTool('/no/such/tool', [], {
      environment: {},
      signal: new AbortController().signal,
      name: 'none',
      output: pipe.writing,
    });
    pipe.writing.destroy();
    for await (const _piece of pipe.pieces()) assert.fail('Something came.');
    await assert.rejects(running.ended, { code: 'postgresql-tool-missing' });
  });
});
