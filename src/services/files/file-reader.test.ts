import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'node:test';
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
