import assert from 'node:assert/strict';
import { it } from 'node:test';
import { InsertedLines } from './inserted-lines.ts';

const DUMP = [
  '-- a dump',
  'CREATE TABLE `a` (id int);',
  'INSERT INTO `a` VALUES (1),',
  '(2);',
  "INSERT IGNORE INTO `we``ird ü` (`x`) VALUES ('x');",
  'REPLACE INTO plain VALUES (1);',
  `INSERT INTO \`b\` VALUES ('${'x'.repeat(2000)}');`,
  'INSERT INTO `last` VALUES (1',
].join('\n');

it('lines of a dump are known by the table that they fill, in whatever pieces it comes', async () => {
  for (const size of [1, 7, 1000, 100_000]) {
    const lines = new InsertedLines();
    const given: Uint8Array[] = [];
    for await (const piece of lines.over(cut(Buffer.from(DUMP), size))) given.push(Buffer.from(piece));
    assert.equal(Buffer.concat(given).toString(), DUMP);
    const tables = [1, 2, 3, 4, 5, 6, 7, 8].map((line) => lines.tableAt(line));
    assert.deepEqual(tables, [undefined, undefined, 'a', 'a', 'we`ird ü', 'plain', 'b', 'last']);
  }
});

/** In memory that is used again. */
async function* cut(bytes: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) {
    const piece = Buffer.from(bytes.subarray(at, at + size));
    yield piece;
    piece.fill(0);
  }
}
