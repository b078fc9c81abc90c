import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Connection } from 'pg';
import { RowCopy } from './row-copy.ts';

const NOTICE = message('N', Buffer.from('SNOTICE\0\0'));
const END = Buffer.concat([
  message('c', Buffer.alloc(0)),
  message('C', Buffer.from('COPY\0')),
  message('Z', Buffer.from('I')),
]);

describe('a copy of rows', () => {
  test('gives each row as a chunk of an archive, and pg all else, wherever reads cut the messages', async () => {
    const row = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.concat([bytes, Buffer.from('\n')]));
    const part = fc.oneof({ weight: 5, arbitrary: row }, { weight: 1, arbitrary: fc.constant(NOTICE) });
    await fc.assert(
      fc.asyncProperty(
        fc.array(part, { maxLength: 60 }),
        fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1 }),
        async (parts, cuts) => {
          const rows = parts.filter((each) => each !== NOTICE);
          const sent = Buffer.concat([...parts.map((each) => (each === NOTICE ? NOTICE : message('d', each))), END]);
          const { stream, copy, forPg } = begun();
          const coming = gathered(copy);
          let at = 0;
          for (let turn = 0; at < sent.length; turn++) {
            const piece = sent.subarray(at, at + (cuts[turn % cuts.length] as number));
            stream.emit('data', Buffer.from(piece));
            at += piece.length;
          }
          copy.handleCommandComplete({ text: `COPY ${rows.length}` });
          copy.handleReadyForQuery();
          const { bytes, count } = await coming;
          assert.deepEqual(bytes, Buffer.concat(rows.map(chunk)));
          assert.equal(count, rows.length);
          assert.deepEqual(Buffer.concat(forPg), Buffer.concat([...parts.filter((each) => each === NOTICE), END]));
        },
      ),
    );
  });

  test('leaves the stream to pg when it is over', async () => {
    const { stream, copy, forPg } = begun();
    copy.handleCommandComplete({ text: 'COPY 0' });
    copy.handleReadyForQuery();
    assert.deepEqual(await gathered(copy), { bytes: Buffer.alloc(0), count: 0 });
    stream.emit('data', message('d', Buffer.from('not ours\n')));
    assert.deepEqual(Buffer.concat(forPg), message('d', Buffer.from('not ours\n')));
  });

  test('fails where fewer rows came than the server says it sent, or it says nothing', async () => {
    for (const text of ['COPY 3', 'COPY 1', 'SELECT 2', 'COPY']) {
      const { stream, copy } = begun();
      stream.emit('data', Buffer.concat([message('d', Buffer.from('1\n')), message('d', Buffer.from('2\n'))]));
      copy.handleCommandComplete({ text });
      copy.handleReadyForQuery();
      await assert.rejects(gathered(copy), { code: 'postgresql-rows-cut', kind: 'unavailable' });
    }
  });

  test('fails, and ends the connection, at a message that is not one whole row', async () => {
    const strange = [Buffer.alloc(0), Buffer.from('half a row'), Buffer.from('a row\nand more')];
    for (const content of strange)
      for (const cut of [1, 3, 5, 7, 100]) {
        const { stream, copy, forPg } = begun();
        const sent = Buffer.concat([
          message('d', Buffer.from('1\n')),
          message('d', content),
          message('d', Buffer.from('2\n')),
        ]);
        for (let at = 0; at < sent.length; at += cut) stream.emit('data', Buffer.from(sent.subarray(at, at + cut)));
        await assert.rejects(gathered(copy), { code: 'postgresql-rows-cut' });
        assert.ok(stream.destroyed);
        assert.deepEqual(forPg, []);
      }
  });

  test('fails at a length that no message can have', async () => {
    for (const length of [0, 3, 0xffffffff, 0x80000000]) {
      const { stream, copy } = begun();
      const header = Buffer.from('d\0\0\0\0');
      header.writeUInt32BE(length, 1);
      stream.emit('data', Buffer.concat([header, Buffer.from('x\n')]));
      await assert.rejects(gathered(copy), { code: 'postgresql-rows-cut' });
    }
  });

  test('fails at a message that is shorter than its own length', async () => {
    for (const length of [0, 3, 0x80000000]) {
      const { stream, copy } = begun();
      const header = Buffer.from('N\0\0\0\0');
      header.writeUInt32BE(length, 1);
      stream.emit('data', Buffer.concat([message('d', Buffer.from('1\n')), header, Buffer.from('and more')]));
      await assert.rejects(gathered(copy), { code: 'postgresql-rows-cut' });
      assert.ok(stream.destroyed);
    }
  });

  test('lets the socket read on when it is over, though nobody takes its rows: a connection that is paused never ends', () => {
    const { stream, copy } = begun();
    stream.emit('data', message('d', Buffer.alloc(2_000_000, '\n')));
    assert.ok(stream.isPaused());
    copy.handleCommandComplete({ text: 'COPY 1' });
    copy.handleReadyForQuery();
    assert.ok(!stream.isPaused());
  });

  test('fails as the server says, after the rows that came before', async () => {
    const { stream, copy } = begun();
    stream.emit('data', message('d', Buffer.from('1\n')));
    copy.handleError(new Error('canceling statement due to user request'));
    const pieces: Uint8Array[] = [];
    const reading = async () => {
      for await (const piece of copy.pieces()) pieces.push(piece);
    };
    await assert.rejects(reading(), /told: canceling statement/);
    assert.deepEqual(Buffer.concat(pieces), chunk(Buffer.from('1\n')));
  });
});

/** As a server writes messages. */
function message(kind: string, content: Uint8Array): Buffer {
  const header = Buffer.alloc(5);
  header.write(kind);
  header.writeUInt32BE(content.length + 4, 1);
  return Buffer.concat([header, content]);
}

/** As pg_dump writes rows. */
function chunk(row: Uint8Array): Buffer {
  const header = Buffer.alloc(5);
  header.writeUInt32LE(row.length, 1);
  return Buffer.concat([header, row]);
}

/** A copy that was given to a connection, on which `pg` read before. */
function begun() {
  const stream = new PassThrough();
  const forPg: Buffer[] = [];
  stream.on('data', (bytes: Buffer) => forPg.push(bytes));
  const copy = new RowCopy('COPY', stream, (error) => new Error(`told: ${(error as Error).message}`));
  copy.submit({ query: () => undefined } as unknown as Connection);
  return { stream, copy, forPg };
}

async function gathered(copy: RowCopy): Promise<{ bytes: Buffer; count: number }> {
  const pieces: Buffer[] = [];
  const reading = copy.pieces();
  for (;;) {
    const { value, done } = await reading.next();
    if (done === true) return { bytes: Buffer.concat(pieces), count: value };
    pieces.push(Buffer.from(value));
  }
}
