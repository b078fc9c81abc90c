import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { expectBack } from '../../core/given-back.ts';
import { transferBody } from './socket-transfer.ts';

/** More than all buffers between the two hold, and all kinds of sizes. */
const SIZES = Array.from({ length: 400 }, (_, index) => [65_536, 100, 1, 40_000][index % 4] as number);

describe('the pieces of a body', () => {
  for (const announced of [true, false])
    it(`arrive as they were, and are freed where they are expected back: ${announced ? 'of known length' : 'in HTTP chunks'}`, async (t) => {
      const bytes = SIZES.map((size) => randomBytes(size));
      const whole = Buffer.concat(bytes);
      const isExpected = (index: number): boolean => index % 3 !== 0;
      const pieces = bytes.map((each, index) =>
        isExpected(index) ? expectBack(new Uint8Array(each)) : new Uint8Array(each),
      );
      const server = createServer(async (_request, response) => {
        const length = announced ? { length: whole.length } : {};
        response.writeHead(200, announced ? { 'content-length': whole.length } : {});
        await transferBody(given(pieces), response, {
          ...{ server, ...length, idleMilliseconds: 10_000, tellsFailure: false },
          onBytes: () => undefined,
        });
      });
      t.after(() => server.close());
      await once(server.listen(0, '127.0.0.1'), 'listening');
      const request = get({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', agent: false });
      const [answer] = (await once(request, 'response')) as [IncomingMessage];
      const received: Buffer[] = [];
      for await (const chunk of answer) {
        received.push(chunk);
        // Now and then it lets the other side wait.
        if (received.length % 20 === 0) await delay(2);
      }
      assert.ok(Buffer.concat(received).equals(whole));
      for (const [index, piece] of pieces.slice(0, -4).entries())
        assert.equal(piece.length, isExpected(index) ? 0 : SIZES[index], `piece ${index}`);
    });
});

async function* given(pieces: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  for (const piece of pieces) yield piece;
}
