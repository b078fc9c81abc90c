import assert from 'node:assert/strict';
import { mkdtemp, open, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { type FilePart, FileParts, LONGEST_PART } from './file-parts.ts';
import { pageChecksum } from './page-checksum.ts';

const PAGE = 8192;
const RULES = { pageBytes: PAGE, startLsn: 1000n };

function page(block: number, lsn = 10): Buffer {
  const bytes = Buffer.alloc(PAGE, block % 251);
  bytes.writeUInt32LE(0, 0);
  bytes.writeUInt32LE(lsn, 4);
  bytes.writeUInt16LE(PAGE, 14);
  bytes.writeUInt16LE(pageChecksum(bytes, block), 8);
  return bytes;
}

describe('parts of a running server’s files', () => {
  let folder: string;
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'holdfast-file-parts-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  const read = async (file: string, part: Partial<FilePart>) => {
    const handle = await open(file);
    try {
      const whole = { path: 'base/5/1', descriptor: handle.fd, from: 0, length: 0, segmentBytes: 32768, isWhole: true };
      const { bytes, wrongBlocks } = new FileParts().read({ ...whole, ...part }, RULES);
      return { bytes: Buffer.from(bytes), wrongBlocks };
    } finally {
      await handle.close();
    }
  };

  test('have zeros for what was cut off meanwhile of a large file, and end where a small one ends', async () => {
    const file = path.join(folder, 'cut');
    await writeFile(file, Buffer.alloc(3 * PAGE, 7));
    const large = { from: PAGE, length: LONGEST_PART, isWhole: false };
    const { bytes } = await read(file, large);
    assert.equal(bytes.length, LONGEST_PART);
    assert.ok(
      bytes.subarray(0, 2 * PAGE).every((byte) => byte === 7) && bytes.subarray(2 * PAGE).every((byte) => !byte),
    );
    await truncate(file, PAGE);
    assert.deepEqual(await read(file, { ...large, length: PAGE }), { bytes: Buffer.alloc(PAGE), wrongBlocks: [] });
    assert.equal((await read(file, { length: 3 * PAGE })).bytes.length, PAGE);
  });

  test('have pages whose numbers go on in a relation’s later files, where new and newer ones are not looked at', async () => {
    const file = path.join(folder, 'later.1');
    const firstBlock = 131072;
    const newer = Buffer.from(page(3, 2000)).fill(9, 5000, 5100);
    const damaged = Buffer.from(page(firstBlock + 1)).fill(9, 5000, 5100);
    await writeFile(file, Buffer.concat([page(firstBlock), damaged, Buffer.alloc(PAGE), newer, Buffer.alloc(100, 1)]));
    const { wrongBlocks } = await read(file, { length: 4 * PAGE + 100, firstBlock });
    assert.deepEqual(wrongBlocks, [firstBlock + 1]);
  });

  test('that cannot be read are told by their file and place', async () => {
    const part = { path: 'base/5/1', length: PAGE, from: PAGE };
    const failure = {
      code: 'postgresql-file-unreadable',
      kind: 'unavailable',
      message: /base\/5\/1 .* from byte 8192/,
    };
    await assert.rejects(read(folder, part), failure);
  });
});
