import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { CopiedTable } from './copied-tables.ts';
import { rowReads } from './row-reads.ts';

const table = (name: string, pages: number, pagesOfRead?: number): CopiedTable => ({
  table: {
    oid: 1,
    schema: 'public',
    name,
    bytes: 0,
    indexes: [],
    sequences: [],
    references: [],
    partitionOf: null,
    isUnlogged: false,
  },
  ...{ name, columns: 'id, "text"', pages },
  ...(pagesOfRead === undefined ? {} : { pagesOfRead }),
});

describe('reads of rows', () => {
  test('hold each page of a table once, in order, and whatever comes behind the last one', () => {
    const [large, plain] = [table('large', 10, 4), table('plain', 10, 4)];
    const reads = [...rowReads([large, plain, table('unknown', 10)], new Set([large]))];
    assert.deepEqual(
      reads.map(({ text, isFirst, isLast }) => [text, isFirst, isLast]),
      [
        [
          `COPY (SELECT id, "text" FROM ONLY large WHERE ctid >= '(0,0)'::tid AND ctid < '(4,0)'::tid) TO STDOUT`,
          true,
          false,
        ],
        [
          `COPY (SELECT id, "text" FROM ONLY large WHERE ctid >= '(4,0)'::tid AND ctid < '(8,0)'::tid) TO STDOUT`,
          false,
          false,
        ],
        [`COPY (SELECT id, "text" FROM ONLY large WHERE ctid >= '(8,0)'::tid) TO STDOUT`, false, true],
        ['COPY plain (id, "text") TO STDOUT', true, true],
        ['COPY unknown (id, "text") TO STDOUT', true, true],
      ],
    );
  });

  test('are as many as fill the pages exactly', () => {
    const exact = table('exact', 8, 4);
    assert.deepEqual(
      [...rowReads([exact], new Set([exact]))].map(({ isLast }) => isLast),
      [false, true],
    );
  });
});
