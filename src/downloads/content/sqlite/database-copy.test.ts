import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DatabaseSync, type SQLInputValue } from 'node:sqlite';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import { plansFor, rule, selectionOf } from '../../../../test/masking-rig.ts';
import { RowMasker } from '../../masking/row-masker.ts';
import { copyDatabase } from './database-copy.ts';
import { databaseSchema } from './database-schema.ts';
import { openToRead } from './guarded-database.ts';
import { quotedName } from './sqlite-tokens.ts';

describe('the copy of a SQLite database', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'database-copy-'));
  after(() => rmSync(folder, { recursive: true, force: true }));

  it('has every value of the source, whatever it is, in any encoding, under any name', () => {
    const value: fc.Arbitrary<SQLInputValue | { text: Uint8Array }> = fc.oneof(
      fc.constantFrom(null, 0n, -1n, 2n ** 63n - 1n, 1.5, -0, Number.MAX_VALUE, '', '12', '1e5', 'NULL'),
      fc.string({ unit: 'binary' }),
      fc.uint8Array(),
      fc.uint8Array().map((bytes) => ({ text: bytes.subarray(0, bytes.length & ~1) })),
    );
    const name = fc
      .string({
        unit: fc.constantFrom('a', 'B', ' ', '"', "'", '`', '[', ']', '.', ';', '-', 'é', '(', ','),
        minLength: 1,
      })
      .filter((each) => !/^sqlite_/i.test(each));
    const rows = fc.array(fc.tuple(value, value, value), { maxLength: 12 });
    const layout = fc.record({
      encoding: fc.constantFrom('UTF-8', 'UTF-16le', 'UTF-16be'),
      pageSize: fc.constantFrom(512, 4096, 65536),
      kind: fc.constantFrom('', 'WITHOUT ROWID'),
      types: fc.constantFrom(['', 'TEXT', 'BLOB'], ['INTEGER', 'REAL', 'NUMERIC']),
    });
    fc.assert(
      fc.property(name, name, rows, layout, (table, column, given, { encoding, pageSize, kind, types }) => {
        fc.pre(column.toLowerCase() !== 'a');
        const [source, target] = ['source.sqlite', 'target.sqlite'].map((file) => path.join(folder, file)) as [
          string,
          string,
        ];
        for (const file of [source, target]) rmSync(file, { force: true });
        const made = new DatabaseSync(source);
        made.exec(`PRAGMA encoding = '${encoding}'; PRAGMA page_size = ${pageSize}`);
        const list = `n INTEGER NOT NULL, ${quotedName(column)} ${types[0]}, x1 ${types[1]}, x2 ${types[2]}, PRIMARY KEY (n DESC)`;
        made.exec(`CREATE TABLE ${quotedName(table)} (${list}) ${kind}`);
        for (const [at, row] of given.entries()) {
          const marks = row.map((each) =>
            each !== null && typeof each === 'object' && 'text' in each ? 'CAST(? AS TEXT)' : '?',
          );
          const values = row.map((each) =>
            each !== null && typeof each === 'object' && 'text' in each ? each.text : each,
          );
          made
            .prepare(`INSERT INTO ${quotedName(table)} VALUES (${at}, ${marks.join(', ')})`)
            .run(...(values as SQLInputValue[]));
        }
        made.close();
        const schema = databaseSchema(openToRead(source));
        const planned = schema.tables[0]!.name;
        const masked = copied(source, target, plansFor(schema, { [planned]: { rules: { x1: rule('null') } } }));
        assert.deepEqual(masked, { table: planned, rowsIn: given.length, rowsOut: given.length });
        const exact = (file: string, columns: string) => {
          const look = openToRead(file);
          const found = look.prepare(`SELECT n, ${columns} FROM ${quotedName(table)} ORDER BY n`).all();
          look.close();
          return found;
        };
        const columns = [quotedName(column), 'x2']
          .map((each) => `typeof(${each}), hex(${each}), quote(${each})`)
          .join(', ');
        assert.deepEqual(exact(target, columns), exact(source, columns));
        assert.ok(exact(target, 'x1').every((row) => (row as unknown as unknown[])[1] === null));
        const kept = given.map((_, at) => at).filter((at) => at % 3 === 1);
        const selection = { tables: { [planned]: selectionOf(given.length, kept) } };
        assert.equal(copied(source, target, plansFor(schema), selection).rowsOut, kept.length);
      }),
      { numRuns: 60 },
    );
  });

  function copied(
    source: string,
    target: string,
    tables: ReturnType<typeof plansFor>,
    selection?: Parameters<typeof copyDatabase>[0]['selection'],
  ) {
    writeFileSync(target, '');
    const valueMasker = (plan: (typeof tables)[number], columns: readonly string[]) =>
      new RowMasker(plan, columns, new Uint8Array(32));
    const [result] = copyDatabase({ source, target, tables, selection, valueMasker, alive: () => undefined });
    return result!;
  }
});
