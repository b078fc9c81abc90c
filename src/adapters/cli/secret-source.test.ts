import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';

test('a question whose input ends is answered with nothing, and waits for nobody', () => {
  const script = `const { askHidden } = await import(${JSON.stringify(import.meta.resolve('./secret-source.ts'))});
    console.log(JSON.stringify(await askHidden('Password: ', new AbortController().signal)));`;
  const ended = spawnSync(process.execPath, ['--input-type=module', '--eval', script], { input: '', encoding: 'utf8' });
  assert.deepEqual([ended.status, ended.stdout], [0, '""\n'], ended.stderr);
});
