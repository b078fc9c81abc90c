import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type ArchiveContents, readArchiveContents, withTables } from './archive-contents.ts';

const [PRE_DATA, DATA, POST_DATA] = [2, 3, 4];

interface Entry {
  id: number;
  oid: number;
  kind: string;
  section: number;
}

const ENTRIES: readonly Entry[] = [
  { id: 3, oid: 16_384, kind: 'TABLE', section: PRE_DATA },
  { id: 4, oid: 4_294_967_295, kind: 'TABLE', section: PRE_DATA },
  { id: 5, oid: 16_384, kind: 'TABLE DATA', section: DATA },
  { id: 9, oid: 0, kind: 'BLOBS', section: DATA },
  { id: 7, oid: 16_400, kind: 'INDEX', section: POST_DATA },
];
const COPY = 'COPY public.x (a) FROM stdin;\n';
const whole = (bytes: Buffer): ArchiveContents => {
  const contents = readArchiveContents(bytes);
  assert.ok(contents !== undefined && contents !== 'more');
  return contents;
};

describe('the contents of an archive', () => {
  for (const minor of [14, 15, 16])
    test(`are read from as many bytes as they have, of version 1.${minor}`, () => {
      const head = archive(minor, ENTRIES);
      for (let length = 0; length < head.length; length++)
        assert.equal(readArchiveContents(head.subarray(0, length)), 'more');
      const { bytes, entries } = whole(Buffer.concat([head, Buffer.from('rows')]));
      assert.deepEqual(bytes, head);
      assert.deepEqual(
        entries.map(({ id, oid, kind, section }) => ({ id, oid, kind, section })),
        ENTRIES,
      );
    });

  test('are not read of another format, version or compression', () => {
    const head = archive(16, ENTRIES);
    const changed = (at: number, value: number) => {
      const other = Buffer.from(head);
      other[at] = value;
      return readArchiveContents(other);
    };
    // Magic, major and minor version, length of numbers and offsets, format, compression.
    for (const at of [0, 5, 6, 8, 9, 10, 11]) assert.equal(changed(at, 42), undefined, `byte ${at}`);
    assert.equal(changed(6, 17), undefined);
    assert.equal(changed(6, 13), undefined);
  });

  test('get tables behind all other data, with numbers of their own', () => {
    const added = withTables(whole(archive(16, ENTRIES)), [{ oid: 4_294_967_295, copy: COPY }]);
    assert.deepEqual(added?.ids, [10]);
    const { entries } = whole(added?.head ?? Buffer.alloc(0));
    const wanted = { id: 10, oid: 4_294_967_295, kind: 'TABLE DATA', section: DATA };
    assert.deepEqual(
      entries.map(({ id, oid, kind, section }) => ({ id, oid, kind, section })),
      ENTRIES.toSpliced(4, 0, wanted),
    );
    assert.deepEqual(entries[4]?.tag, entries[1]?.tag);
  });

  test('get tables before what follows data where there is none, and at the end where nothing follows', () => {
    const [first, second, , , last] = ENTRIES as [Entry, Entry, Entry, Entry, Entry];
    for (const rest of [[last], []]) {
      const added = withTables(whole(archive(14, [first, second, ...rest])), [{ oid: first.oid, copy: COPY }]);
      const { entries } = whole(added?.head ?? Buffer.alloc(0));
      const kinds = ['TABLE', 'TABLE', 'TABLE DATA', ...rest.map(({ kind }) => kind)];
      assert.deepEqual(
        entries.map(({ kind }) => kind),
        kinds,
      );
    }
  });

  test('get no table that they do not define, or whose rows they have', () => {
    const contents = whole(archive(16, ENTRIES));
    for (const oid of [16_384, 16_385, 16_400, 0])
      assert.equal(
        withTables(contents, [
          { oid: 4_294_967_295, copy: COPY },
          { oid, copy: COPY },
        ]),
        undefined,
      );
  });
});

/** As pg_dump writes it. */
function archive(minor: number, entries: readonly Entry[]): Buffer {
  const compression = minor >= 15 ? Buffer.of(0) : integer(0);
  const moment = Array.from({ length: 7 }, () => integer(1));
  return Buffer.concat([
    Buffer.from('PGDMP'),
    Buffer.of(1, minor, 0, 4, 8, 1),
    compression,
    ...moment,
    ...['shop', '15.1', '15.1'].map(text),
    integer(entries.length),
    ...entries.flatMap(({ id, oid, kind, section }) => [
      integer(id),
      integer(0),
      text('1259'),
      text(String(oid)),
      text(`täble ${oid}`),
      text(kind),
      integer(section),
      ...['CREATE', 'DROP', ''].map(text),
      ...['public', '', 'heap'].map(text),
      ...(minor >= 16 ? [integer('r'.charCodeAt(0))] : []),
      ...['owner', 'false', '2', '3'].map(text),
      integer(-1),
      Buffer.alloc(9, 1),
    ]),
  ]);
}

function integer(value: number): Buffer {
  const bytes = Buffer.alloc(5);
  bytes.writeUInt8(value < 0 ? 1 : 0);
  bytes.writeUInt32LE(Math.abs(value), 1);
  return bytes;
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([integer(bytes.length), bytes]);
}
