import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { HoldfastError } from '../core/errors.ts';
import type { Content, ContentSegment } from '../core/tree-entry.ts';
import { buildContent, contentSegments, type Tolerance } from './content-list.ts';
import { decodeLostEntries, encodeLostEntries } from './lost-entries.ts';
import { decodeMetadata, encodeMetadata } from './metadata-encoding.ts';
import { decodeContent, encodeContent } from './tree-entry-codec.ts';

const ID = new Uint8Array(32).fill(7);

async function walk(
  content: Content,
  tolerance: Tolerance,
  readChunk: (id: Uint8Array) => Promise<Uint8Array> = async () => assert.fail('nothing is to be read'),
): Promise<ContentSegment[]> {
  const segments: ContentSegment[] = [];
  for await (const segment of contentSegments(content, readChunk, () => false, tolerance)) segments.push(segment);
  return segments;
}

describe('content that was lost', () => {
  const content: Content = {
    segments: [
      { id: ID, length: 10 },
      { id: null, length: 5 },
      { id: null, length: 7 },
      { id: ID, length: 1 },
    ],
    missing: [{ offset: 15, length: 7 }],
  };

  test('survives encoding', () => {
    assert.deepEqual(decodeContent(decodeMetadata(encodeMetadata(encodeContent(content))) as never), content);
  });

  test('is told apart from holes, and ends a walk that does not expect it', async () => {
    assert.deepEqual(await walk(content, 'recorded'), [
      { id: ID, length: 10 },
      { id: null, length: 5 },
      { id: null, length: 7, missing: true },
      { id: ID, length: 1 },
    ]);
    await assert.rejects(walk(content, 'nothing'), { code: 'content-missing', details: { offset: 15, length: 7 } });
  });

  test('does not end a walk that leaves it out', async () => {
    const segments: ContentSegment[] = [];
    const afterIt = (start: number): boolean => start < 22;
    for await (const segment of contentSegments(content, async () => ID, afterIt)) segments.push(segment);
    assert.equal(segments.length, 4);
  });

  test('ranges that overlap, go back or are none are refused', () => {
    for (const missing of [
      [
        [5, 5],
        [9, 1],
      ],
      [[5, -1]],
      [[1]],
      'all',
      [['0', 1]],
    ])
      assert.throws(() => decodeContent({ segments: [], missing }), { code: 'metadata-damaged' });
  });

  test('below a page of a long list is that page’s length of it, if the walk puts up with it', async () => {
    const segments = Array.from({ length: 3000 }, () => ({ id: ID, length: 3 }));
    const pages = new Map<string, Uint8Array>();
    const long = await buildContent(segments, async (stored) =>
      stored.map((bytes) => {
        const id = Buffer.alloc(32);
        id.writeUInt32BE(pages.size);
        pages.set(id.toString('hex'), bytes);
        return { id, length: 0 };
      }),
    );
    const readChunk = async (id: Uint8Array): Promise<Uint8Array> => {
      const bytes = pages.get(Buffer.from(id).toString('hex'));
      if (bytes === undefined) throw new HoldfastError('damaged', 'chunk-missing', 'It is gone.');
      return bytes;
    };
    assert.equal((await walk(long, 'nothing', readChunk)).length, 3000);
    const [first] = pages.keys();
    pages.delete(first!);
    await assert.rejects(walk(long, 'recorded', readChunk), { code: 'chunk-missing' });
    const walked = await walk(long, 'unreadable', readChunk);
    assert.equal(walked[0]!.missing, true);
    assert.equal(
      walked.reduce((sum, { length }) => sum + length, 0),
      9000,
    );
  });
});

test('lost parts of a tree survive encoding, and nothing else is taken for them', () => {
  const path = fc.string({ unit: fc.integer({ min: 1, max: 255 }).map((code) => String.fromCharCode(code)) });
  const part = fc.record({ from: path, until: path, entries: fc.nat() }, { requiredKeys: ['from'] });
  fc.assert(
    fc.property(fc.array(part), (lost) => {
      const root = { kind: 'tree', length: 0, entries: 0, content: { inline: new Uint8Array() }, lost } as const;
      const map = decodeMetadata(encodeMetadata(encodeLostEntries(root))) as Record<string, unknown>;
      assert.deepEqual(decodeLostEntries(map, 'snapshots/x'), { lost: lost.map((each) => ({ ...each })) });
    }),
    { numRuns: 50 },
  );
  for (const lost of ['all', [['a', null, null]], [[ID, null]], [[ID, 5, null]], [[ID, null, 'some']]])
    assert.throws(() => decodeLostEntries({ lost }, 'snapshots/x'), { code: 'object-damaged' });
});
