import assert from 'node:assert/strict';
import test from 'node:test';
import { type Column, printable, tableLines } from './table.ts';

interface Row {
  name: string;
  size: number;
  tags?: string;
}

const COLUMNS: Column<Row>[] = [
  { heading: 'Name', value: ({ name }) => name },
  { heading: 'Tags', value: ({ tags }) => tags ?? '' },
  { heading: 'Size', value: ({ size }) => String(size), align: 'right' },
];

test('columns line up, numbers at the right, and a column that nobody fills is left out', () => {
  const rows = [
    { name: 'a', size: 5 },
    { name: 'longer', size: 12345 },
  ];
  assert.deepEqual(tableLines(COLUMNS, rows), ['Name     Size', 'a           5', 'longer  12345']);
});

test('a table without rows has its headings', () => {
  assert.deepEqual(tableLines(COLUMNS, []), ['Name  Tags  Size']);
});

test('a name with control characters cannot command the terminal', () => {
  assert.equal(printable('a\x1b[31m\nb\x9bc'), 'a\\x1b[31m\\x0ab\\x9bc');
});
