import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import fc from 'fast-check';
import { flip } from '../../../test/flipped-bytes.ts';
import { backUpBytes, TemporaryRepository } from '../../../test/temporary-repository.ts';
import type { SnapshotReader } from '../../core/ports/repository.ts';
import type { Content, ContentSegment } from '../../core/tree-entry.ts';
import { partsOfContent } from './content-parts.ts';

describe('parts of a content', () => {
  let temporary: TemporaryRepository;
  let reader: SnapshotReader;
  /** What compresses, what does not, and the same chunks twice. */
  const half = Buffer.concat([randomBytes(300_000), Buffer.alloc(200_000, 'All work and no play. ')]);
  const bytes = Buffer.concat([half, half]);
  const { signal } = new AbortController();
  beforeEach(async () => {
    temporary = await TemporaryRepository.create();
    const { id } = await backUpBytes(temporary.repository, bytes);
    reader = await temporary.repository.openSnapshot(id);
  });
  afterEach(async () => {
    await reader.close();
    await temporary.remove();
  });

  const partsOf = (content: Content, bounds: readonly number[], options: { signal?: AbortSignal } = {}) =>
    copied(
      partsOfContent({ reader, content, bounds: Float64Array.from(bounds), name: 'the dump', signal, ...options }),
    );
  const segmentsOf = async (): Promise<ContentSegment[]> => {
    const segments: ContentSegment[] = [];
    for await (const segment of reader.segments(reader.record.root.content)) segments.push(segment);
    return segments;
  };
  const wanted = (whole: Buffer, bounds: readonly number[]): Buffer =>
    Buffer.concat(bounds.flatMap((from, at) => (at % 2 === 0 ? [whole.subarray(from, bounds[at + 1])] : [])));

  it('come in their order, wherever they begin and end, of a content with holes as well and of one that lies in the snapshot', async () => {
    const segments = await segmentsOf();
    const holed: Content = { segments: [{ id: null, length: 70_000 }, ...segments, { id: null, length: 300 }] };
    const whole = Buffer.concat([Buffer.alloc(70_000), bytes, Buffer.alloc(300)]);
    const inline = whole.subarray(69_000, 80_000);
    const property = fc.asyncProperty(
      fc.uniqueArray(fc.nat(whole.length), { maxLength: 60 }),
      fc.uniqueArray(fc.nat(inline.length), { maxLength: 10 }),
      async (places, few) => {
        const bounds = evenly(places);
        assert.ok((await partsOf(holed, bounds)).equals(wanted(whole, bounds)));
        assert.ok((await partsOf({ inline }, evenly(few))).equals(wanted(inline, evenly(few))));
      },
    );
    await fc.assert(property, { numRuns: 40 });
    assert.ok((await partsOf(holed, [0, whole.length])).equals(whole));
    assert.equal((await partsOf(holed, [])).length, 0);
  });

  it('are refused where the content ends before them, they are in no order, or one has no end', async () => {
    const { content } = reader.record.root;
    await assert.rejects(partsOf(content, [0, 10, 900_000, 1_000_001]), { code: 'checksum-differs' });
    await assert.rejects(partsOf({ inline: Buffer.alloc(5) }, [4, 6]), { code: 'checksum-differs' });
    await assert.rejects(partsOf(content, [10, 20, 15, 30]), RangeError);
    await assert.rejects(partsOf(content, [10, 20, 30]), RangeError);
    await assert.rejects(partsOf(content, [0, Number.NaN]), RangeError);
  });

  it('are refused where a chunk has another length than is recorded', async () => {
    const [first, ...others] = await segmentsOf();
    const longer = { segments: [{ ...first!, length: first!.length + 1 }, ...others] };
    await assert.rejects(partsOf(longer, [0, 1]), { code: 'metadata-damaged' });
  });

  it('end with the damage that a chunk has which they touch, and with that alone', async () => {
    const folder = path.join(temporary.folder, 'packs');
    const packs = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    // Beside it there may be one that holds no more than a page, and no byte there.
    const [largest] = packs
      .map(({ parentPath, name }) => path.join(parentPath, name))
      .sort((one, other) => statSync(other).size - statSync(one).size);
    await flip(temporary.folder, path.relative(temporary.folder, largest!), 3000);
    const outcomes = new Set<string>();
    let offset = 0;
    for (const { length } of await segmentsOf()) {
      const bounds = [offset, offset + length];
      const outcome = await partsOf(reader.record.root.content, bounds).then(
        (found) => (found.equals(wanted(bytes, bounds)) ? 'whole' : 'other bytes'),
        ({ kind }) => kind,
      );
      outcomes.add(outcome);
      offset += length;
    }
    assert.deepEqual([...outcomes].sort(), ['damaged', 'whole']);
    await assert.rejects(partsOf(reader.record.root.content, [0, bytes.length]), { kind: 'damaged' });
  });

  it('end where they are given up', async () => {
    const { content } = reader.record.root;
    await assert.rejects(partsOf(content, [0, 10], { signal: AbortSignal.abort() }), { kind: 'cancelled' });
  });
});

/** A piece stays only until the next one is asked for. */
async function copied(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const piece of pieces) parts.push(Buffer.from(piece));
  return Buffer.concat(parts);
}

function evenly(places: readonly number[]): number[] {
  return places.toSorted((a, b) => a - b).slice(0, places.length - (places.length % 2));
}
