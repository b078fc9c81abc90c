import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'node:test';
import fc from 'fast-check';
import type { TaskContext } from '../../core/ports/repository.ts';
import type { ContentSegment } from '../../core/tree-entry.ts';
import { FileReader } from './file-reader.ts';
import { StopFlag } from './stop-flag.ts';

const KIBIBYTE = 1024;
const SIZES = { small: 10_000, segment: 256 * KIBIBYTE, search: 64 * KIBIBYTE, restoreTask: KIBIBYTE };

test('a file in which segments may begin everywhere is asked about a few places only', async (context) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-file-reader-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const size = 3 * SIZES.segment;
  const file = path.join(folder, 'file');
  // The hash is right behind every third byte of these.
  writeFileSync(file, Buffer.alloc(size, Buffer.from([1, 129, 5])));
  const segments = Array.from({ length: 96 }, (_, at): ContentSegment => {
    return { id: Buffer.alloc(32, at), length: 8 * KIBIBYTE + at };
  });
  let asked = 0;
  const reader = new FileReader(
    readingContext(segments, () => asked++),
    SIZES,
    new StopFlag(),
  );
  const part = await reader.segment({
    path: Buffer.from(file).toString('latin1').slice(1),
    start: SIZES.segment,
    end: 2 * SIZES.segment,
    size,
    sparse: false,
    previous: { segments },
  });
  assert.ok(asked > 0 && asked < 2000, `${asked} times`);
  assert.ok(part.from > SIZES.segment && part.from < SIZES.segment + 100, 'the first place is taken');
});

test('the two segments that meet find the same place, however far the content has moved and however short the last one is', async (context) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'holdfast-file-reader-'));
  context.after(() => rmSync(folder, { recursive: true }));
  const file = path.join(folder, 'file');
  // A segment may begin behind every third byte of these, and a chunk of the previous content wherever that is asked.
  const bytes = Buffer.alloc(4 * SIZES.segment, Buffer.from([1, 129, 5]));
  const chunk = fc.tuple(fc.nat(40 * KIBIBYTE), fc.boolean());
  const grown = fc.integer({ min: -SIZES.segment - SIZES.search, max: SIZES.segment + SIZES.search });
  const chosen = fc.tuple(fc.array(chunk, { minLength: 20, maxLength: 50 }), grown);
  let moved = 0;
  await fc.assert(
    fc.asyncProperty(chosen, async ([chunks, grown]) => {
      const previous = chunks.map(([length, isHole], at): ContentSegment => {
        return { id: isHole ? null : Buffer.alloc(32, at), length };
      });
      const length = previous.reduce((sum, each) => sum + each.length, 0);
      const size = Math.min(bytes.length, Math.max(SIZES.segment + 1, length + grown));
      writeFileSync(file, bytes.subarray(0, size));
      const reader = new FileReader(windowedContext(previous), SIZES, new StopFlag());
      let joint = 0;
      for (let start = 0; start < size; start += SIZES.segment) {
        const end = Math.min(size, start + SIZES.segment);
        const place = Buffer.from(file).toString('latin1').slice(1);
        const content = { segments: previous };
        const part = await reader.segment({ path: place, start, end, size, sparse: false, previous: content });
        assert.equal(part.from, joint);
        joint += part.bytes;
        if (part.from > start + 100) moved++;
      }
      assert.equal(joint, size);
    }),
    { numRuns: 200 },
  );
  assert.ok(moved > 50, `${moved} segments began elsewhere than at the first place`);
});

/** Any chunk may end anywhere. Of a content, a task gets the chunks that reach into what it asks for; the rest is holes. */
function windowedContext(segments: readonly ContentSegment[]): TaskContext {
  const context = readingContext(segments, () => undefined);
  context.sink.mayEnd = () => true;
  context.segments = async function* (_content, { within } = {}) {
    assert.ok(within !== undefined);
    let start = 0;
    for (const segment of segments) {
      const isElsewhere = start + segment.length <= within.offset || start >= within.offset + within.length;
      yield isElsewhere ? { id: null, length: segment.length } : segment;
      start += segment.length;
    }
  };
  return context;
}

/** @param onAsked told of each question whether a chunk may end somewhere; none may */
function readingContext(segments: readonly ContentSegment[], onAsked: () => void): TaskContext {
  const context: Pick<TaskContext, 'segments'> & { sink: Partial<TaskContext['sink']> } = {
    segments: async function* () {
      yield* segments;
    },
    sink: {
      mayEnd: () => {
        onAsked();
        return false;
      },
      ready: async () => undefined,
      beginContent: () => ({
        room: () => Buffer.alloc(64 * KIBIBYTE),
        advance: () => undefined,
        hole: () => undefined,
        finish: () => [],
        abandon: () => undefined,
      }),
    },
  };
  return context as unknown as TaskContext;
}
