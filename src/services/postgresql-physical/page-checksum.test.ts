import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { pageChecksum, pageChecksumByVectors, pageChecksumByWords } from './page-checksum.ts';

/** Pages that PostgreSQL 15 wrote, with the checksums that it gave them. */
const PAGES = [
  {
    what: 'a page of a table',
    block: 0,
    checksum: 34648,
    page: 'H4sIAAAAAAACA+3TrQ0CQRRF4buzP28UQSK3DEp4JYxEUgFBIyAhQSBIEBSBRG4T9EAZCNaO5onzmZtbwJGkT9k15SStNSWN3ShJ5eH2vLvlm9vm6va6uC3Pbtuj23RwExDAO/22n39WUsorjQtpD+CvcqVTo1MgDKt0OtApEMZQ6bSnUyCMvtJpR6dAGF2l05ZOgTDaSqeJToEwUqXThk6BMJq5yy/eMvGYACAAAA==',
  },
  {
    what: 'a later page of it',
    block: 3,
    checksum: 6674,
    page: 'H4sIAAAAAAACA+3TrQ0CYRCE4bm9O/ZThKDg+PvKoIQtAYmkAoJGIEhOIEgQFEGCQV4T9EEJJIBdzYp5xEwFLwC87tti2ABLdIJcZQBYXU1vF9N0Nl2fTB+t6eBoujmYdntTEAXwlO/Xny2RIJA0Qu4DOyL6q+x0quyUKIyF02mPnRKFMXc6rdkpURgzp9OKnRKFMXU6LdkpURgTp1Nhp0RhNE6nBTslCmP86/QNt6kWIQAgAAA=',
  },
  {
    what: 'a page of an index',
    block: 1,
    checksum: 58452,
    page: 'H4sIAAAAAAACA+2SuW1CQRRF74fP4n28r5jnnZASKIHABVDCjxxTAg3MDCUQOqQEcicELoAS/B5C6Fpy7uQdaYKjq9FJHgD0vj6K92/gE1Vn1S0FAJZZsMiCeRbMsmCaBZMsGGdBlQUj3Ye6D3Tv6y66B92h+yoJlkmwSIJ5EsySYJoEkyQYJ0Gl+0j3oe4D3fu6i+5Bd+i+ioJlFCyiYB4FsyiYRsEkCsZRUG2e4ziO4ziO4ziO4ziO4ziO4ziO4zjO/1KijYAeeQsBb+RNBLySNxDwQl4i4Jm8joAn8hoCHskLBDxsvb7uC7n1u+TWvye3fofc+nfk1r8lt/4NufWvt15b96/IrX9Jbv0Lcuufk1v/jNz6p+TWPyG3/vHWi3U/kFv/iNz6h+TWPyC3/j659ffIrb9Lbv0dugDrt8mt3yK3fpPc+o1fFxRQklu/Tm79Grn1iz8u0f78AOtzsuoAIAAA',
  },
];

describe('the checksum of a page', () => {
  for (const { what, block, checksum, page } of PAGES)
    test(`is what PostgreSQL wrote into ${what}`, () => {
      const bytes = gunzipSync(Buffer.from(page, 'base64'));
      assert.equal(bytes.readUInt16LE(8), checksum);
      assert.equal(pageChecksum(bytes, block), checksum);
      assert.equal(pageChecksumByWords(bytes, block), checksum);
    });

  test('is the same by words, for pages of all sizes and wherever they lie', () => {
    const bytes = Uint8Array.from({ length: 33_000 }, (_, index) => Math.imul(index, 0x9e3779b1) >>> 13);
    for (const length of [1024, 8192, 32_768])
      for (const begin of [0, 1, 6]) {
        const page = bytes.subarray(begin, begin + length);
        assert.equal(pageChecksumByVectors(page, 131_072), pageChecksumByWords(page, 131_072));
      }
  });

  test('changes with any bit, and with the place of the page, but not with the checksum that is there', () => {
    const [first] = PAGES;
    const bytes = gunzipSync(Buffer.from(first!.page, 'base64'));
    assert.notEqual(pageChecksum(bytes, 1), first!.checksum);
    for (const place of [0, 7, 10, 11, 12, 127, 128, 4000, 8191]) {
      const changed = Buffer.from(bytes);
      changed[place]! ^= 1;
      assert.notEqual(pageChecksum(changed, 0), first!.checksum, `byte ${place}`);
    }
    bytes.writeUInt16LE(1, 8);
    assert.equal(pageChecksum(bytes, 0), first!.checksum);
  });
});
