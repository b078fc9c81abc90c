import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { describe, test } from 'node:test';
import { SocketPieces } from './socket-pieces.ts';

const KIBIBYTE = Buffer.alloc(1024, 'x');

describe('pieces of a socket', () => {
  test('come when there are enough of them, or no more', async () => {
    const pieces = new SocketPieces(new PassThrough());
    const reading = pieces.all();
    let first: Uint8Array | undefined;
    const coming = reading.next().then(({ value }) => {
      first = value ?? undefined;
    });
    pieces.add(KIBIBYTE);
    for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
    assert.equal(first, undefined);
    pieces.end();
    await coming;
    assert.deepEqual(first, KIBIBYTE);
    assert.equal((await reading.next()).done, true);
  });

  test('that lie one behind the other are one', async () => {
    const memory = Buffer.alloc(300, 'y');
    const pieces = new SocketPieces(new PassThrough());
    for (const [from, to] of [
      [0, 100],
      [100, 150],
      [200, 300],
    ])
      pieces.add(memory.subarray(from, to));
    pieces.add(KIBIBYTE);
    pieces.end();
    const lengths: number[] = [];
    for await (const { length } of pieces.all()) lengths.push(length);
    assert.deepEqual(lengths, [150, 100, 1024]);
  });

  test('make the socket wait while nobody takes them', async () => {
    const stream = new PassThrough();
    const pieces = new SocketPieces(stream);
    let added = 0;
    for (; !stream.isPaused(); added++) pieces.add(KIBIBYTE);
    assert.ok(added <= 1024, `${added} KiB`);
    const reading = pieces.all();
    for (let taken = 0; taken < added; taken++) await reading.next();
    assert.ok(stream.isPaused(), 'the last one is in use');
    void reading.next();
    await new Promise(setImmediate);
    assert.ok(!stream.isPaused());
  });

  test('come before the failure that ends them', async () => {
    const pieces = new SocketPieces(new PassThrough());
    pieces.add(KIBIBYTE);
    pieces.end(new Error('lost'));
    pieces.end();
    const reading = pieces.all();
    assert.deepEqual((await reading.next()).value, KIBIBYTE);
    await assert.rejects(reading.next(), /lost/);
  });
});
