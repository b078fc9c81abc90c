import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { createMysqlContent } from '../src/downloads/content/mysql/mysql-content.ts';
import type { MaskingRun } from '../src/downloads/masking/masking-run.ts';
import { MARIADB_SKIP_REASON, MariadbServer } from './mariadb-server.ts';
import { allOf, bytesOf, piecesOf, plansFor, rule, runOf, selectionOf, type WantedTable } from './masking-rig.ts';
import { type Ended, fed } from './sealed-sql-rig.ts';

const EVERY_BYTE = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)).toString('hex');
const NASTY = `${Buffer.from(EVERY_BYTE.slice(0, 256), 'hex').toString()}ü漢😀\u0080'',(\\');--`;
const ASCII = EVERY_BYTE.slice(0, 256);

const SHOP = `
SET NAMES utf8mb4;
SET foreign_key_checks = 0;
CREATE TABLE users (
  id int PRIMARY KEY AUTO_INCREMENT, email varchar(200) NOT NULL DEFAULT 'a,b''()', note text, raw blob, fixed binary(4),
  mood enum('sad','it''s, \\\\ fine') DEFAULT 'sad', tags set('a','b'), flags bit(5), amount decimal(12,3), ratio double, born date, seen datetime(3),
  upper_email varchar(200) GENERATED ALWAYS AS (upper(email)) STORED, doc json, boss int, gone int, latin varchar(20) CHARACTER SET latin1,
  UNIQUE KEY (email), UNIQUE KEY mailbox (note(10), email), CONSTRAINT fk_boss FOREIGN KEY (boss) REFERENCES users (id),
  CONSTRAINT fk_gone FOREIGN KEY (gone) REFERENCES \`go\`\`ne; -- x\` (id) ON DELETE SET NULL, KEY (born)
);
CREATE TABLE \`go\`\`ne; -- x\` (id int PRIMARY KEY, \`co'l\` text);
CREATE TABLE parts (id int, kind int, PRIMARY KEY (id, kind)) PARTITION BY RANGE (kind) (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN MAXVALUE);
CREATE TABLE \`Emp.ty"\` (a int);
CREATE VIEW late AS SELECT id, email AS gone FROM users;
CREATE VIEW later AS SELECT * FROM \`go\`\`ne; -- x\`;
CREATE SEQUENCE numbers START WITH 17;
INSERT INTO \`go\`\`ne; -- x\` VALUES (1, 'INSERT INTO \`users\` VALUES (1);'), (2, '),('), (3, NULL);
INSERT INTO users (email, note, raw, fixed, mood, tags, flags, amount, ratio, born, seen, doc, boss, gone, latin) VALUES
  ('ann@corp.example', x'${ASCII}', x'${EVERY_BYTE}', x'00ff5c27', 'it''s, \\\\ fine', 'a,b', b'10101', 12.5, 1e-30, '2001-02-03', '2026-01-01 01:02:03.456', '{"a": "x"}', NULL, 1, 'é'),
  ('bob@corp.example', '),(\\'/* -- ;\\n', '', NULL, NULL, '', NULL, -0.001, -7, NULL, NULL, NULL, 1, NULL, NULL),
  ('çim 漢@corp.example', NULL, NULL, NULL, 'sad', NULL, b'0', NULL, NULL, NULL, NULL, NULL, 2, 3, '');
INSERT INTO users (email, note, boss) SELECT concat('user', seq, '@corp.example'), concat('note ', seq), 1 + seq % 3 FROM seq_10_to_3000;
INSERT INTO parts SELECT seq, seq % 20 FROM seq_1_to_500;
CREATE TRIGGER stamped BEFORE INSERT ON users FOR EACH ROW SET NEW.note = concat(NEW.note, ';');
CREATE TRIGGER gone BEFORE INSERT ON \`go\`\`ne; -- x\` FOR EACH ROW SET NEW.id = 1;
`;
const GONE = '"go`ne; -- x"'.slice(1, -1);

describe('rows of a MariaDB dump', { skip: MARIADB_SKIP_REASON }, () => {
  const content = createMysqlContent();
  const { signal } = new AbortController();
  let server: MariadbServer;
  let dump: Buffer;

  before(async () => {
    server = await MariadbServer.start();
    await load('shop', Buffer.from(SHOP));
    dump = await server.dump('shop', '--skip-dump-date');
  });
  after(() => server?.remove());

  const client = (database: string, input: Buffer): Promise<Ended> =>
    fed('mariadb', [...server.options, database], process.env, input);

  async function load(database: string, sql: Buffer): Promise<void> {
    await server.sql('', `CREATE DATABASE ${database}`);
    const { exitCode, stderr } = await client(database, sql);
    assert.deepEqual({ exitCode, stderr }, { exitCode: 0, stderr: '' });
  }

  async function runFor(bytes: Buffer, wanted: Record<string, WantedTable>, more: Parameters<typeof runOf>[1] = {}) {
    return runOf(plansFor(await content.schema(piecesOf(bytes, 50_000), signal), wanted), more);
  }

  const made = (bytes: Buffer, run: MaskingRun, ...sizes: number[]) =>
    bytesOf(content.rewrite(piecesOf(bytes, ...(sizes.length === 0 ? [65_536] : sizes)), run));

  it('have the tables, columns and keys that their definitions say', async () => {
    const { dialect, tables } = await content.schema(piecesOf(dump, 1000), signal);
    assert.equal(dialect, 'mysql');
    assert.deepEqual(tables.map(({ name }) => name).sort(), ['"Emp.ty"""', GONE, 'parts', 'users'].sort());
    const users = tables.find(({ name }) => name === 'users');
    assert.deepEqual(
      users?.columns.map(({ name, type, family, isNullable, isGenerated, maxLength }) =>
        [name, type, family, isNullable ? 'null' : '', isGenerated ? 'generated' : '', maxLength ?? '']
          .join(' ')
          .trim(),
      ),
      [
        'id int(11) integer',
        'email varchar(200) text   200',
        'note text text null',
        'raw blob bytes null',
        'fixed binary(4) bytes null',
        "mood enum('sad','it''s, \\\\ fine') enum null",
        "tags set('a','b') other null",
        'flags bit(5) bytes null',
        'amount decimal(12,3) numeric null',
        'ratio double numeric null',
        'born date date null',
        'seen datetime(3) timestamp null',
        'upper_email varchar(200) text null generated 200',
        'doc longtext json null',
        'boss int(11) integer null',
        'gone int(11) integer null',
        'latin varchar(20) text null  20',
      ],
    );
    assert.deepEqual(users?.columns.find(({ name }) => name === 'mood')?.allowedValues, ['sad', "it's, \\ fine"]);
    assert.deepEqual(users?.uniqueKeys, [
      { name: 'PRIMARY', columns: ['id'], isPrimary: true, isExpression: false },
      { name: 'email', columns: ['email'], isPrimary: false, isExpression: false },
      { name: 'mailbox', columns: ['note', 'email'], isPrimary: false, isExpression: true },
    ]);
    assert.deepEqual(
      users?.foreignKeys
        .map(({ name, columns, target, targetColumns }) => [name, columns, target, targetColumns])
        .sort(),
      [
        ['fk_boss', ['boss'], 'users', ['id']],
        ['fk_gone', ['gone'], GONE, ['id']],
      ],
    );
  });

  it('are given byte for byte where no rule touches them, in whatever pieces the dump comes', async () => {
    for (const options of [
      [],
      ['--hex-blob'],
      ['--skip-extended-insert'],
      ['--complete-insert', '--replace', '--net-buffer-length=4096'],
      ['--insert-ignore', '--skip-quote-names', '--ignore-table=shop.go`ne; -- x', '--ignore-table=shop.later'],
    ]) {
      const bytes = await server.dump('shop', '--skip-dump-date', ...options);
      const run = await runFor(bytes, {});
      assert.ok((await made(bytes, run, 1, 7, 70_000)).equals(bytes), options.join(' '));
      assert.equal(run.counts.tables.get('users')?.rowsOut, 2994);
    }
  });

  it('are masked in every layout, and what no rule touches stays as it is', async () => {
    const unchanging = {
      email: rule('email'),
      latin: rule('const', { value: 'é€' }),
      mood: rule('const', { value: 'sad' }),
      raw: rule('const', { value: '\\x00ff275c0a' }),
      amount: rule('const', { value: '5' }),
    };
    for (const [n, options] of [
      [],
      ['--hex-blob', '--skip-extended-insert'],
      ['--complete-insert', '--replace'],
    ].entries()) {
      const bytes = await server.dump('shop', '--skip-dump-date', ...options);
      const note = n === 1 ? rule('const', { value: NASTY }) : rule('hash');
      const run = await runFor(bytes, { users: { rules: { ...unchanging, note } } });
      const masked = await made(bytes, run);
      assert.deepEqual(run.counts.tables.get('users'), {
        rowsIn: 2994,
        rowsOut: 2994,
      });
      assert.equal(masked.includes('corp.example'), false);
      const database = `masked_${n}`;
      await load(database, masked);
      const kept = 'id, fixed, tags, flags, ratio, born, seen, doc, boss, gone';
      const select = (name: string) => server.sql(name, `SELECT ${kept} FROM users ORDER BY id`);
      assert.equal(await select(database), await select('shop'));
      const [counts] = (
        await server.sql(
          database,
          "SELECT count(*), count(note), count(DISTINCT email), sum(email LIKE '%@example.test'), sum(upper_email = upper(email)), max(hex(raw)), max(amount) FROM users",
        )
      ).split('\n');
      assert.equal(counts, '2994\t2993\t2994\t2994\t2994\t00FF275C0A\t5.000');
      // The trigger is made after the rows, so it did not change them.
      const texts = await server.sql(database, 'SELECT DISTINCT hex(note), hex(latin) FROM users WHERE id = 1');
      const hexOfNote = Buffer.from(NASTY).toString('hex').toUpperCase();
      assert.match(texts, n === 1 ? new RegExp(`^${hexOfNote}\tE980$`) : /^[0-9A-F]{64}\tE980$/);
      assert.equal(
        await server.sql(database, 'SELECT * FROM parts ORDER BY 1'),
        await server.sql('shop', 'SELECT * FROM parts ORDER BY 1'),
      );
    }
  });

  it('come to the same bytes with any number of threads and in any pieces', async () => {
    const wanted = { users: { rules: { email: rule('email'), note: rule('hash') } } };
    const selection = { tables: { ...allOf({ [GONE]: 3, parts: 500 }), users: selectionOf(2994, [0, 5, 6, 2993]) } };
    const small = await server.dump('shop', '--skip-dump-date', '--net-buffer-length=4096');
    for (const more of [{}, { selection }]) {
      const first = await made(small, await runFor(small, wanted, more));
      for (const threads of [1, 3])
        assert.ok((await made(small, await runFor(small, wanted, { ...more, threads }), 3, 5000, 1)).equals(first));
    }
    assert.notDeepEqual(
      await made(small, await runFor(small, wanted, { key: 'b' })),
      await made(small, await runFor(small, wanted)),
    );
  });

  it('are only those that were selected, with NULL where references are cut', async () => {
    const kept = [0, 1, 700, 2993];
    const selection = {
      tables: {
        ...allOf({ [GONE]: 3 }),
        users: selectionOf(2994, kept, [{ columns: ['boss', 'gone'], rows: [0, 1] }]),
        parts: selectionOf(500, []),
      },
    };
    for (const [n, option] of ['--skip-extended-insert', '--net-buffer-length=4096'].entries()) {
      const bytes = await server.dump('shop', '--skip-dump-date', option);
      const run = await runFor(
        bytes,
        { users: { rules: { email: rule('email') } }, '"Emp.ty"""': { fate: 'structure' } },
        { selection },
      );
      const reduced = await made(bytes, run);
      assert.deepEqual([run.counts.tables.get('users')?.rowsIn, run.counts.tables.get('users')?.rowsOut], [2994, 4]);
      assert.equal(run.counts.tables.get('parts')?.rowsOut, 0);
      assert.equal(reduced.includes('INSERT INTO `parts`'), false);
      const database = `reduced_${n}`;
      await load(database, Buffer.concat([Buffer.from('SET foreign_key_checks = 0;\n'), reduced]));
      assert.equal(
        await server.sql(database, 'SELECT id, boss, gone FROM users ORDER BY id'),
        [
          '1\tNULL\tNULL',
          '2\tNULL\tNULL',
          ...(await server.sql('shop', 'SELECT id, boss, gone FROM users ORDER BY id LIMIT 1 OFFSET 700')).split('\n'),
          ...(await server.sql('shop', 'SELECT id, boss, gone FROM users ORDER BY id DESC LIMIT 1')).split('\n'),
        ].join('\n'),
      );
    }
  });

  it('stop the variant where they are others than those that were selected from', async () => {
    const all = { [GONE]: 3, parts: 500, users: 2994 };
    for (const other of [{ parts: 499 }, { parts: 501 }, { users: 0 }]) {
      const run = await runFor(dump, {}, { selection: { tables: allOf({ ...all, ...other }) } });
      await assert.rejects(made(dump, run), { code: 'variant-failed' });
    }
    const { parts: _, ...missing } = all;
    const run = await runFor(dump, {}, { selection: { tables: allOf(missing) } });
    await assert.rejects(made(dump, run), { code: 'variant-failed' });
  });

  it('take along what belongs to a table that is left out', async () => {
    const run = await runFor(dump, { [GONE]: { fate: 'drop' } });
    const given = await made(dump, run);
    assert.deepEqual(
      given
        .toString()
        .split('\n')
        .filter((line) => line.includes('go``ne')),
      [],
    );
    assert.equal(given.includes('CONSTRAINT `fk_gone`'), false);
    await load('without', given);
    assert.deepEqual((await server.sql('without', 'SHOW TABLES')).split('\n').sort(), [
      'Emp.ty"',
      'late',
      'numbers',
      'parts',
      'users',
    ]);
    assert.equal(await server.sql('without', 'SELECT count(*) FROM users'), '2994');
  });

  it('are visited with their values as text', async () => {
    const seen: (string | null)[][] = [];
    const ends: [string, number][] = [];
    const columns = ['email', 'raw', 'flags', 'amount', 'boss'];
    await content.scan(
      piecesOf(await server.dump('shop', '--hex-blob'), 999),
      {
        begin: (table, names) => (table === 'users' ? columns.map((column) => names.indexOf(column)) : undefined),
        row: (_, ordinal, values) => {
          if (ordinal < 3) seen.push([...values]);
        },
        end: (table, rows) => void ends.push([table, rows]),
      },
      signal,
    );
    assert.deepEqual(seen, [
      ['ann@corp.example', `\\x${EVERY_BYTE}`, '\\x15', '12.500', null],
      ['bob@corp.example', '\\x', null, '-0.001', '1'],
      ['çim 漢@corp.example', null, '\\x00', null, '2'],
    ]);
    assert.deepEqual(
      ends.sort(),
      [
        ['"Emp.ty"""', 0],
        [GONE, 3],
        ['parts', 500],
        ['users', 2994],
      ].sort(),
    );
  });
});
