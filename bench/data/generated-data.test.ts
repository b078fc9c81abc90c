import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { constants, zstdCompressSync } from 'node:zlib';
import { canonicalText } from '../../src/core/canonical-json.ts';
import { CHANGING_FILES_SEED, ChangingFiles } from './changing-files.ts';
import { largeDocument, postedDocument } from './documents.ts';
import { dumpTextBlocks } from './dump-text.ts';
import { editNearFront } from './edits.ts';
import { BLOCK_BYTES, randomBlocks } from './random-bytes.ts';
import { filesToEdit, planSmallFiles, smallFileContent, writeSmallFiles } from './small-files.ts';

for (const [name, blocks] of [
  ['random blocks', randomBlocks],
  ['dump text', dumpTextBlocks],
] as const) {
  test(`equal seeds give equal ${name}, other seeds others`, () => {
    const bytes = 300_001;
    const first = Buffer.concat([...blocks(bytes, 7)]);
    assert.equal(first.length, bytes);
    assert.ok(first.equals(Buffer.concat([...blocks(bytes, 7)])));
    assert.ok(!first.equals(Buffer.concat([...blocks(bytes, 8)])));
  });
}

test('random blocks do not compress and dump text shrinks to about a quarter', () => {
  assert.ok(compressionOf(Buffer.concat([...randomBlocks(1 << 20, 1)])) < 1.001);
  const ratio = compressionOf(Buffer.concat([...dumpTextBlocks(1 << 20, 1)]));
  assert.ok(ratio > 3.5 && ratio < 4.5, `ratio ${ratio}`);
});

test('edits change about one per cent, all of it in the first tenth, and shift the rest', () => {
  const bytes = 2000 * BLOCK_BYTES;
  const edited = [...editNearFront(randomBlocks(bytes, 1), randomBlocks(bytes, 2), bytes, 3)];
  const original = new Set(digests(randomBlocks(bytes, 1)));
  const changed = edited.flatMap((block, index) => (original.has(block.toString('latin1', 0, 32)) ? [] : [index]));
  const changedBytes = changed.reduce((sum, index) => sum + edited[index]!.length, 0);
  assert.ok(changedBytes > bytes * 0.005 && changedBytes < bytes * 0.015, `${changedBytes} of ${bytes}`);
  assert.ok(changed.at(-1)! < edited.length * 0.12);
  const length = edited.reduce((sum, block) => sum + block.length, 0);
  assert.notEqual((length - bytes) % BLOCK_BYTES, 0);
});

test('a tree of small files has the sizes that its distribution promises', () => {
  const files = planSmallFiles(6000, 5);
  const sizes = files.map((file) => file.bytes).sort((a, b) => a - b);
  const mean = sizes.reduce((sum, size) => sum + size, 0) / sizes.length;
  assert.equal(new Set(files.map((file) => file.path)).size, 6000);
  assert.ok(sizes[3000]! > 2700 && sizes[3000]! < 3500, `median ${sizes[3000]}`);
  assert.ok(mean > 7000 && mean < 9500, `mean ${mean}`);
  assert.ok(sizes.at(-1)! <= 1_048_576);
});

test('equal seeds write equal trees', () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
  try {
    const files = planSmallFiles(60, 5);
    assert.deepEqual(planSmallFiles(60, 5), files);
    writeSmallFiles(folder, files, 5);
    for (const file of files) {
      const content = readFileSync(join(folder, file.path));
      assert.equal(content.length, file.bytes);
      assert.ok(content.equals(smallFileContent(file, 5)));
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('one file in a hundred is edited, each of them truly', () => {
  const files = planSmallFiles(1000, 5);
  const chosen = filesToEdit(files);
  assert.equal(chosen.length, 10);
  for (const file of chosen) {
    assert.ok(!smallFileContent(file, 5, 1).equals(smallFileContent(file, 5)));
    assert.ok(smallFileContent(file, 5, 1).equals(smallFileContent(file, 5, 1)));
  }
});

test('about two files of a hundred change between snapshots, three of four the same ones each time', () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-'));
  try {
    const [first, second] = ['first', 'second'].map((name) => new ChangingFiles(join(folder, name), 1000));
    const contents = (tree: ChangingFiles) =>
      planSmallFiles(1000, CHANGING_FILES_SEED).map((file) => readFileSync(join(tree.folder, file.path)));
    const states = [contents(first!)];
    for (let snapshot = 0; snapshot < 2; snapshot++) {
      first!.change();
      second!.change();
      states.push(contents(first!));
    }
    assert.deepEqual(contents(second!), states[2]);
    const changed = [1, 2].map((at) =>
      states[at]!.flatMap((bytes, file) => (bytes.equals(states[at - 1]![file]!) ? [] : [file])),
    );
    for (const files of changed) assert.ok(files.length >= 15 && files.length <= 21, `${files.length} files`);
    const again = changed[1]!.filter((file) => changed[0]!.includes(file)).length;
    assert.ok(again >= 15, `${again} files`);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

function compressionOf(bytes: Buffer): number {
  return bytes.length / zstdCompressSync(bytes, { params: { [constants.ZSTD_c_compressionLevel]: 3 } }).length;
}

function* digests(blocks: Iterable<Buffer>): Generator<string> {
  for (const block of blocks) yield block.toString('latin1', 0, 32);
}

test('a large document is canonical JSON of the wanted size, and its edit changes one record in a hundred', () => {
  const original = largeDocument(1_000_000, 3, false);
  const edited = largeDocument(1_000_000, 3, true);
  assert.equal(largeDocument(1_000_000, 3, false), original);
  assert.equal(Buffer.from(canonicalText(JSON.parse(original))).toString(), original);
  assert.ok(original.length > 990_000 && original.length < 1_001_000, `${original.length}`);
  const [before, after] = [original, edited].map((text) => JSON.parse(text).orders as unknown[]);
  const changed = before!.filter((record, index) => !isDeepStrictEqual(record, after![index])).length;
  assert.equal(after!.length, before!.length);
  assert.ok(changed > before!.length * 0.005 && changed < before!.length * 0.015, `${changed} of ${before!.length}`);
});

test('posted documents of one client differ by their revision only', () => {
  const body = postedDocument('client-1', 10_000, 1, 41);
  assert.equal(postedDocument('client-1', 10_000, 1, 42), body.replace('"revision":41', '"revision":42'));
  assert.ok(body.length > 9500 && body.length < 10_500, `${body.length}`);
});
