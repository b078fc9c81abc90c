import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { bytesOf, piecesOf, plansFor, rule, runOf, selectionOf } from '../../../../test/masking-rig.ts';
import { HoldfastError } from '../../../core/errors.ts';
import { type ContentPart, countsOf } from '../../masking/masking-pool.ts';
import type { MaskingRun } from '../../masking/masking-run.ts';
import { RowMasker } from '../../masking/row-masker.ts';
import { TableMasker } from '../../masking/table-masker.ts';
import { dumpPieces } from './dump-pieces.ts';
import { DumpRewriting } from './dump-rewriting.ts';
import { createMysqlInsertRows } from './insert-rows.ts';
import { createMysqlContent } from './mysql-content.ts';

const content = createMysqlContent();
const { signal } = new AbortController();
const MADE = 'CREATE TABLE t (a int, b varchar(10));\n';

const read = (sql: string) => content.schema(piecesOf(Buffer.from(sql, 'latin1')), signal);

/** The same as `rewrite`, without the time that it takes to start threads. */
async function withoutThreads(
  sql: Buffer,
  sizes: readonly number[],
  run: MaskingRun,
  longest?: number,
): Promise<Buffer> {
  const rewriting = new DumpRewriting(run, longest);
  const tables = run.plan.content.kind === 'tables' ? run.plan.content.tables : [];
  const out: Uint8Array[] = [];
  const give = (part: ContentPart) => {
    if (part instanceof Uint8Array) {
      out.push(part);
      return;
    }
    const { table, columns } = part.rows;
    const plan = tables.find((each) => each.table === table)!;
    const values = new RowMasker(plan, columns, run.key);
    const masker = new TableMasker({ columns, values, selection: run.selection?.tables[table] });
    const masked = createMysqlInsertRows(part.rows, masker).mask(Buffer.from(part.bytes), part.firstOrdinal ?? 0);
    countsOf(run, table).rowsOut += masked.rowsOut;
    out.push(masked.bytes);
  };
  for await (const pieces of dumpPieces(piecesOf(sql, ...sizes), signal))
    for (const piece of pieces) for (const part of rewriting.piece(piece)) give(part);
  for (const part of rewriting.end()) give(part);
  return Buffer.concat(out);
}

function isRefusal(code: string) {
  return (error: unknown) => error instanceof HoldfastError && error.code === code;
}

describe('the reading of MySQL dumps', () => {
  it('refuses statements that bring data in another way, or that nobody can judge', async () => {
    const refused = [
      'LOAD DATA INFILE "/etc/passwd" INTO TABLE t;',
      'INSERT INTO t SELECT * FROM u;',
      'INSERT INTO t SET a = 1;',
      'INSERT INTO t (a, -- secret\n b) VALUES (1, 2);',
      'INSERT INTO t VALUES # secret\n (1, 2);',
      'INSERT INTO t TABLE u;',
      'INSERT INTO other.t VALUES (1);',
      'INSERT INTO t PARTITION (p0) VALUES (1);',
      '/*!50000 INSERT INTO t VALUES (1) */;',
      'INSERT /*!50000 INTO t */ VALUES (1);',
      'REPLACE INTO unknown VALUES (1);',
      'INSERT INTO t (a, c) VALUES (1, 2);',
      'INSERT INTO t (a, A) VALUES (1, 2);',
      'UPDATE t SET b = 1;',
      'DELETE FROM t;',
      'CALL x();',
      'CREATE TABLE u SELECT 1 AS secret;',
      "CREATE TABLE u (a int) AS SELECT 'secret' AS b;",
      "CREATE TABLE u (a int) (SELECT 'secret' AS b);",
      "CREATE TABLE u (a int) (VALUES ROW('secret'));",
      "CREATE TABLE u (a int) (VALUES ('secret'));",
      'CREATE TABLE u LIKE t;',
      'CREATE TABLE u (LIKE t);',
      'CREATE TABLE t (a int);',
      "ALTER TABLE t DISABLE KEYS (INSERT INTO t VALUES (1, 'secret'));",
      "UNLOCK TABLES\nREPLACE INTO t VALUE (1, 'secret');",
      'ALTER TABLE t ADD COLUMN c int;',
      'ALTER TABLE t ADD c int;',
      'ALTER TABLE t RENAME TO u;',
      'ALTER TABLE t CHANGE a c int;',
      'ALTER TABLE t EXCHANGE PARTITION p WITH TABLE u;',
      'ALTER TABLE t DISABLE KEYS, ADD c int;',
      'SET NAMES gbk;',
      'SET NAMES koi8r;',
      "SET sql_mode = 'NO_BACKSLASH_ESCAPES';",
      "SET sql_mode = 'ANSI_QUOTES';",
      'SET @@session.sql_mode = 1048576;',
      'SET @mode = 0x4e4f5f4241434b534c4153485f45534341504553, sql_mode = @mode;',
      "SET @mode = x'414e5349';",
      'SET character_set_client = 28;',
      'DELIMITER //\nINSERT INTO t VALUES (1, 2)//\n',
      'PREPARE x FROM "DROP TABLE t";',
      'source /etc/passwd\n;',
      'USE other;',
      'RENAME TABLE t TO u;',
      'INSERT INTO t VALUES (1',
    ];
    for (const sql of refused) await assert.rejects(read(MADE + sql), isRefusal('variant-content-unreadable'), sql);
  });

  it('finds what definitions say, also in the words of MySQL 8 and phpMyAdmin', async () => {
    const { tables } = await read(`/*!40101 SET NAMES utf8mb4 */;
CREATE TABLE IF NOT EXISTS \`Or"ders\` (
  \`id\` bigint unsigned NOT NULL AUTO_INCREMENT, # a comment, with a comma
  Name varchar(40) COLLATE utf8mb4_bin /*!80023 INVISIBLE */,
  code char(3) UNIQUE KEY,
  owner int NOT NULL REFERENCES people (id) ON DELETE SET NULL,
  total decimal(10,2) GENERATED ALWAYS AS ((\`id\` * 2)) VIRTUAL,
  note text CHARACTER SET latin1 COMMENT 'PRIMARY KEY (, \\'',
  mood enum('a','it''s','b\\\\') NOT NULL DEFAULT 'a',
  PRIMARY KEY (\`id\`) USING BTREE,
  UNIQUE KEY \`lowered\` ((lower(\`name\`)), owner),
  KEY \`other\` (owner),
  FULLTEXT KEY \`words\` (note) /*!50100 WITH PARSER \`ngram\` */,
  CONSTRAINT \`c\` CHECK ((\`owner\` in (1,2))),
  CONSTRAINT n CHECK ((\`NAME\` in (_utf8mb4'a',_utf8mb4'b\\'c'))),
  CHECK ((\`code\` in ('x')) or (owner = 1))
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4
/*!50100 PARTITION BY RANGE (id) (PARTITION p0 VALUES LESS THAN (10) ENGINE = InnoDB) */;
CREATE TABLE people (id int, email varchar(99));
ALTER TABLE people ADD PRIMARY KEY (id), ADD UNIQUE KEY mail (email), MODIFY id int NOT NULL AUTO_INCREMENT;
ALTER TABLE \`Or"ders\` ADD CONSTRAINT fk FOREIGN KEY (OWNER) REFERENCES people (ID);
CREATE UNIQUE INDEX both_of ON people (id, email(3));
`);
    const [orders, people] = tables;
    assert.equal(orders?.name, '"Or""ders"');
    assert.deepEqual(
      orders?.columns.map(({ name, type, isNullable, isGenerated }) => [name, type, isNullable, isGenerated]),
      [
        ['id', 'bigint unsigned', false, false],
        ['Name', 'varchar(40)', true, false],
        ['code', 'char(3)', true, false],
        ['owner', 'int', false, false],
        ['total', 'decimal(10,2)', true, true],
        ['note', 'text', true, false],
        ['mood', "enum('a','it''s','b\\\\')", false, false],
      ],
    );
    assert.deepEqual(orders?.columns[6]?.allowedValues, ['a', "it's", 'b\\']);
    assert.deepEqual(
      orders?.columns.map(({ allowedValues }) => allowedValues?.length ?? 0),
      [0, 2, 0, 2, 0, 0, 3],
    );
    assert.deepEqual(orders?.columns[1]?.allowedValues, ['a', "b'c"]);
    assert.deepEqual(orders?.uniqueKeys, [
      { name: 'PRIMARY', columns: ['id'], isPrimary: true, isExpression: false },
      { name: 'code', columns: ['code'], isPrimary: false, isExpression: false },
      { name: 'lowered', columns: ['Name', 'owner'], isPrimary: false, isExpression: true },
    ]);
    assert.deepEqual(orders?.foreignKeys, [
      { name: 'owner', columns: ['owner'], target: 'people', targetColumns: ['id'] },
      { name: 'fk', columns: ['owner'], target: 'people', targetColumns: ['id'] },
    ]);
    assert.deepEqual(people?.uniqueKeys, [
      { name: 'PRIMARY', columns: ['id'], isPrimary: true, isExpression: false },
      { name: 'mail', columns: ['email'], isPrimary: false, isExpression: false },
      { name: 'both_of', columns: ['id', 'email'], isPrimary: false, isExpression: true },
    ]);
    assert.equal(people?.columns[0]?.isNullable, false);
  });

  it('stops where the content is not that of the plan', async () => {
    const tables = plansFor(await read(`${MADE}CREATE TABLE u (c int);`));
    const others = [
      `${MADE}`,
      'CREATE TABLE t (a int);CREATE TABLE u (c int);',
      `${MADE}CREATE TABLE u (c int);CREATE TABLE v (c int);`,
      `${MADE}CREATE TABLE u (c int);CREATE TABLE v (c int);INSERT INTO v VALUES (1);DROP TABLE v;`,
    ];
    for (const sql of others)
      await assert.rejects(
        bytesOf(content.rewrite(piecesOf(Buffer.from(sql)), runOf(tables))),
        isRefusal('variant-failed'),
        sql,
      );
    const dummy = `${MADE}CREATE TABLE u (c int);CREATE TABLE v (c int);DROP TABLE v;CREATE VIEW v AS SELECT 1;`;
    assert.equal(String(await bytesOf(content.rewrite(piecesOf(Buffer.from(dummy)), runOf(tables)))), dummy);
  });

  it('never shows a value where a rule fails or a row is not whole', async () => {
    const schema = await read(MADE);
    const tables = plansFor(schema, { t: { rules: { b: rule('date', { truncate: 'year' }) } } });
    for (const row of [
      "(1, 'SECRET')",
      "(1, 'a' 'SECRET')",
      "(1, 'SECRET', 3)",
      '(1, SECRET)',
      '(1, SECRET())',
      "(1 /* SECRET */, 'x')",
    ]) {
      const sql = Buffer.from(`${MADE}INSERT INTO t VALUES (0, NULL),${row};`);
      await assert.rejects(bytesOf(content.rewrite(piecesOf(sql), runOf(tables))), (error) => {
        assert.ok(error instanceof HoldfastError);
        assert.equal(error.code, 'variant-failed');
        assert.equal(/SECRET/.test(JSON.stringify([error.message, error.details, error.stack])), false);
        return true;
      });
    }
  });

  it('gives no comment that no tool writes, where anything is masked', async () => {
    const sql =
      Buffer.from(`-- MariaDB dump 10.19\n--\n-- Host: x\n-- SECRET\n${MADE.replace('int,', 'int, # SECRET\n')}-- INSERT INTO t VALUES (1, 'SECRET');
/* SECRET
-- Table structure for table \`t\`
*/
# SECRET
-- Dumping data for table \`t\` INSERT INTO t VALUES (1, 'SECRET');
-- Host: localhost    Database: INSERT INTO t VALUES ('SECRET');
INSERT INTO t VALUES (1, 'x'); -- SECRET\n-- SECRET\nINSERT INTO t VALUES (2, 'x'); # SECRET`);
    const schema = await read(MADE);
    const masked = await bytesOf(
      content.rewrite(piecesOf(sql), runOf(plansFor(schema, { t: { rules: { b: rule('null') } } }))),
    );
    assert.equal(
      String(masked),
      `-- MariaDB dump 10.19\n--\n-- Host: x\n${MADE.replace('int,', 'int,  \n')}-- Table structure for table \`t\`\nINSERT INTO t VALUES (1, NULL);\nINSERT INTO t VALUES (2, NULL);`,
    );
    assert.ok((await bytesOf(content.rewrite(piecesOf(sql), runOf(plansFor(schema))))).equals(sql));
  });

  it('gives the same rows whatever is in them, masked and selected, in any pieces', async () => {
    const value = fc.oneof(
      fc.constantFrom(
        'NULL',
        '1',
        '-2.5',
        "'a'",
        "''",
        "'),('",
        "'\\\\'",
        "'\\''",
        "''''",
        "'INSERT INTO `t` VALUES (1);'",
        "'-- '",
        "'/*!'",
        '"\'"',
        "'\\n'",
      ),
      fc
        .uint8Array({ min: 1, max: 255 })
        .map((bytes) => `'${Buffer.from(bytes).toString('latin1').replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`),
    );
    const statement = fc.record({
      rows: fc.array(fc.tuple(fc.nat(99), value), { minLength: 1, maxLength: 5 }),
      begin: fc.constantFrom(
        'INSERT INTO `t` VALUES ',
        'INSERT IGNORE INTO t (a, b) VALUES\n',
        'REPLACE INTO `t` (`b`,`a`) VALUES',
      ),
      separator: fc.constantFrom(',', ',\n', ' ,\n '),
      gap: fc.constantFrom('\n', '', '\n-- a; comment\n', ';\n'),
    });
    const made = 'CREATE TABLE t (a int, b blob);\n';
    const schema = await read(made);
    await fc.assert(
      fc.asyncProperty(
        fc.array(statement, { maxLength: 6 }),
        fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1 }),
        fc.nat(),
        async (statements, sizes, bits) => {
          const write = (given: typeof statements) =>
            given
              .filter(({ rows }) => rows.length > 0)
              .map(({ rows, begin, separator, gap }) => {
                const texts = rows.map(([a, b]) => (begin.includes('`b`') ? `(${b},${a})` : `(${a}, ${b})`));
                return `${begin}${texts.join(separator)};${gap === ';\n' ? '\n' : gap}`;
              });
          const sql = Buffer.from(made + write(statements).join(''), 'latin1');
          const same = await bytesOf(content.rewrite(piecesOf(sql, ...sizes), runOf(plansFor(schema))));
          assert.ok(same.equals(sql));
          const rows = statements.reduce((sum, each) => sum + each.rows.length, 0);
          const kept = Array.from({ length: rows }, (_, at) => at).filter((at) => ((bits >> (at % 20)) & 1) === 1);
          const run = runOf(plansFor(schema, { t: { rules: { b: rule('null') } } }), {
            selection: { tables: { t: selectionOf(rows, kept) } },
          });
          const masked = [1, 20, undefined].map((longest) =>
            withoutThreads(sql, sizes, runOf(plansFor(schema, { t: { rules: { b: rule('null') } } })), longest),
          );
          for (const other of masked) assert.ok((await other).equals(await masked[0]!));
          const reduced = await withoutThreads(sql, sizes, run);
          assert.equal(run.counts.tables.get('t')?.rowsOut ?? 0, kept.length);
          const seen: (string | null)[][] = [];
          await content.scan(
            piecesOf(reduced, 9),
            {
              begin: (_, columns) => ['a', 'b'].map((column) => columns.indexOf(column)),
              row: (_, __, values) => void seen.push([...values]),
            },
            signal,
          );
          const all = statements.flatMap((each) => each.rows.map(([a]) => [String(a), null]));
          assert.deepEqual(
            seen,
            kept.map((at) => all[at]),
          );
        },
      ),
      { numRuns: 500 },
    );
  });
});
