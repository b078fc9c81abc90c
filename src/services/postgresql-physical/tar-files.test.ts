import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { pack } from 'tar-stream';
import { tarFiles } from './tar-files.ts';

function archive(...names: string[]): AsyncIterable<Uint8Array> {
  const packing = pack();
  for (const name of names) packing.entry({ name, mode: 0o600, mtime: new Date(5000) }, `content of ${name}`);
  packing.finalize();
  return packing as AsyncIterable<unknown> as AsyncIterable<Uint8Array>;
}

async function read(source: AsyncIterable<Uint8Array>): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for await (const { path, bytes, metadata } of tarFiles(source)) {
    assert.equal(metadata.modifiedAt, 5_000_000_000n);
    let text = '';
    for await (const piece of bytes) text += Buffer.from(piece).toString();
    found[path] = text;
  }
  return found;
}

async function* cut(source: AsyncIterable<Uint8Array>, length: number): AsyncGenerator<Uint8Array> {
  for await (const piece of source) {
    if (length > 0) yield piece.subarray(0, length);
    length -= piece.length;
  }
}

describe('an archive of a base backup', () => {
  test('gives its files, with or without the blocks that end it', async () => {
    const expected = { 'base/1': 'content of base/1', global: 'content of ./global' };
    assert.deepEqual(await read(archive('base/1', './global')), expected);
    assert.deepEqual(await read(cut(archive('base/1', './global'), 4 * 512)), expected);
  });

  test('is refused where it ends in the midst of a file', async () => {
    await assert.rejects(read(cut(archive('base/1', 'global'), 700)), { code: 'postgresql-archive-damaged' });
  });

  test('is refused with names that would lead out of a data folder', async () => {
    for (const name of ['../x', '/etc/x', 'base/../../x', 'base//x', '.'])
      await assert.rejects(read(archive(name)), { code: /postgresql-path-unsafe/ }, name);
  });

  test('passes on why its bytes ended', async () => {
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield* cut(archive('base/1'), 600);
      throw Object.assign(new Error('lost'), { code: 'x' });
    }
    await assert.rejects(read(failing()), /lost/);
  });
});
