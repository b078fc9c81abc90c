import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HoldfastError } from '../../../core/errors.ts';
import type { ObjectSource } from '../../../core/ports/object-source.ts';
import { readWholeObject } from './whole-object.ts';

const { signal } = new AbortController();
const CONTENT = Buffer.from('0123456789'.repeat(100));

/** What one connection does: gives bytes up to a place and then breaks, or goes on with another version of the object. */
interface Connection {
  until?: number;
  error?: unknown;
  content?: Buffer;
  /** null: the source gives none. */
  entityTag?: string | null;
  refuses?: unknown;
}

function sourceOf(connections: readonly Connection[]): {
  source: ObjectSource;
  opened: { offset: number; entityTag?: string }[];
  unread: () => number;
} {
  let begun = 0;
  const opened: { offset: number; entityTag?: string }[] = [];
  const open: ObjectSource['open'] = async (_key, { offset, entityTag }) => {
    const connection = connections[Math.min(opened.length, connections.length - 1)] ?? {};
    opened.push({ offset, ...(entityTag === undefined ? {} : { entityTag }) });
    if (connection.refuses !== undefined) throw connection.refuses;
    const { content = CONTENT, until = content.length, error } = connection;
    async function* bytes(): AsyncGenerator<Uint8Array> {
      begun++;
      for (let place = offset; place < until; place += 7) yield content.subarray(place, Math.min(place + 7, until));
      if (error !== undefined) throw error;
    }
    const named = connection.entityTag === null ? {} : { entityTag: connection.entityTag ?? 'one' };
    return { size: content.length, ...named, bytes: bytes() };
  };
  const source = { location: 'a test', open, list: () => assert.fail(), close: async () => undefined };
  return { source, opened, unread: () => opened.length - begun };
}

async function read(source: ObjectSource, expected?: number): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const piece of readWholeObject(source, 'shop.sql', { expected, signal, firstDelayMilliseconds: 1 }))
    pieces.push(piece);
  return Buffer.concat(pieces);
}

const broken = Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });

describe('reading a whole object', () => {
  it('goes on where a connection broke, of the same version', async () => {
    const { source, opened } = sourceOf([{ until: 100, error: broken }, { until: 500 }, {}]);
    assert.ok((await read(source)).equals(CONTENT));
    assert.deepEqual(opened, [{ offset: 0 }, { offset: 100, entityTag: 'one' }, { offset: 500, entityTag: 'one' }]);
  });

  it('takes a connection that breaks after the last byte for the end', async () => {
    const { source } = sourceOf([{ error: broken }]);
    assert.ok((await read(source)).equals(CONTENT));
  });

  it('gives up after five connections without a byte, and at once where it is no passing fault', async () => {
    const never = sourceOf([{ until: 100, error: broken }, { refuses: broken }]);
    await assert.rejects(read(never.source), { code: 'ECONNRESET' });
    assert.equal(never.opened.length, 5);
    const gone = sourceOf([{ refuses: new HoldfastError('not-found', 'object-missing', 'It is gone.') }]);
    await assert.rejects(read(gone.source), { code: 'object-missing' });
    assert.equal(gone.opened.length, 1);
  });

  it('ends with the reason of its signal, also in a pause before it tries again', async () => {
    const cancelling = new AbortController();
    const refusing: ObjectSource = {
      ...sourceOf([]).source,
      open: async () => {
        setImmediate(() => cancelling.abort(new Error('enough')));
        throw broken;
      },
    };
    const bytes = readWholeObject(refusing, 'key', { signal: cancelling.signal, firstDelayMilliseconds: 60_000 });
    await assert.rejects(bytes.next(), /^Error: enough$/);
  });

  it('never joins two versions', async () => {
    const grown = sourceOf([{ until: 100, error: broken }, { content: Buffer.concat([CONTENT, CONTENT]) }]);
    await assert.rejects(read(grown.source), { code: 'object-changed' });
    const changed = new HoldfastError('conflict', 'object-changed', 'It was changed.');
    await assert.rejects(read(sourceOf([{ until: 100, error: broken }, { refuses: changed }]).source), {
      code: 'object-changed',
    });
    const nameless = sourceOf([{ until: 100, error: broken, entityTag: null }, {}]);
    await assert.rejects(read(nameless.source), { code: 'ECONNRESET' });
  });

  it('wants the size that the object was listed with, and as many bytes as it has', async () => {
    const other = sourceOf([{}]);
    await assert.rejects(read(other.source, 999), { code: 'object-size-differs' });
    assert.equal(other.unread(), 0, 'who does not begin to read cannot end the connection');
    await assert.rejects(read(sourceOf([{ content: Buffer.alloc(0) }]).source, 999), { code: 'object-size-differs' });
    assert.equal((await read(sourceOf([{}]).source, 1000)).length, 1000);
    await assert.rejects(read(sourceOf([{ until: 900 }, { until: 0 }]).source), { code: 'object-short' });
  });
});
