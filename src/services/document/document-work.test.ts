import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { errorOf } from '../../../test/mutated-bytes.ts';
import { checksumOf, prepareDocument, rebuildDocument, type StoredLink } from './document-work.ts';

const LIMITS = { limitBytes: 1_000_000, depthLimit: 1000 };
const NOTHING = '{"additions":[],"changes":[],"deletions":[]}';

function link(stored: 'document' | 'delta', text: string, checksum?: string): StoredLink {
  const bytes = Buffer.from(text);
  return { backupId: stored, stored, bytes, checksum: checksum ?? checksumOf(bytes) };
}

describe('a chain whose whole document is none', () => {
  for (const [name, text] of [
    ['no JSON', '{"a":'],
    ['nested too deeply', '['.repeat(100_000) + ']'.repeat(100_000)],
    ['nested too deeply around an exact number', `${'['.repeat(100_000)}1e999${']'.repeat(100_000)}`],
  ] as const) {
    test(`is damaged where it is ${name}, and in nobody's way who posts the next document`, () => {
      const chain = [link('document', text)];
      assert.throws(() => rebuildDocument([...chain, link('delta', NOTHING)]), {
        code: 'chain-broken',
        kind: 'damaged',
      });
      const prepared = prepareDocument({ input: Buffer.from('{"a":1}'), limits: LIMITS, chain });
      assert.equal(prepared.delta, undefined);
      assert.match(prepared.withoutDelta ?? '', /cannot be restored/);
    });
  }
});

test('a delta that is nested as none is ever written is damaged, by the name of its backup', () => {
  const deep = '['.repeat(100_000) + ']'.repeat(100_000);
  for (const text of [deep, `{"additions":[{"key":"b","value":${deep}}],"changes":[],"deletions":[]}`]) {
    const chain = [link('document', '{"a":1}'), link('delta', text)];
    const error = errorOf(() => rebuildDocument(chain));
    assert.equal(error?.kind, 'damaged');
    assert.equal(error.details.backupId, 'delta');
  }
});

test('a document as deep as any may be comes back through a delta', () => {
  const deep = (value: number): Buffer => Buffer.from('['.repeat(1000) + value + ']'.repeat(1000));
  const first = prepareDocument({ input: deep(1), limits: LIMITS, chain: [] });
  const whole = { backupId: 'a', stored: 'document', bytes: first.canonical, checksum: first.checksum } as const;
  const second = prepareDocument({ input: deep(2), limits: LIMITS, chain: [whole] });
  assert.ok(second.delta !== undefined);
  const delta = { backupId: 'b', stored: 'delta', bytes: second.delta, checksum: second.checksum } as const;
  assert.deepEqual(Buffer.from(rebuildDocument([whole, delta])), deep(2));
});
