import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { CopyDataTap } from './copy-data-tap.ts';

const LONG = Buffer.from(Array.from({ length: 10_000 }, (_, index) => index % 251));
const CONTENTS = [Buffer.from('nbase.tar\0\0'), LONG, Buffer.alloc(0), Buffer.from('p12345678'), Buffer.alloc(4096, 1)];

for (const readBytes of [1, 3, 4, 5, 7, 64, 4096, 4101, 65_536])
  test(`messages that come in reads of ${readBytes} bytes are told apart, short ones whole`, async () => {
    const sent = Buffer.concat([
      message('H', Buffer.alloc(3)),
      ...CONTENTS.map((content) => message('d', content)),
      message('c', Buffer.alloc(0)),
      message('C', Buffer.from('SELECT\0')),
    ]);
    const { messages, passed } = await read([sent], readBytes);
    assert.deepEqual(
      messages.map((pieces) => Buffer.concat(pieces)),
      CONTENTS.filter(({ length }) => length > 0),
    );
    for (const pieces of messages) if (Buffer.concat(pieces).length <= 4096) assert.equal(pieces.length, 1);
    const others = [
      message('H', Buffer.alloc(3)),
      message('c', Buffer.alloc(0)),
      message('C', Buffer.from('SELECT\0')),
    ];
    assert.deepEqual(passed, Buffer.concat(others));
  });

test('what follows the message at which the tap is removed goes to the reader before, copy streams included', async () => {
  const end = message('Z', Buffer.from('I'));
  const after = message('d', Buffer.from('of the next command'));
  const { messages, passed } = await read([Buffer.concat([message('d', LONG), end, after]), after], 1 << 20);
  assert.deepEqual(
    messages.map((pieces) => Buffer.concat(pieces)),
    [LONG],
  );
  assert.deepEqual(passed, Buffer.concat([end, after, after]));
});

/** Sends through a tap that is removed when `Z` has passed. */
async function read(chunks: readonly Buffer[], readBytes: number) {
  const stream = new PassThrough();
  const messages: Buffer[][] = [];
  let passed = Buffer.alloc(0);
  stream.on('data', (bytes: Buffer) => {
    passed = Buffer.concat([passed, bytes]);
    if (passed.subarray(-END.length).equals(END)) tap.remove();
  });
  const tap = new CopyDataTap(stream, (bytes, continues) => {
    if (continues) messages.at(-1)?.push(bytes);
    else messages.push([bytes]);
  });
  for (const chunk of chunks)
    for (let at = 0; at < chunk.length; at += readBytes) {
      stream.write(chunk.subarray(at, at + readBytes));
      await new Promise(setImmediate);
    }
  return { messages, passed };
}

function message(kind: string, content: Buffer): Buffer {
  const header = Buffer.from(`${kind}0000`);
  header.writeUInt32BE(content.length + 4, 1);
  return Buffer.concat([header, content]);
}

const END = message('Z', Buffer.from('I'));
