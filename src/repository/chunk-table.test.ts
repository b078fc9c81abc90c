import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { type ChunkLocation, ChunkTable } from './chunk-table.ts';
import { ROW_LENGTH } from './index-row.ts';

function idOf(number: number): Buffer {
  return createHash('sha256').update(`chunk ${number}`).digest();
}

function row(id: Uint8Array, pack: number, place: number): Buffer {
  const bytes = Buffer.alloc(ROW_LENGTH);
  bytes.set(id);
  for (const [index, value] of [pack, place, place + 1, place + 2, place + 3].entries())
    bytes.writeUInt32BE(value, 32 + index * 4);
  return bytes;
}

function placesOf(table: ChunkTable, id: Uint8Array): ChunkLocation[] {
  const found: ChunkLocation[] = [];
  table.find(id, (location) => {
    found.push(location);
    return false;
  });
  return found;
}

function withoutSlots(places: readonly ChunkLocation[]): Omit<ChunkLocation, 'slot'>[] {
  return places.map(({ slot: _slot, ...where }) => where);
}

describe('the table of chunks', () => {
  test('finds every place of a chunk, in however many packs, and nothing of others', () => {
    const rows = fc.array(fc.tuple(fc.nat(30), fc.nat(3), fc.nat(1000)), { maxLength: 100 });
    fc.assert(
      fc.property(rows, (entered) => {
        const table = new ChunkTable({ expected: 100 });
        const expected = new Map<number, Set<string>>();
        for (const [chunk, pack, place] of entered) {
          table.insertRows(row(idOf(chunk), pack, place), [10, 11, 12, 13]);
          expected.set(chunk, (expected.get(chunk) ?? new Set()).add(`${pack + 10} ${place}`));
        }
        for (let chunk = 0; chunk <= 31; chunk++) {
          const found = placesOf(table, idOf(chunk)).map((location) => `${location.pack} ${location.frameOffset}`);
          assert.deepEqual(found.sort(), [...(expected.get(chunk) ?? [])].sort());
        }
        assert.equal(
          table.count,
          [...expected.values()].reduce((sum, places) => sum + places.size, 0),
        );
      }),
      { numRuns: 60 },
    );
  });

  test('enters the same row once, however often it comes', () => {
    const table = new ChunkTable({ expected: 10 });
    const bytes = row(idOf(1), 0, 5);
    for (let times = 0; times < 5; times++) table.insertRows(Buffer.concat([bytes, bytes]), [7]);
    assert.equal(table.count, 1);
    const [place, ...others] = placesOf(table, idOf(1));
    assert.deepEqual(others, []);
    const { slot, ...where } = place as ChunkLocation;
    assert.deepEqual(where, { pack: 7, frameOffset: 5, frameLength: 6, bodyOffset: 7, length: 8 });
    assert.deepEqual(table.rowAt(slot), { id: idOf(1), location: place });
  });

  test('stops at the first place that the caller takes', () => {
    const table = new ChunkTable({ expected: 10 });
    for (const pack of [0, 1, 2]) table.insertRows(row(idOf(1), pack, 5), [0, 1, 2]);
    let visits = 0;
    assert.equal(
      table.find(idOf(1), () => {
        visits++;
        return visits === 2;
      }),
      true,
    );
    assert.equal(visits, 2);
    assert.equal(
      table.find(idOf(2), () => true),
      false,
    );
  });

  test('keeps all rows when it grows into a larger one', () => {
    const small = new ChunkTable({ expected: 500 });
    let count = 0;
    for (; small.hasRoomFor(1); count++) small.insertRows(row(idOf(count), count % 3, count), [0, 1, 2]);
    const large = new ChunkTable({ expected: count * 2 });
    small.copyInto(large);
    assert.equal(large.count, count);
    for (let chunk = 0; chunk < count; chunk++)
      assert.deepEqual(withoutSlots(placesOf(large, idOf(chunk))), withoutSlots(placesOf(small, idOf(chunk))));
    assert.ok(large.hasRoomFor(count - 1) && !small.hasRoomFor(1));
  });

  test('takes at most 64 bytes a chunk when it is full', () => {
    const expected = 50_000;
    const table = new ChunkTable({ expected });
    const rows: Buffer[] = [];
    for (let chunk = 0; chunk < expected; chunk++) rows.push(row(idOf(chunk), 0, chunk));
    table.insertRows(Buffer.concat(rows.sort(Buffer.compare)), [0]);
    assert.equal(table.count, expected);
    assert.ok(!table.hasRoomFor(10));
    const each = table.shared.byteLength / expected;
    assert.ok(each <= 64, `${each} bytes a chunk`);
    for (let chunk = 0; chunk < expected; chunk += 97) assert.equal(placesOf(table, idOf(chunk)).length, 1);
  });

  test('lets another thread look up while this one inserts, and shows whole rows only', async () => {
    const table = new ChunkTable({ expected: 20_000 });
    const module = new URL('./chunk-table.ts', import.meta.url).href;
    const worker = new Worker(
      `const { workerData, parentPort } = require('node:worker_threads');
      const { createHash } = require('node:crypto');
      import(workerData.module).then(({ ChunkTable }) => {
        const table = new ChunkTable({ shared: workerData.shared });
        parentPort.postMessage('ready');
        const ids = Array.from({ length: 2000 }, (_, n) => createHash('sha256').update('chunk ' + n * 10).digest());
        let wrong = 0, seen = 0;
        while (seen < ids.length) {
          seen = 0;
          for (const [n, id] of ids.entries())
            if (table.find(id, (at) => {
              if (at.pack !== 4 || at.frameOffset !== n * 10 || at.length !== n * 10 + 3) wrong++;
              return true;
            })) seen++;
        }
        parentPort.postMessage(wrong);
      });`,
      { eval: true, workerData: { module, shared: table.shared } },
    );
    try {
      const messages: unknown[] = [];
      await new Promise<void>((resolve, reject) => {
        worker.on('error', reject);
        worker.on('message', (message) => {
          messages.push(message);
          if (message === 'ready')
            for (let chunk = 0; chunk < 20_000; chunk++) table.insertRows(row(idOf(chunk), 0, chunk), [4]);
          else resolve();
        });
      });
      assert.deepEqual(messages, ['ready', 0]);
    } finally {
      await worker.terminate();
    }
  });
});
