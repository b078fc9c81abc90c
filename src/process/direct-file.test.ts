import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, describe, test } from 'node:test';
import fc from 'fast-check';
import { DirectFile } from './direct-file.ts';
import { PageCacheCost } from './page-cache-cost.ts';

const CONTENT = randomBytes(12_000_000);

/** Has each write go one way or the other, as it is told. */
class ChangingCost extends PageCacheCost {
  readonly #answers: Iterator<boolean>;

  constructor(answers: Iterator<boolean>) {
    super();
    this.#answers = answers;
  }

  override takesNext(): boolean {
    return this.#answers.next().value === true;
  }
}

describe('a part of a file that goes around the page cache', () => {
  const folders: string[] = [];
  after(() => {
    for (const folder of folders) rmSync(folder, { recursive: true });
  });

  /** The second is of a file system of the memory, where one is mounted: some of them know no direct writes. */
  function places(): string[] {
    const made = [tmpdir(), '/dev/shm'].flatMap((parent) => {
      try {
        return [mkdtempSync(path.join(parent, 'holdfast-direct-'))];
      } catch {
        return [];
      }
    });
    folders.push(...made);
    return made;
  }

  test('holds what was written, in whatever pieces and order, by several writers at once', async () => {
    const written = places();
    assert.ok(written.length > 0);
    const cuts = fc.uniqueArray(fc.nat(CONTENT.length), { maxLength: 24 });
    const plan = fc.tuple(cuts, fc.infiniteStream(fc.nat(2)), fc.boolean(), fc.infiniteStream(fc.boolean()));
    const cheap = new PageCacheCost(() => 0);
    for (const folder of written) {
      const file = path.join(folder, 'file');
      await fc.assert(
        fc.asyncProperty(plan, async ([at, whose, isInOrder, isLow]) => {
          writeFileSync(file, '');
          const changing = new ChangingCost(isLow);
          const ends = [0, ...at, CONTENT.length].sort((one, other) => one - other);
          const pieces = ends.slice(1).map((end, index) => [ends[index] ?? 0, end] as const);
          if (!isInOrder) pieces.reverse();
          const writers = [undefined, cheap, changing].map((cost) => DirectFile.open(Buffer.from(file), cost));
          for (const [from, to] of pieces) writers[whose.next().value]!.write(CONTENT.subarray(from, to), from);
          for (const writer of writers) await writer.finish();
          for (const writer of writers) await writer.close();
          assert.ok(readFileSync(file).equals(CONTENT));
        }),
        { numRuns: 15, endOnFailure: true },
      );
    }
  });

  test('leaves holes where nothing was written, and not a byte beside what was', async () => {
    const file = path.join(places()[0]!, 'file');
    writeFileSync(file, Buffer.alloc(3_000_000, 7));
    const writer = DirectFile.open(Buffer.from(file));
    writer.write(CONTENT.subarray(0, 1_500_001), 4_095);
    writer.write(CONTENT.subarray(0, 3), 2_000_000);
    await writer.finish();
    await writer.close();
    const expected = Buffer.alloc(3_000_000, 7);
    CONTENT.copy(expected, 4_095, 0, 1_500_001);
    CONTENT.copy(expected, 2_000_000, 0, 3);
    assert.ok(readFileSync(file).equals(expected));
  });

  test('tells of a full disk', { skip: process.platform !== 'linux' && 'Only Linux has /dev/full.' }, async () => {
    const writer = DirectFile.open(Buffer.from('/dev/full'));
    await assert.rejects(
      async () => {
        writer.write(CONTENT.subarray(0, 3_000_000), 0);
        await writer.finish();
      },
      { code: 'ENOSPC' },
    );
    await writer.close();
  });

  const skip = process.platform !== 'linux' && 'Only Linux lists descriptors in /proc.';
  test('leaves no descriptor open where closing fails', { skip }, async () => {
    const file = path.join(places()[0]!, 'file');
    writeFileSync(file, '');
    const lowest = openSync('/dev/null', 'r');
    closeSync(lowest);
    const before = readdirSync('/proc/self/fd').length;
    const writer = DirectFile.open(Buffer.from(file));
    // It got the lowest number for its first descriptor, which it cannot close itself now.
    closeSync(lowest);
    await assert.rejects(writer.close(), { code: 'EBADF' });
    assert.equal(readdirSync('/proc/self/fd').length, before);
  });

  test('does not follow a symbolic link', () => {
    const [folder] = places();
    const link = path.join(folder!, 'link');
    symlinkSync('/dev/null', link);
    assert.throws(() => DirectFile.open(Buffer.from(link)), { code: 'ELOOP' });
  });
});
