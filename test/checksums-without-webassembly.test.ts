import assert from 'node:assert/strict';
import { before, describe, it } from 'node:test';
import { crc32c } from '../src/services/postgresql-physical/crc32c.ts';
import { foldedForCrc32c } from '../src/services/postgresql-physical/crc32c-folding.ts';
import {
  pageChecksum,
  pageChecksumByVectors,
  pageChecksumByWords,
} from '../src/services/postgresql-physical/page-checksum.ts';

/** In a file of its own, since what a process found once it does not ask again. */
describe('where there is no WebAssembly', () => {
  before(() => Reflect.deleteProperty(globalThis, 'WebAssembly'));
  const bytes = Uint8Array.from({ length: 300_000 }, (_, index) => (Math.imul(index, 0x9e3779b1) >>> 13) ^ index);

  it('CRC-32C of long runs is the one of their short parts', () => {
    assert.equal(foldedForCrc32c(bytes, 0), undefined);
    for (const begin of [0, 1, 6]) {
      let expected = 0;
      for (let at = begin; at < bytes.length; at += 4000) expected = crc32c(bytes.subarray(at, at + 4000), expected);
      assert.equal(crc32c(bytes.subarray(begin)), expected);
    }
  });

  it('checksums of pages are computed word by word', () => {
    const page = bytes.subarray(6, 6 + 8192);
    assert.equal(pageChecksumByVectors(page, 7), undefined);
    assert.equal(pageChecksum(page, 7), pageChecksumByWords(page, 7));
  });
});
