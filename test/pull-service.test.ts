import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { test } from 'node:test';
import { commandLine } from './command-line.ts';
import { CuttingProxy } from './cutting-proxy.ts';

const CONTENT = randomBytes(8_000_000);

test('holdfast pull gets from a running service what it backed up, goes on where it was cut, and is told what it may not have', async (context) => {
  const holdfast = await commandLine(context);
  await holdfast.put('holdfast.yaml', 'downloads:\n  defaultVariant: raw\n');
  const { url, child } = await holdfast.serve(context);
  const upload = await fetch(`${url}/resources/blob/backups`, {
    method: 'PUT',
    headers: { 'content-type': 'application/octet-stream' },
    body: CONTENT,
  });
  assert.equal(upload.status, 201);
  const proxy = await CuttingProxy.to(Number(new URL(url).port));
  context.after(() => proxy.close());
  const cutting = { HOLDFAST_URL: `http://127.0.0.1:${proxy.port}` };

  const listed = await holdfast.run(['pull', '--list']);
  assert.match(listed.stdout, /blob .* 7\.6 MiB .*bytes.* backup-/);
  const file = path.join(holdfast.folder, 'blob');
  const whole = await holdfast.json(['pull', 'blob', '--output', file]);
  assert.deepEqual(
    { ...whole, backup: '', createdAt: '' },
    {
      ...{ file, bytes: CONTENT.length, verified: true, resource: 'blob', backup: '', createdAt: '' },
    },
  );
  assert.ok((await readFile(file)).equals(CONTENT));

  proxy.reset(5_000_000);
  const cutFile = path.join(holdfast.folder, 'cut');
  assert.equal((await holdfast.run(['pull', 'blob', '--output', cutFile], '', cutting)).code, 3);
  assert.deepEqual(
    (await readdir(holdfast.folder)).filter((name) => name.startsWith('cut')),
    ['cut.part', 'cut.part.json'],
  );
  proxy.reset();
  const resumed = await holdfast.run(['pull', 'blob', '--output', cutFile], '', cutting);
  assert.equal(resumed.code, 0, resumed.stderr);
  assert.ok(proxy.forwarded < CONTENT.length, 'only the rest came');
  assert.ok((await readFile(cutFile)).equals(CONTENT));

  proxy.reset(CONTENT.length);
  const piped = holdfast.start(['pull', 'blob'], cutting);
  let given = 0;
  piped.stdout?.on('data', (piece: Buffer) => {
    given += piece.length;
  });
  piped.stderr?.resume();
  assert.deepEqual(await once(piped, 'close'), [3, null]);
  assert.ok(given <= CONTENT.length - 65_536, `${given} bytes were given`);

  assert.equal((await holdfast.run(['pull', 'nothing', '--output', '-'])).code, 6);
  assert.equal((await holdfast.run(['pull', 'blob', '--at', '2001-01-01'])).code, 6);
  const { token } = await holdfast.json(['token', 'create', 'ada', '--role', 'admin']);
  const unknown = await holdfast.run(['pull', 'blob']);
  assert.equal(unknown.code, 5);
  assert.match(unknown.stderr, /--user NAME, --token env:NAME/);
  assert.equal((await holdfast.run(['pull', 'blob', '--output', `${file}2`], '', { HOLDFAST_TOKEN: token })).code, 0);
  child.kill('SIGTERM');
  await once(child, 'close');
  assert.equal((await holdfast.run(['pull', 'blob'])).code, 2);
});
