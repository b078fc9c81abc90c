import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { announcedDigests, verifiedBytes } from './announced-digest.ts';

const TEXT = Buffer.from('{"hello": "world"}');
const SHA256 = createHash('sha256').update(TEXT).digest();
const SHA512 = createHash('sha512').update(TEXT).digest('base64');

async function* chunks() {
  yield TEXT.subarray(0, 5);
  yield TEXT.subarray(5);
}

async function drained(bytes: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const part of bytes) parts.push(part);
  return Buffer.concat(parts).toString();
}

describe('announced digests', () => {
  it('let bytes through that have them', async () => {
    const announced = announcedDigests({
      'content-digest': `sha-256=:${SHA256.toString('base64')}:, sha-512=:${SHA512}:, md5=:AAAA:`,
      'x-content-sha256': SHA256.toString('hex').toUpperCase(),
    });
    assert.equal(announced.length, 3);
    assert.equal(await drained(verifiedBytes(chunks(), announced)), TEXT.toString());
  });

  it('fail at the end of bytes that do not have them', async () => {
    const announced = announcedDigests({ 'x-content-sha256': '0'.repeat(64) });
    await assert.rejects(drained(verifiedBytes(chunks(), announced)), { code: 'digest-mismatch' });
  });

  it('are refused where they are malformed, and passed over where the algorithm is unknown', () => {
    for (const headers of [
      { 'x-content-sha256': 'abc' },
      { 'content-digest': 'sha-256=abc' },
      { 'content-digest': 'sha-256=:AAAA:' },
    ]) {
      assert.throws(() => announcedDigests(headers), { code: 'digest-malformed' });
    }
    assert.deepEqual(announcedDigests({ 'content-digest': 'crc32c=:AAAA:' }), []);
    assert.deepEqual(announcedDigests({}), []);
  });
});
