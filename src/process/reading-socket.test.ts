import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { describe, test } from 'node:test';
import { ReadingSocket } from './reading-socket.ts';

async function connected(t: { after(end: () => void): void }): Promise<{ reading: ReadingSocket; writing: Socket }> {
  const server = createServer();
  t.after(() => server.close());
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const reading = new ReadingSocket();
  const address = server.address();
  const coming = once(server, 'connection');
  reading.connect(typeof address === 'object' && address !== null ? address.port : 0, '127.0.0.1');
  const [writing] = (await coming) as [Socket];
  t.after(() => writing.destroy());
  t.after(() => reading.destroy());
  return { reading, writing };
}

/** Tells by each byte's value where it belongs. */
const content = Buffer.from(Uint8Array.from({ length: 3_000_000 }, (_, at) => (at * 7) ^ (at >> 9)));

describe('a socket that reads to memory of its own', () => {
  test('gives plain listeners bytes that nobody writes to again', async (t) => {
    const { reading, writing } = await connected(t);
    const pieces: Buffer[] = [];
    reading.on('data', (bytes: Buffer) => pieces.push(bytes));
    writing.end(content);
    await once(reading, 'end');
    assert.deepEqual(Buffer.concat(pieces), content);
  });

  test('leaves what is kept as it is until it is given back, and reads there again then', async (t) => {
    const { reading, writing } = await connected(t);
    const whole: Buffer[] = [];
    const memory = new Set<ArrayBufferLike>();
    let waiting: Buffer[] = [];
    const take = (): void => {
      whole.push(...waiting.map((piece) => Buffer.from(piece)));
      waiting = [];
      reading.giveBack(reading.takeKept());
    };
    reading.on('piece', (bytes: Buffer) => {
      reading.keep();
      memory.add(bytes.buffer);
      waiting.push(bytes);
      if (waiting.length >= 4) take();
    });
    reading.on('data', () => assert.fail('It came as a piece.'));
    writing.end(content);
    await once(reading, 'end');
    take();
    assert.deepEqual(Buffer.concat(whole), content);
    assert.ok(memory.size < whole.length, `${memory.size} buffers for ${whole.length} reads`);
  });

  test('stops while it is paused', async (t) => {
    const { reading, writing } = await connected(t);
    let length = 0;
    const listener = (bytes: Buffer): void => {
      length += bytes.length;
      reading.pause();
      setImmediate(() => {
        assert.ok(reading.isPaused());
        reading.resume();
      });
    };
    reading.on('piece', listener);
    reading.on('data', listener);
    writing.end(content);
    await once(reading, 'end');
    assert.equal(length, content.length);
  });
});
