import assert from 'node:assert/strict';
import { test } from 'node:test';
import { plainEnvironment } from '../../process/child-process.ts';
import { startTool, writingLongPieces } from './tool-process.ts';

test('a tool that writes long pieces writes the same bytes, gets its arguments as they are, and ends as it ends', async () => {
  const code = 'for line in $(seq 20000); do echo "$line of $2"; done; exit 7';
  const { program, args } = await writingLongPieces('/bin/sh', ['-c', code, 'tool', '--output=1', "it's $HOME"]);
  const tool = startTool(program, args, {
    ...{ environment: plainEnvironment(), signal: AbortSignal.timeout(60_000), name: 'tool' },
  });
  const pieces: Buffer[] = [];
  for await (const piece of tool.stdout) pieces.push(piece);
  const lines = Array.from({ length: 20_000 }, (_, index) => `${index + 1} of it's $HOME\n`);
  assert.equal(Buffer.concat(pieces).toString(), lines.join(''));
  const { exitCode, stderr } = await tool.ended;
  assert.deepEqual({ exitCode, stderr }, { exitCode: 7, stderr: '' });
});
