import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ByteSource, readIncrementalHeader, wholeFileBlocks, wholeFilePath } from './incremental-file.ts';

function words(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  for (const [index, value] of values.entries()) bytes.writeUInt32LE(value, index * 4);
  return bytes;
}

/** In pieces of three bytes, as no server sends them. */
async function* inPieces(bytes: Buffer): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 3) yield bytes.subarray(at, at + 3);
}

const MAGIC = 0xd3ae1f0d;

describe('a file of an incremental base backup', () => {
  test('tells its blocks and how long the whole file is', async () => {
    const header = Buffer.concat([words(MAGIC, 2, 3, 1, 7), Buffer.alloc(8192 - 20), Buffer.from('blocks')]);
    const source = new ByteSource('base/5/INCREMENTAL.16384', inPieces(header));
    const read = await readIncrementalHeader(source, 8192);
    assert.deepEqual([...read.blocks], [1, 7]);
    assert.equal(wholeFileBlocks(read), 8);
    assert.equal((await source.take(6)).toString(), 'blocks');
    const none = new ByteSource('x', inPieces(words(MAGIC, 0, 5)));
    assert.equal(wholeFileBlocks(await readIncrementalHeader(none, 8192)), 5);
    await assert.rejects(none.take(1), { code: 'postgresql-archive-damaged' });
  });

  test('is refused where it is none', async () => {
    for (const bytes of [words(1, 0, 0), words(MAGIC, 2, 3, 7, 7), words(MAGIC, 0xffffffff, 0), Buffer.from('short')])
      await assert.rejects(readIncrementalHeader(new ByteSource('x', inPieces(bytes)), 8192), {
        code: 'postgresql-archive-damaged',
      });
  });

  test('has the name of the whole file with a mark', () => {
    assert.equal(wholeFilePath('base/5/INCREMENTAL.16384.1'), 'base/5/16384.1');
    assert.equal(wholeFilePath('base/INCREMENTAL.5/16384'), undefined);
    assert.equal(wholeFilePath('base/5/16384'), undefined);
  });
});
