import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { TableMasker } from './table-masker.ts';

const shared = (byte: number) => new Uint8Array(new SharedArrayBuffer(1)).fill(byte);

describe('the masking of a row of a table', () => {
  const told: string[] = [];
  const table = new TableMasker({
    columns: ['id', 'email', 'team', 'note'],
    values: {
      changed: [1],
      needed: [0, 1],
      mask: (values) => {
        if (values[0] === 'exempt') return false;
        values[1] = values[1] === null ? null : 'masked';
        return true;
      },
    },
    selection: { rows: 3, kept: shared(0b101), cut: [{ columns: ['team'], rows: shared(0b100) }] },
    probe: {
      traceable: [1],
      watched: [1, 3],
      watches: true,
      originals: () => assert.fail('no column is masked as a whole'),
      original: (value) => told.push(`original ${value}`),
      output: (value, column) => told.push(`output ${value} of ${column}`),
      take: () => [],
    },
    watches: true,
  });

  it('asks for what rules read, what may be cut and what is watched, and says what may change', () => {
    assert.deepEqual(table.changed, [1, 2]);
    assert.deepEqual(table.needed, [0, 1, 2, 3]);
  });

  it('keeps the rows that are selected, and knows no more of them', () => {
    assert.deepEqual(
      [0, 1, 2].map((ordinal) => table.isKept(ordinal)),
      [true, false, true],
    );
    assert.throws(() => table.isKept(3), /more rows/);
  });

  it('cuts a reference only in the rows in which it leads nowhere', () => {
    const [first, third] = [
      ['1', 'a', 't', 'n'],
      ['3', 'b', 't', 'n'],
    ] as (string | null)[][];
    table.mask(first!, 0);
    table.mask(third!, 2);
    assert.deepEqual(
      [first, third],
      [
        ['1', 'masked', 't', 'n'],
        ['3', 'masked', null, 'n'],
      ],
    );
  });

  it('tells the canary of originals and outputs, and nothing of NULL and of rows that are given as they are', () => {
    told.length = 0;
    table.mask(['1', 'a', null, 'kept'], 0);
    table.mask(['2', null, null, null], 0);
    table.mask(['exempt', 'b', null, ''], 0);
    assert.deepEqual(told, ['original a', 'output masked of 1', 'output kept of 3']);
  });
});
