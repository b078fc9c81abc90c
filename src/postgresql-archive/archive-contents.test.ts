import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { readArchiveContents, rowsBegin, rowsEnd, withTables } from './archive-contents.ts';

const [PRE_DATA, DATA, POST_DATA] = [2, 3, 4];
const TABLE = { id: 7, oid: '16384', tag: 'größe', kind: 'TABLE', section: PRE_DATA };
const INDEX = { id: 9, oid: '16390', tag: 'größe_key', kind: 'INDEX', section: POST_DATA };
const NUMBER = { id: 3, oid: '16391', tag: 'number', kind: 'SEQUENCE SET', section: DATA };
const COPY = { oid: 16384, copy: 'COPY public."größe" (id) FROM stdin;\n' };

describe('the table of contents of an archive', () => {
  for (const minor of [14, 15, 16]) {
    test(`of format 1.${minor} is read when all of it is there`, () => {
      const head = archive([TABLE, INDEX], minor);
      for (let length = 0; length < head.length; length++)
        assert.equal(readArchiveContents(head.subarray(0, length)), 'more');
      const contents = read(Buffer.concat([head, rowsBegin(7)]));
      assert.equal(contents.bytes.length, head.length);
      assert.deepEqual(
        contents.entries.map(({ id, oid, kind, section }) => [id, oid, kind, section]),
        [
          [7, 16384, 'TABLE', PRE_DATA],
          [9, 16390, 'INDEX', POST_DATA],
        ],
      );
    });

    test(`of format 1.${minor} gets rows of a table behind all other data and before what needs them`, () => {
      for (const entries of [[TABLE, NUMBER, INDEX], [TABLE, INDEX], [TABLE]]) {
        const added = withTables(read(archive(entries, minor)), [COPY]);
        const id = Math.max(...entries.map((entry) => entry.id)) + 1;
        assert.deepEqual(added?.ids, [id]);
        const rows = {
          id,
          oid: '16384',
          tag: TABLE.tag,
          kind: 'TABLE DATA',
          section: DATA,
          copy: COPY.copy,
          needs: '7',
        };
        const at = entries.findLastIndex(({ section }) => section < POST_DATA) + 1;
        assert.deepEqual(added?.head, archive([...entries.slice(0, at), rows, ...entries.slice(at)], minor));
      }
    });
  }

  test('gets no rows of a table that it does not have, or has with rows', () => {
    assert.equal(withTables(read(archive([INDEX], 14)), [COPY]), undefined);
    const filled = { ...TABLE, id: 8, kind: 'TABLE DATA', section: DATA };
    assert.equal(withTables(read(archive([TABLE, filled], 14)), [COPY]), undefined);
    assert.equal(withTables(read(archive([TABLE], 14)), [COPY, { ...COPY, oid: 1 }]), undefined);
  });

  test('of another format, another version or a compressed archive is not read', () => {
    for (const [at, value] of [
      [0, 0x51],
      [5, 2],
      [6, 13],
      [6, 17],
      [8, 8],
      [9, 4],
      [10, 3],
      [12, 6],
    ] as const) {
      const bytes = archive([TABLE], 14);
      bytes[at] = value;
      assert.equal(readArchiveContents(bytes), undefined, `byte ${at}`);
    }
  });

  test('is followed by rows as pg_dump begins and ends them', () => {
    assert.deepEqual(rowsBegin(0x0d0b), Buffer.from('01000b0d0000', 'hex'));
    assert.deepEqual(rowsEnd(), Buffer.from('00050000005c2e0a0a0a0000000000', 'hex'));
  });
});

function read(bytes: Buffer) {
  const contents = readArchiveContents(bytes);
  assert.ok(contents !== undefined && contents !== 'more');
  return contents;
}

interface Entry {
  id: number;
  oid: string;
  tag: string;
  kind: string;
  section: number;
  copy?: string;
  needs?: string;
}

/** Header and table of contents as pg_dump writes them. */
function archive(entries: readonly Entry[], minor: number): Buffer {
  const compression = minor >= 15 ? Buffer.of(0) : integer(0);
  const moment = Array.from({ length: 7 }, () => integer(1));
  const versions = ['shop', '15.1', '15.1'].map(text);
  const head = [Buffer.from('PGDMP'), Buffer.of(1, minor, 0, 4, 8, 1), compression, ...moment, ...versions];
  return Buffer.concat([...head, integer(entries.length), ...entries.map((entry) => entryBytes(entry, minor))]);
}

function entryBytes({ id, oid, tag, kind, section, copy, needs }: Entry, minor: number): Buffer {
  const isData = copy !== undefined;
  return Buffer.concat([
    ...[integer(id), integer(isData ? 1 : 0), text('0'), text(oid), text(tag), text(kind), integer(section)],
    ...[text(isData ? undefined : 'CREATE …'), text(undefined), text(copy), text('public')],
    ...[text(undefined), text(undefined), ...(minor >= 16 ? [integer(0)] : []), text('owner'), text('false')],
    ...[...(needs === undefined ? [] : [text(needs)]), text(undefined), Buffer.of(isData ? 1 : 3), Buffer.alloc(8)],
  ]);
}

function integer(value: number): Buffer {
  const bytes = Buffer.alloc(5);
  bytes[0] = value < 0 ? 1 : 0;
  bytes.writeUInt32LE(Math.abs(value), 1);
  return bytes;
}

function text(value: string | undefined): Buffer {
  return value === undefined ? integer(-1) : Buffer.concat([integer(Buffer.byteLength(value)), Buffer.from(value)]);
}
