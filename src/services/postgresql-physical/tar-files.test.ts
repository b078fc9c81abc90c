import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type Pack, pack } from 'tar-stream';
import type { Run } from './base-backup-stream.ts';
import { tarFiles } from './tar-files.ts';

async function bytesOf(packing: Pack): Promise<Buffer> {
  packing.finalize();
  const pieces: Uint8Array[] = [];
  for await (const piece of packing as AsyncIterable<unknown> as AsyncIterable<Uint8Array>) pieces.push(piece);
  return Buffer.concat(pieces);
}

function archive(...names: string[]): Promise<Buffer> {
  const packing = pack();
  for (const name of names) packing.entry({ name, mode: 0o600, mtime: new Date(5000) }, `content of ${name}`);
  return bytesOf(packing);
}

/** Runs of up to three pieces of these lengths, again and again. */
async function* runs(bytes: Buffer, lengths: readonly number[] = [bytes.length || 1]): AsyncGenerator<Run> {
  let run: Uint8Array[] = [];
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const length = lengths[turn % lengths.length] as number;
    run.push(bytes.subarray(at, at + length));
    at += length;
    if (turn % 3 === 2) {
      yield run;
      run = [];
    }
  }
  yield run;
}

async function read(source: AsyncIterable<Run>): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for await (const { path, runs: content, metadata } of tarFiles(source)) {
    assert.equal(metadata.modifiedAt, 5_000_000_000n);
    assert.equal(metadata.mode, 0o600);
    let text = '';
    for await (const run of content) text += Buffer.concat(run).toString();
    found[path] = text;
  }
  return found;
}

const [SIZE, TIME] = [124, 136];

/** As src/port/tar.c writes what octal digits are too few for: a length of 8 GiB and more, and what is negative. The sum of all bytes follows. */
function setNumber(header: Buffer, at: number, number: number): void {
  header.fill(0, at, at + 12);
  header[at] = 0x80;
  header.writeBigInt64BE(BigInt(number), at + 4);
  header.fill(' ', 148, 156);
  const sum = header.reduce((before, byte) => before + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
}

describe('an archive of a base backup', () => {
  test('gives its files, with or without the blocks that end it', async () => {
    const expected = { 'base/1': 'content of base/1', global: 'content of ./global' };
    const bytes = await archive('base/1', './global');
    assert.deepEqual(await read(runs(bytes)), expected);
    assert.deepEqual(await read(runs(bytes.subarray(0, 4 * 512))), expected);
  });

  test('gives the same files in whatever pieces it comes', async () => {
    const names = ['PG_VERSION', 'base/1', `base/${'x'.repeat(94)}`, `${'folder/'.repeat(14)}file`];
    const bytes = await archive(...names);
    const expected = Object.fromEntries(names.map((name) => [name, `content of ${name}`]));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 5 }), async (lengths) =>
        assert.deepEqual(await read(runs(bytes, lengths)), expected),
      ),
      { numRuns: 50 },
    );
  });

  test('gives folders and links without bytes, and lengths that need more than octal digits', async () => {
    const packing = pack();
    packing.entry({ name: 'pg_wal', type: 'directory', mode: 0o700, uid: 101, gid: 104 });
    packing.entry({ name: 'pg_tblspc/5', type: 'symlink', linkname: '/fast' });
    packing.entry({ name: 'huge' }, '');
    const bytes = await bytesOf(packing);
    // Nine gibibytes are not made here: the header is all that is looked at.
    setNumber(bytes.subarray(1024, 1536), SIZE, 9 * 2 ** 30);
    const found: [string, string, number, number][] = [];
    for await (const { path, kind, size, metadata } of tarFiles(runs(bytes))) {
      found.push([path, kind, size, metadata.uid]);
      if (size > 0) break;
    }
    assert.deepEqual(found, [
      ['pg_wal', 'directory', 0, 101],
      ['pg_tblspc/5', 'symlink', 0, 0],
      ['huge', 'file', 9 * 2 ** 30, 0],
    ]);
  });

  test('gives files that are older than 1970, and is refused with lengths below zero or beyond all that there are', async () => {
    const old = await archive('PG_VERSION');
    setNumber(old.subarray(0, 512), TIME, -5);
    for await (const { metadata, runs: content } of tarFiles(runs(old))) {
      assert.equal(metadata.modifiedAt, -5_000_000_000n);
      for await (const _run of content);
    }
    for (const size of [-1, -(2 ** 40), 2 ** 62]) {
      const wrong = await archive('PG_VERSION');
      setNumber(wrong.subarray(0, 512), SIZE, size);
      await assert.rejects(read(runs(wrong)), { code: 'postgresql-archive-damaged' }, String(size));
    }
  });

  test('is refused where it ends in the midst of a file or of a header, or has a header that is none', async () => {
    const bytes = await archive('base/1', 'global');
    const changed = Buffer.from(bytes);
    changed[3]! ^= 1;
    for (const wrong of [bytes.subarray(0, 700), bytes.subarray(0, 1300), bytes.subarray(0, 520), changed])
      await assert.rejects(read(runs(wrong)), { code: 'postgresql-archive-damaged' });
  });

  test('is refused with names that would lead out of a data folder', async () => {
    for (const name of ['../x', '/etc/x', 'base/../../x', 'base//x', '.'])
      await assert.rejects(read(runs(await archive(name))), { code: /postgresql-path-unsafe/ }, name);
  });

  test('is refused with what no data folder holds', async () => {
    const packing = pack();
    packing.entry({ name: 'device', type: 'character-device' });
    await assert.rejects(read(runs(await bytesOf(packing))), { code: 'postgresql-answer-unexpected' });
  });

  test('passes on why its bytes ended', async () => {
    async function* failing(): AsyncGenerator<Run> {
      yield [(await archive('base/1')).subarray(0, 600)];
      throw Object.assign(new Error('lost'), { code: 'x' });
    }
    await assert.rejects(read(failing()), /lost/);
  });
});
