import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RecentDocuments } from './recent-documents.ts';

describe('recent documents', () => {
  it('stay within the budget, the longest unused going first', () => {
    const recent = new RecentDocuments(10);
    recent.put('a', Buffer.alloc(4, 'a'));
    recent.put('b', Buffer.alloc(4, 'b'));
    assert.ok(recent.get('a'));
    recent.put('c', Buffer.alloc(6, 'c'));
    assert.equal(recent.get('b'), undefined);
    assert.equal(Buffer.from(recent.get('a')!).toString(), 'aaaa');
    recent.put('a', Buffer.alloc(3, 'x'));
    assert.equal(Buffer.from(recent.get('a')!).toString(), 'xxx');
    assert.ok(recent.get('c'));
    recent.put('d', Buffer.alloc(11));
    assert.equal(recent.get('d'), undefined);
    assert.ok(recent.get('c'));
  });

  it('are given as copies, which may be moved to another thread', () => {
    const recent = new RecentDocuments(10);
    recent.put('a', new Uint8Array([1, 2]));
    recent.get('a')!.fill(0);
    assert.deepEqual(recent.get('a'), new Uint8Array([1, 2]));
  });
});
