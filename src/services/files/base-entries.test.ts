import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { HoldfastError } from '../../core/errors.ts';
import type { OpenTreePage, TreePageReading } from '../../core/ports/repository.ts';
import type { ContentSegment, TreeEntry } from '../../core/tree-entry.ts';
import { BaseEntries } from './base-entries.ts';

/** Pages that hold one entry each, named after the page. */
class Pages {
  reads = 0;
  damaged: number | undefined;

  page(number: number): ContentSegment {
    return { id: Buffer.alloc(32, number), length: 10 };
  }

  async openPages(pages: readonly ContentSegment[]): Promise<OpenTreePage[]> {
    this.reads += pages.length;
    await new Promise(setImmediate);
    return pages.map(({ id }) => {
      const number = id?.[0] ?? 0;
      if (number === this.damaged) throw new HoldfastError('damaged', 'chunk-missing', 'It is gone.');
      const entry: TreeEntry = { path: `${number}`, type: 'fifo', mode: 0, uid: 0, gid: 0, modifiedAt: 0n };
      return { read: () => readingOf(entry, Buffer.of(number)) };
    });
  }
}

function readingOf(entry: TreeEntry, encoded: Uint8Array): TreePageReading {
  const left = [entry];
  return { next: () => left.shift(), encoded: () => encoded };
}

function refuseWarnings(message: string): void {
  assert.fail(message);
}

describe('BaseEntries', () => {
  test('finds the entries of the pages that were loaded, and reads a page that was just read no second time', async () => {
    const pages = new Pages();
    const base = new BaseEntries(pages);
    const first = await base.load([pages.page(1), pages.page(2)], refuseWarnings);
    const second = await base.load([pages.page(2), pages.page(3)], refuseWarnings);
    assert.deepEqual(first('2')?.encoded, Buffer.of(2));
    assert.equal(first('3'), undefined);
    assert.equal(second('2')?.entry.path, '2');
    assert.equal(second('3')?.entry.path, '3');
    assert.equal(second('1'), undefined);
    assert.equal(pages.reads, 3);
  });

  test('finds all of them also where another batch, meanwhile, makes it forget the oldest page', async () => {
    const pages = new Pages();
    const base = new BaseEntries(pages);
    for (let number = 1; number <= 9; number++) await base.load([pages.page(number)], refuseWarnings);
    const other = base.load([pages.page(10)], refuseWarnings);
    const find = await base.load([pages.page(1), pages.page(11)], refuseWarnings);
    assert.ok(find('1') !== undefined);
    assert.ok(find('11') !== undefined);
    assert.ok((await other)('10') !== undefined);
  });

  test('says what it could not read, and finds the rest', async () => {
    const pages = new Pages();
    const base = new BaseEntries(pages);
    await base.load([pages.page(1)], refuseWarnings);
    pages.damaged = 2;
    const warnings: string[] = [];
    const find = await base.load([pages.page(1), pages.page(2)], (message) => warnings.push(message));
    assert.equal(find('1')?.entry.path, '1');
    assert.equal(find('2'), undefined);
    assert.match(warnings.join('\n'), /cannot be read, so the files in it were read anew: It is gone\.$/);
  });
});
