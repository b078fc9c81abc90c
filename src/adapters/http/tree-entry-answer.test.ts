import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { byteStringOf, rfc3339Nanoseconds, treeEntryAnswer } from './tree-entry-answer.ts';

describe('tree entries in answers', () => {
  it('show times to the nanosecond, before 1970 too', () => {
    assert.equal(rfc3339Nanoseconds(1_735_732_800_123_456_789n), '2025-01-01T12:00:00.123456789Z');
    assert.equal(rfc3339Nanoseconds(-1n), '1969-12-31T23:59:59.999999999Z');
    assert.equal(rfc3339Nanoseconds(0n), '1970-01-01T00:00:00.000000000Z');
  });

  it('show names in UTF-8 as text, and the exact bytes of those that are not', () => {
    const entry = { type: 'file', mode: 0o644, uid: 0, gid: 0, modifiedAt: 0n } as const;
    const utf8 = treeEntryAnswer({ ...entry, path: byteStringOf('/straße/ü') });
    assert.equal(utf8.path, 'straße/ü');
    assert.equal('pathBase64' in utf8, false);
    assert.equal(utf8.mode, '0644');
    const latin1 = treeEntryAnswer({ ...entry, path: 'caf\xe9' });
    assert.equal(latin1.path, 'caf\ufffd');
    assert.equal(latin1.pathBase64, Buffer.from([0x63, 0x61, 0x66, 0xe9]).toString('base64'));
  });
});
