import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { SnapshotServer, serverAddress } from './snapshot-server.ts';

const CONTENT = 'CREATE TABLE orders ();\n';
let server: Server;

before(async () => {
  server = createServer((_request, response) => response.end(CONTENT)).listen(0, '127.0.0.1');
  await once(server, 'listening');
});

after(() => {
  server.closeAllConnections();
  server.close();
});

test('Content is whole where garbage is collected before it is read', async () => {
  const url = serverAddress(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const snapshots = new SnapshotServer({ url, authorization: undefined, version: '0' });
  const content = await snapshots.content('shop', new URLSearchParams(), new AbortController().signal);
  setFlagsFromString('--expose-gc');
  for (let round = 0; round < 3; round++) {
    runInNewContext('gc')();
    // What is told of garbage runs in a turn of its own.
    await turn();
  }
  const pieces: Uint8Array[] = [];
  for await (const piece of content.bytes) pieces.push(piece);
  assert.equal(Buffer.concat(pieces).toString(), CONTENT);
});

test('An address without a scheme is https, but on this machine', async () => {
  assert.equal(serverAddress('backups.example.org').href, 'https://backups.example.org/');
  assert.equal(serverAddress('localhost:3004').href, 'http://localhost:3004/');
  assert.equal(serverAddress('127.0.0.1').href, 'http://127.0.0.1/');
  assert.equal(serverAddress('localhost.example.org').href, 'https://localhost.example.org/');
  const { port } = server.address() as AddressInfo;
  const url = serverAddress(`https://127.0.0.1:${port}`);
  const asked = new SnapshotServer({ url, authorization: undefined, version: '0' }).list(
    new URLSearchParams(),
    new AbortController().signal,
  );
  await assert.rejects(asked, {
    code: 'server-unreachable',
    message: new RegExp(`write http://127\\.0\\.0\\.1:${port}`),
  });
});
