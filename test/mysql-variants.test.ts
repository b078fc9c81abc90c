import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { HoldfastError } from '../src/core/errors.ts';
import type { TableSchema } from '../src/downloads/content/content-schema.ts';
import { createMysqlContent } from '../src/downloads/content/mysql/mysql-content.ts';
import { createSqlSealer } from '../src/downloads/sql/sql-sealer.ts';
import { brokenConstraint, complaintOf, duplicateKey } from '../src/services/mysql/load-refusal.ts';
import { commandLine } from './command-line.ts';
import { MYSQL_SAMPLE } from './mysql-sample.ts';
import { MysqlServer } from './mysql-server.ts';
import { inPieces, PolicyVariants } from './policy-variants-rig.ts';
import { MYSQL_SKIP_REASON } from './provided-mysql.ts';
import { whole } from './sealed-sql-rig.ts';

const ALL = ['--single-transaction', '--routines', '--triggers', '--events', '--skip-dump-date'];
/** With each, rows are written in another way. */
const LAYOUTS = [
  ALL,
  [...ALL, '--hex-blob', '--set-gtid-purged=ON', '--skip-extended-insert', '--column-statistics'],
  ['--routines', '--complete-insert', '--replace', '--set-gtid-purged=OFF', '--default-character-set=latin1'],
  ['--skip-opt', '--create-options', '--insert-ignore', '--source-data=2', '--net-buffer-length=4096'],
];
/** What the sample has of people, in any spelling. */
const ORIGINAL = /corp\.example|corpville|N(ä|Ã¤|\\xc3)m|hush[^;]|person\d/i;

const POLICY = `
variants: { masked: { keep: full } }
tables:
  people:
    columns:
      id: keep
      email: email
      name: { derive: "concat('Nr. ', id, ';')" }
      doc: { json: { unknown: redact, paths: { "$.q": keep } } }
      born: { date: { truncate: year } }
      secret_code: { hash: 8 }
      city: generated
      loud: generated
      place: { const: '\\xe6100000010100000000000000000024400000000000003e40' }
      area: null
      uid: uuid
      boss: keep
      tags: { const: 'b;' }
      flags: { const: '\\x0105' }
      made: keep
      mood: { enum: { by: id } }
      feel: { const: '\\x0000803f00000040000040c0' }
  orders: { columns: { id: keep, person: keep, total: keep, note: { text: { scrub: [email] } } } }
  parts: { columns: { id: keep, made: keep, what: { hash: 20 } } }
  listed: { columns: { id: keep, kind: keep } }
  '"od\`d; -- na""me"': { columns: { "co'l": redact, system: keep, rank: keep } }
  old: { columns: { a: { const: 'ü€' } } }
  keyless: { columns: { my_row_id: keep, what: hash } }
`;
const SMALL_POLICY = `
variants: { masked: { keep: full } }
tables: { old: { columns: { a: { const: x } } }, keyless: { columns: { my_row_id: keep, what: hash } } }
`;
/** Of what the policy keeps, and of what the server computes of the rest. */
const KEPT =
  'SELECT id, boss, made FROM people ORDER BY id; SELECT id, person, total FROM orders ORDER BY id; SELECT id, made FROM parts ORDER BY id; SELECT * FROM listed ORDER BY id';
const RIGHT = `email LIKE '%@example.test' AND loud = upper(email) COLLATE utf8mb4_bin AND name = concat('Nr. ', id, ';') AND secret_code <> '' AND place = st_geomfromtext('POINT(30 10)', 4326) AND area IS NULL
  AND length(uid) = 16 AND tags = 'b;' AND flags = 261 AND mood IN ('sad', 'it''s \\\\ fine') AND json_valid(doc) AND (city = '[redacted]' OR city IS NULL)`;
const COUNTED = `SELECT count(*), sum(${RIGHT}), count(DISTINCT uid), sum(json_value(doc, '$.q') = 'it''s \\\\ "q"'), count(feel), max(vector_to_string(feel)) FROM people`;

/** In none of them is a row that the reader of dumps would see. */
const STATEMENTS_OF_MYSQL = [
  "/*!80000 INSERT INTO old VALUES ('SECRET') */;",
  "/*!99999 INSERT INTO old VALUES ('SECRET') */;",
  "INSERT INTO old VALUES ROW('SECRET');",
  'INSERT INTO old TABLE keyless;',
  "INSERT INTO old VALUES ('SECRET') AS n ON DUPLICATE KEY UPDATE a = 'SECRET';",
  "INSERT INTO old VALUES ('x'), /*!90000 ('SECRET') */;",
  "INSERT INTO old VALUES /*!80000 ('SECRET'), */ ('x');",
  "INSERT INTO old VALUES ('x' /*!80000 'SECRET' */);",
  'INSERT INTO old VALUES ($$SECRET$$);',
  "INSERT INTO old VALUES (_utf16'SECRET');",
  "CREATE TABLE z VALUES ROW('SECRET');",
  'CREATE TABLE z AS TABLE people;',
  "CREATE VIEW w AS VALUES ROW('SECRET');",
  "ALTER TABLE old ADD COLUMN x text DEFAULT ('SECRET');",
  'ALTER TABLE old RENAME COLUMN a TO b;',
  "IMPORT TABLE FROM 'SECRET.sdi';",
  'WITH c AS (SELECT 1) DELETE FROM old;',
  "VALUES ROW('SECRET');",
  "CREATE LIBRARY l LANGUAGE JAVASCRIPT AS 'SECRET';",
  "INSTALL COMPONENT 'file://SECRET';",
  'CREATE EXTERNAL TABLE z (a int);',
  'SET DEFAULT ROLE ALL TO SECRET;',
  'SET PERSIST x = 1;',
];

describe('a variant of a MySQL dump', { skip: MYSQL_SKIP_REASON, timeout: 300_000 }, () => {
  let server: MysqlServer;
  let variants: PolicyVariants;
  let databases = 0;

  before(async () => {
    server = await MysqlServer.start();
    variants = await PolicyVariants.create();
    await loaded('shop', Buffer.from(MYSQL_SAMPLE));
  });
  after(async () => {
    await server?.remove();
    await variants?.remove();
  });

  async function loaded(name: string, sql: Buffer): Promise<string> {
    await server.sql('', `CREATE DATABASE ${name}`);
    const { exitCode, stderr } = await server.client(name, sql);
    assert.deepEqual({ exitCode, stderr }, { exitCode: 0, stderr: '' });
    return name;
  }
  const made = (bytes: Buffer, pieces = 5000) => variants.make({ bytes, dialect: 'mysql', pieces }, 'masked');
  const sealed = (bytes: Buffer) =>
    whole(createSqlSealer().seal(inPieces(bytes, 5000), { dialect: 'mysql', mode: 'create', title: 'shop' }));

  it('has the tables, columns and keys that MySQL prints', async () => {
    const bytes = await server.dump('--no-data', 'shop');
    const { tables } = await schemaOf(bytes);
    const people = tables.find(({ name }) => name === 'people');
    assert.deepEqual(
      people?.columns.map(({ name, type, family, isNullable, isGenerated }) =>
        [name, type, family, isNullable ? 'null' : '', isGenerated ? 'generated' : ''].join(' ').trim(),
      ),
      [
        'id bigint unsigned integer',
        'email varchar(120) text',
        'name varchar(80) text null',
        'doc json json null',
        'born date date null',
        'secret_code char(8) text null',
        'city varchar(60) text null generated',
        'loud varchar(200) text  generated',
        'place point geometry',
        'area geometry geometry null',
        'uid binary(16) bytes null',
        'boss bigint unsigned integer null',
        "tags set('a','b;') other null",
        'flags bit(9) bytes null',
        'made timestamp(6) timestamp',
        "mood enum('sad','it''s \\\\ fine') enum null",
        'feel vector(3) bytes null',
      ],
    );
    assert.deepEqual(people?.uniqueKeys, [
      { name: 'PRIMARY', columns: ['id'], isPrimary: true, isExpression: false },
      { name: 'email', columns: ['email'], isPrimary: false, isExpression: false },
      { name: 'lowered', columns: ['email'], isPrimary: false, isExpression: true },
    ]);
    assert.deepEqual(
      tables.find(({ name }) => name === 'keyless')?.columns.map(({ name }) => name),
      ['my_row_id', 'what'],
    );
  });

  it('is the dump byte for byte where no rule touches it', async () => {
    const { tables } = await schemaOf(await server.dump('--no-data', 'shop'));
    const columnsOf = (table: TableSchema) =>
      Object.fromEntries(table.columns.map(({ name, isGenerated }) => [name, isGenerated ? 'generated' : 'keep']));
    const kept = Object.fromEntries(tables.map((table) => [table.name, { columns: columnsOf(table) }]));
    await variants.policy(
      `variants: { masked: { keep: full } }\ntables: ${JSON.stringify(kept)}\nchecks: { detectors: none }\n`,
    );
    for (const options of LAYOUTS) {
      // What is for the server alone is left out: the numbers of transactions, statistics.
      const bytes = await server.dump(...options, '--set-gtid-purged=OFF', '--skip-column-statistics', 'shop');
      assert.ok((await made(bytes, 7777)).bytes.equals(bytes), options.join(' '));
    }
  });

  it('is masked in every layout, loads sealed as well, and holds nothing of the original', async () => {
    await variants.policy(POLICY);
    const [rows, kept] = [await server.sql('shop', 'SELECT count(*) FROM people'), await server.sql('shop', KEPT)];
    for (const [n, options] of LAYOUTS.entries()) {
      const bytes = await server.dump(...options, 'shop');
      assert.match(bytes.toString(), ORIGINAL);
      const { bytes: masked, report } = await made(bytes);
      assert.doesNotMatch(masked.toString(), ORIGINAL, options.join(' '));
      assert.deepEqual(
        report.tables.find(({ name }) => name === 'people'),
        { name: 'people', rowsIn: 301, rowsOut: 301 },
      );
      const database = await loaded(`masked_${++databases}`, n % 2 === 0 ? await sealed(masked) : withoutGtids(masked));
      assert.equal(await server.sql(database, KEPT), kept, options.join(' '));
      assert.equal(
        await server.sql(database, COUNTED),
        `${rows}\t${rows}\t301\t300\t150\t[1.00000e+00,2.00000e+00,-3.00000e+00]`,
      );
      const others =
        "SELECT (SELECT group_concat(hex(a)) FROM old), (SELECT count(*) FROM keyless WHERE length(what) = 32), (SELECT count(*) FROM `od``d; -- na\"me` WHERE `co'l` = '[redacted]'), (SELECT count(*) FROM late), (SELECT count(*) FROM cards)";
      assert.equal(await server.sql(database, others), `FC80,FC80\t2\t5\t${rows}\t600`);
    }
  });

  it('is stopped where rows or definitions come in a way of MySQL’s own that no rule reaches', async () => {
    await variants.policy(SMALL_POLICY);
    const dump = (await server.dump('--set-gtid-purged=OFF', 'shop', 'old', 'keyless')).toString('latin1');
    const withStatement = (statement: string) =>
      Buffer.from(dump.replace('\n-- Dump completed', `\n${statement}\n-- Dump completed`), 'latin1');
    for (const statement of STATEMENTS_OF_MYSQL)
      await assert.rejects(
        made(withStatement(statement)),
        (error: HoldfastError) => {
          assert.match(error.code, /^variant-(content-unreadable|failed)$/, statement);
          assert.doesNotMatch(error.message, /SECRET/);
          return true;
        },
        statement,
      );
    for (const comment of ["-- INSERT INTO `people` VALUES ('SECRET');", '/* SECRET */;', '# SECRET'])
      assert.equal((await made(withStatement(comment))).bytes.includes('SECRET'), false, comment);
  });

  it('names what MySQL says that a load has broken', async () => {
    await server.sql('', 'CREATE DATABASE broken');
    const table =
      'CREATE TABLE `t``x` (id int PRIMARY KEY, a varchar(50), up int, UNIQUE KEY `only;once` (a), CONSTRAINT `sh``ort` CHECK (char_length(a) < 20), CONSTRAINT above FOREIGN KEY (up) REFERENCES `t``x` (id), CONSTRAINT r CHECK (up > 0))';
    await server.sql('broken', table);
    const said = async (rows: string) => {
      const { stderr } = await server.client('broken', Buffer.from(`INSERT INTO \`t\`\`x\` VALUES ${rows};`));
      const complaint = complaintOf(stderr);
      assert.ok(complaint !== undefined, stderr);
      return [complaint.number, brokenConstraint(complaint) ?? duplicateKey(complaint)];
    };
    assert.deepEqual(await said("(1, 'SECRET', NULL), (2, 'SECRET', NULL)"), [1062, 't`x.only;once']);
    assert.deepEqual(await said("(1, 'a SECRET that is far too long', NULL)"), [3819, { constraint: 'sh`ort' }]);
    assert.deepEqual(await said("(1, 'SECRET', 7)"), [1452, { table: 't`x', constraint: 'above' }]);
    assert.deepEqual(await said("(NULL, 'SECRET', NULL)"), [1048, { column: 'id' }]);
  });

  it('is drafted from a backup and checked against one, and against definitions without rows', async (t) => {
    const holdfast = await commandLine(t);
    await holdfast.put('holdfast.yaml', 'downloads: { policies: ./policies }\n');
    const run = async (words: readonly string[], input = '') => {
      const { code, stdout, stderr } = await holdfast.run(words, input);
      assert.equal(code, 0, stderr + stdout);
      return stdout;
    };
    const dump = await server.dump(...ALL, 'shop');
    await run(['backup', '--stdin', '--resource', 'shop'], dump.toString('latin1'));
    const draft = await run(['policy', 'init', 'shop', '--format', 'sql']);
    assert.match(draft, /^ {6}doc: \{ rule: \{ json: \{ unknown: redact \} \}, type: json \}/m);
    await holdfast.put('policies/shop.yaml', draft);
    assert.match(await run(['policy', 'check', 'shop']), /masked \(masked\): fits/);
    const definitions = await server.dump('--no-data', 'shop');
    assert.match(await run(['policy', 'check', 'policies/shop.yaml', '--schema', '-'], definitions.toString()), /fits/);
  });
});

function schemaOf(dump: Buffer) {
  return createMysqlContent().schema(inPieces(dump, 999), new AbortController().signal);
}

/** A server that has the transactions of the dump already does not take their numbers; a sealed download has none. */
function withoutGtids(dump: Buffer): Buffer {
  return Buffer.from(dump.toString('latin1').replaceAll(/^SET @@GLOBAL\.GTID_PURGED=[^;]*;$/gm, ''), 'latin1');
}
