import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import test from 'node:test';
import type { ContentSegment } from '../core/tree-entry.ts';
import { EarlierChunks } from './earlier-chunks.ts';

const idOf = (number: number): Buffer => createHash('sha256').update(String(number)).digest();

test('chunks are found by where they begin and by their ids, in any thread that has the memory', async () => {
  const chunks = Array.from({ length: 1000 }, (_, index) => ({ id: idOf(index), length: 1000 + index }));
  const segments: ContentSegment[] = [{ id: null, length: 5 }, ...chunks, { id: idOf(7), length: 1007 }];
  async function* list(): AsyncGenerator<ContentSegment> {
    yield* segments;
  }
  const shared = await EarlierChunks.shared(list());
  assert.ok(shared.memory instanceof SharedArrayBuffer);
  for (const found of [EarlierChunks.of(segments), new EarlierChunks(shared.memory)]) {
    let offset = 5;
    for (const [place, { id, length }] of chunks.entries()) {
      assert.equal(found.beginningAt(offset), place);
      assert.equal(found.beginningAt(offset + 1), -1);
      assert.equal(found.placeOf(id), place, 'the first one, where it comes again');
      assert.equal(found.offsetOf(place), offset);
      assert.equal(found.lengthOf(place), length);
      assert.ok(found.is(place, id) && !found.is(place, idOf(-1)));
      offset += length;
    }
    assert.equal(found.placeOf(idOf(-1)), undefined);
    assert.equal(found.beginningAt(0), -1);
    assert.equal(found.lengthOf(-1), undefined);
    assert.equal(found.is(-1, idOf(0)), false);
  }
});

test('of nothing, nothing is expected', () => {
  const none = EarlierChunks.of([{ id: null, length: 10 }]);
  assert.equal(none.beginningAt(0), -1);
  assert.equal(none.placeOf(idOf(1)), undefined);
});
