import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import type { Connection } from 'pg';
import { ReadingSocket } from '../../process/reading-socket.ts';
import { StreamingCommand } from './streaming-command.ts';

const MESSAGES = 200;

function copyData(number: number): Buffer {
  const message = Buffer.alloc(9);
  message.write('d');
  message.writeUInt32BE(8, 1);
  message.writeUInt32BE(number, 5);
  return message;
}

test('small bits that a server sends one after another lie together in little memory', {
  timeout: 60_000,
}, async (t) => {
  const server = createServer((socket) => socket.setNoDelay(true)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const stream = new ReadingSocket();
  t.after(() => stream.destroy());
  const coming = once(server, 'connection');
  const address = server.address();
  stream.connect(typeof address === 'object' && address !== null ? address.port : 0, '127.0.0.1');
  const [writing] = (await coming) as [Socket];
  let mostKept = 0;
  t.mock.method(stream, 'takeKept', () => {
    const kept = ReadingSocket.prototype.takeKept.call(stream);
    mostKept = Math.max(mostKept, kept.length);
    return kept;
  });
  const connection = Object.assign(new EventEmitter(), { stream, query: () => undefined });
  const command = new StreamingCommand('BASE_BACKUP', () => new Error('lost'));
  command.submit(connection as unknown as Connection);
  for (let number = 0; number < MESSAGES; number++) {
    writing.write(copyData(number));
    await once(stream, 'piece');
  }
  const found: number[] = [];
  for await (const messages of command.batches()) {
    for (const message of messages) if (message.kind === 'data') found.push(message.bytes.readUInt32BE());
    if (found.length === MESSAGES) command.handleReadyForQuery();
  }
  assert.deepEqual(
    found,
    Array.from({ length: MESSAGES }, (_, number) => number),
  );
  assert.equal(mostKept, 0, 'no buffer is full');
});
