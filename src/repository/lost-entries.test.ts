import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorOf } from '../../test/mutated-bytes.ts';
import { decodeLostEntries, encodeLostEntries } from './lost-entries.ts';

const NAME = 'snapshots/x';

test('the lost parts of a tree come back as they were, whatever bytes their paths are', () => {
  const lost = [{ from: 'a\u00ff', until: 'b/\u0080', entries: 3 }, { from: 'c', until: 'd' }, { from: '' }];
  const encoded = encodeLostEntries({ kind: 'tree', length: 0, entries: 0, content: { segments: [] }, lost });
  assert.deepEqual(decodeLostEntries(encoded, NAME), { lost });
  assert.deepEqual(decodeLostEntries({}, NAME), {});
});

test('a lost part whose entries cannot be counted, or that is no list of three, is damaged', () => {
  const from = Buffer.from('a');
  for (const part of [[from, null, -1], [from, null, 0.5], [from, null, 1e300], [from, null], ['a', null, 1], {}])
    assert.equal(errorOf(() => decodeLostEntries({ lost: [part] }, NAME))?.code, 'object-damaged');
  assert.equal(errorOf(() => decodeLostEntries({ lost: {} }, NAME))?.code, 'object-damaged');
});
