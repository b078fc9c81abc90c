import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { Connection } from './connection.ts';
import { connectionSchema } from './connection-schema.ts';
import { Session } from './session.ts';

test('connecting to a server that never answers ends at once when it is cancelled', async () => {
  const sockets: Socket[] = [];
  const server = createServer((socket) => sockets.push(socket));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  try {
    const connection = new Connection(connectionSchema.parse({ host: '127.0.0.1', port, user: 'x' }), '');
    const cancelling = new AbortController();
    const opening = Session.open(connection, 'postgres', cancelling.signal);
    await once(server, 'connection');
    cancelling.abort(new Error('enough'));
    await assert.rejects(opening, /^Error: enough$/);
    await assert.rejects(Session.open(connection, 'postgres', cancelling.signal), /^Error: enough$/);
  } finally {
    for (const socket of sockets) socket.destroy();
    server.close();
  }
});
