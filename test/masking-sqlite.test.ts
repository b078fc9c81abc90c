import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, it } from 'node:test';
import { HoldfastError } from '../src/core/errors.ts';
import type { ContentSchema } from '../src/downloads/content/content-schema.ts';
import { createSqliteContent } from '../src/downloads/content/sqlite/sqlite-content.ts';
import { allOf, bytesOf, piecesOf, plansFor, rule, runOf, selectionOf, type WantedTable } from './masking-rig.ts';

const SHOP = `
PRAGMA page_size = 8192; PRAGMA user_version = 7; PRAGMA application_id = 99; PRAGMA journal_mode = WAL;
CREATE TABLE moods (m TEXT PRIMARY KEY);
CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT, email TEXT UNIQUE NOT NULL, kind TEXT CHECK (kind IN ('a', 'b''c')),
  doubled TEXT GENERATED ALWAYS AS (email || email) STORED, born DATE, ratio REAL, raw BLOB, mood TEXT REFERENCES moods (m) ON DELETE SET NULL,
  boss INT REFERENCES users, any_thing);
CREATE TABLE "w'ei""rd.x" ([a b] TEXT, q BLOB, rowid TEXT, PRIMARY KEY ([a b] COLLATE NOCASE DESC, q)) WITHOUT ROWID;
CREATE TABLE strict_one (i INTEGER NOT NULL, t TEXT, b BLOB) STRICT;
CREATE TABLE logs (line TEXT, "user" INTEGER REFERENCES users (id), FOREIGN KEY ("user") REFERENCES users (id));
CREATE TABLE notes (log INTEGER REFERENCES logs (rowid), t TEXT, FOREIGN KEY (t) REFERENCES moods (m));
CREATE VIRTUAL TABLE words USING fts5(t);
CREATE INDEX by_born ON users (born DESC);
CREATE UNIQUE INDEX lowered ON users (lower(email)) WHERE boss IS NOT NULL;
CREATE UNIQUE INDEX covering ON "w'ei""rd.x" (rowid);
CREATE VIEW known AS SELECT id FROM users;
CREATE VIEW reading AS SELECT * FROM logs;
CREATE VIEW of_reading AS SELECT * FROM (SELECT * FROM reading);
CREATE TRIGGER spoiling AFTER INSERT ON users BEGIN UPDATE users SET kind = 'a'; INSERT INTO moods VALUES ('by trigger'); END;
CREATE TRIGGER logging AFTER DELETE ON users BEGIN INSERT INTO logs VALUES (old.email, 1); END;
`;
const WEIRD = '"w\'ei""rd.x"';

describe('rows of a SQLite database', () => {
  let folder: string;
  let database: Buffer;
  let schema: Promise<ContentSchema> | undefined;
  const { signal } = new AbortController();
  let content: ReturnType<typeof createSqliteContent>;

  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'masking-sqlite-'));
    content = createSqliteContent({ temporaryFolder: path.join(folder, 'temporary') });
    database = await made('shop', (shop) => {
      shop.exec(SHOP.replace(/CREATE TRIGGER[\s\S]*/, ''));
      shop.exec("INSERT INTO moods VALUES ('sad'), ('fine'); INSERT INTO words VALUES ('ann SECRET');");
      const users = shop.prepare(
        'INSERT INTO users (email, kind, born, ratio, raw, mood, boss, any_thing) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
      );
      const things = [
        null,
        9007199254740993n,
        Number.POSITIVE_INFINITY,
        -0,
        'text',
        Buffer.from([0, 255]),
        '12',
        Number.MIN_VALUE,
      ];
      shop.exec('BEGIN');
      for (let n = 0; n < 1000; n++)
        users.run(
          `user${n}@corp.example`,
          n % 2 === 0 ? 'a' : "b'c",
          '2001-02-03',
          n / 3,
          Buffer.from([n & 255]),
          n % 3 === 0 ? null : 'sad',
          n === 0 ? null : 1,
          things[n % things.length] ?? null,
        );
      // A text that is no Unicode, and one with a zero in it.
      shop.exec(
        "UPDATE users SET any_thing = CAST(x'ff41' AS TEXT) WHERE id = 5; UPDATE users SET any_thing = 'a' || char(0) || 'b' WHERE id = 6",
      );
      shop.exec(
        "INSERT INTO users (email) VALUES ('deleted SECRET'); DELETE FROM users WHERE id = 1001; DELETE FROM users WHERE id = 17",
      );
      shop.exec(`INSERT INTO ${WEIRD} VALUES ('z', x'00ff', '1'), ('A', 'b', '2'), ('m', 3, '3')`);
      shop.exec(
        "INSERT INTO strict_one VALUES (1, 'x', x'00'), (2, NULL, NULL); INSERT INTO logs VALUES ('line SECRET', 1); INSERT INTO notes VALUES (1, 'sad')",
      );
      shop.exec(SHOP.slice(SHOP.indexOf('CREATE TRIGGER')));
      shop.exec('COMMIT');
    });
  });
  after(() => rm(folder, { recursive: true, force: true }));

  async function made(name: string, fill: (database: DatabaseSync) => void): Promise<Buffer> {
    const file = path.join(folder, `${name}.sqlite`);
    const opened = new DatabaseSync(file, { enableForeignKeyConstraints: false });
    try {
      fill(opened);
      opened.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    } finally {
      opened.close();
    }
    return readFile(file);
  }

  async function opened<Result>(bytes: Buffer, use: (database: DatabaseSync) => Result): Promise<Result> {
    const file = path.join(folder, 'look.sqlite');
    await writeFile(file, bytes);
    const look = new DatabaseSync(file, { readBigInts: true });
    try {
      return use(look);
    } finally {
      look.close();
      await rm(file);
    }
  }

  const dropped: Record<string, WantedTable> = { words: { fate: 'drop' } };

  async function runFor(bytes: Buffer, wanted: Record<string, WantedTable>, more: Parameters<typeof runOf>[1] = {}) {
    // Most tests are about the same database.
    if (bytes === database) schema ??= content.schema(piecesOf(bytes, 9999), signal);
    const found = bytes === database ? await schema : await content.schema(piecesOf(bytes, 9999), signal);
    return runOf(plansFor(found ?? assert.fail(), wanted), more);
  }

  const leftovers = async () =>
    existsSync(path.join(folder, 'temporary')) ? readdir(path.join(folder, 'temporary')) : [];

  it('have the tables, columns and keys that their definitions say', async () => {
    const { tables } = await content.schema(piecesOf(database, 4096), signal);
    assert.deepEqual(
      tables.map(({ name }) => name),
      ['moods', 'users', WEIRD, 'strict_one', 'logs', 'notes', 'words'].map((name) =>
        name === WEIRD ? `"w'ei""rd.x"` : name,
      ),
    );
    const users = tables[1];
    assert.deepEqual(
      users?.columns.map(({ name, family, isNullable, isGenerated }) => [name, family, isNullable, isGenerated]),
      [
        ['id', 'integer', false, false],
        ['email', 'text', false, false],
        ['kind', 'text', true, false],
        ['doubled', 'text', true, true],
        ['born', 'date', true, false],
        ['ratio', 'numeric', true, false],
        ['raw', 'bytes', true, false],
        ['mood', 'text', true, false],
        ['boss', 'integer', true, false],
        ['any_thing', 'text', true, false],
      ],
    );
    assert.deepEqual(users?.columns[2]?.allowedValues, ['a', "b'c"]);
    assert.deepEqual(
      users?.uniqueKeys.map(({ columns, isPrimary, isExpression }) => [columns, isPrimary, isExpression]),
      [
        [['id'], true, false],
        [['email'], false, false],
        [['email', 'boss'], false, true],
      ],
    );
    assert.deepEqual(
      users?.foreignKeys.map(({ columns, target, targetColumns }) => [columns, target, targetColumns]),
      [
        [['mood'], 'moods', ['m']],
        [['boss'], 'users', ['id']],
      ],
    );
    assert.deepEqual(tables[2]?.uniqueKeys[0]?.columns, ['a b', 'q']);
  });

  it('are the same where no rule touches them, with what stands around them, and nothing that was deleted', async () => {
    const run = await runFor(database, dropped);
    const copy = await bytesOf(content.rewrite(piecesOf(database, 5000), run));
    const texts = (look: DatabaseSync) =>
      ['moods', 'users', WEIRD, 'strict_one', 'logs', 'notes'].map((table) => {
        const columns =
          table === 'users'
            ? 'id, email, kind, doubled, born, quote(ratio), hex(raw), mood, boss, typeof(any_thing), hex(any_thing), quote(any_thing)'
            : '*';
        return look.prepare(`SELECT ${columns} FROM ${table}`).all();
      });
    assert.deepEqual(await opened(copy, texts), await opened(database, texts));
    const definitions = (look: DatabaseSync) =>
      look
        .prepare(
          "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE tbl_name NOT LIKE 'words%' ORDER BY type, name",
        )
        .all();
    assert.deepEqual(await opened(copy, definitions), await opened(database, definitions));
    const facts = (look: DatabaseSync) =>
      ['SELECT * FROM sqlite_sequence', 'PRAGMA user_version', 'PRAGMA application_id', 'PRAGMA page_size'].map((sql) =>
        look.prepare(sql).all(),
      );
    assert.deepEqual(await opened(copy, facts), await opened(database, facts));
    assert.equal(database.includes('deleted SECRET') && database.includes('ann SECRET'), true);
    assert.equal(copy.includes('deleted SECRET') || copy.includes('ann SECRET'), false);
    assert.deepEqual(run.counts.tables.get('users'), { rowsIn: 999, rowsOut: 999 });
    assert.deepEqual(await leftovers(), []);
  });

  it('are masked, in the storage class that they had, and to the same bytes each time', async () => {
    const rules = {
      email: rule('email'),
      ratio: rule('const', { value: '2.5' }),
      raw: rule('const', { value: '\\x0a0b' }),
      boss: rule('const', { value: '3' }),
      any_thing: rule('hash'),
      id: rule('int', { mode: 'permute' }),
    };
    const wanted = { ...dropped, users: { rules: { ...rules, boss: rule('int', { mode: 'permute' }) } } };
    const run = await runFor(database, wanted);
    const masked = await bytesOf(content.rewrite(piecesOf(database, 5000), run));
    const again = await bytesOf(
      content.rewrite(piecesOf(database, 70_001), await runFor(database, wanted, { threads: 2 })),
    );
    assert.ok(again.equals(masked));
    assert.equal(masked.includes('corp.example'), false);
    await opened(masked, (look) => {
      const row = look
        .prepare(
          "SELECT count(*) n, count(DISTINCT email) e, sum(email LIKE '%@example.test') m, sum(doubled = email || email) d, sum(typeof(ratio) = 'real') r, sum(typeof(raw) = 'blob') b, sum(typeof(boss) = 'integer') i FROM users",
        )
        .get();
      assert.deepEqual({ ...row }, { n: 999n, e: 999n, m: 999n, d: 999n, r: 999n, b: 999n, i: 998n });
      assert.deepEqual(look.prepare('PRAGMA foreign_key_check(users)').all(), []);
      assert.equal(look.prepare('SELECT count(*) n FROM moods').get()?.n, 2n);
    });
  });

  it('are only those that were selected, with NULL where references are cut', async () => {
    const selection = {
      tables: {
        ...allOf({ strict_one: 2 }),
        users: selectionOf(999, [0, 1, 998], [{ columns: ['boss', 'mood'], rows: [1] }]),
        moods: selectionOf(2, [0]),
        [WEIRD]: selectionOf(3, [1]),
      },
    };
    const run = await runFor(
      database,
      { ...dropped, logs: { fate: 'structure' }, notes: { fate: 'structure' } },
      { selection },
    );
    const reduced = await bytesOf(content.rewrite(piecesOf(database, 5000), run));
    assert.deepEqual(run.counts.tables.get('users'), { rowsIn: 999, rowsOut: 3 });
    assert.deepEqual(run.counts.tables.get('logs'), { rowsIn: 1, rowsOut: 0 });
    await opened(reduced, (look) => {
      assert.deepEqual(
        look
          .prepare('SELECT id, boss, mood FROM users')
          .all()
          .map((row) => Object.values(row)),
        [
          [1n, null, null],
          [2n, null, null],
          [1000n, 1n, null],
        ],
      );
      assert.deepEqual({ ...look.prepare(`SELECT [a b] FROM ${WEIRD}`).get() }, { 'a b': 'm' });
    });
    const { moods: _, ...missing } = selection.tables;
    const others = await runFor(database, { ...dropped }, { selection: { tables: missing } });
    await assert.rejects(bytesOf(content.rewrite(piecesOf(database, 5000), others)), { code: 'variant-failed' });
    const seen: unknown[] = [];
    const ends: [string, number][] = [];
    await content.scan(
      piecesOf(database, 5000),
      {
        begin: (table, columns) => (table === WEIRD ? [columns.indexOf('q'), columns.indexOf('a b')] : undefined),
        row: (_, ordinal, values) => void seen.push([ordinal, ...values]),
        end: (table, rows) => void ends.push([table, rows]),
      },
      signal,
    );
    assert.deepEqual(seen, [
      [0, '\\x00ff', 'z'],
      [1, '3', 'm'],
      [2, 'b', 'A'],
    ]);
    assert.deepEqual(ends, [
      ['moods', 2],
      ['users', 999],
      [WEIRD, 3],
      ['strict_one', 2],
      ['logs', 1],
      ['notes', 1],
    ]);
  });

  it('take along what belongs to a table that is left out', async () => {
    const run = await runFor(database, { ...dropped, logs: { fate: 'drop' }, moods: { fate: 'drop' } });
    await opened(await bytesOf(content.rewrite(piecesOf(database, 5000), run)), (look) => {
      const names = look
        .prepare("SELECT name FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'")
        .all()
        .map(({ name }) => name);
      assert.deepEqual(names, ['users', `w'ei"rd.x`, 'strict_one', 'notes', 'by_born', 'lowered', 'covering', 'known']);
      assert.deepEqual(
        look
          .prepare('SELECT "table" FROM pragma_foreign_key_list(\'users\')')
          .all()
          .map((row) => row.table),
        ['users'],
      );
      assert.deepEqual(look.prepare("SELECT * FROM pragma_foreign_key_list('notes')").all(), []);
    });
  });

  it('are not given where a constraint would not hold, a search index would tell them, or a rule fails; no value is told', async () => {
    const cases: [Record<string, WantedTable>, RegExp][] = [
      [{}, /Table words is virtual/],
      [{ ...dropped, users: { rules: { kind: rule('const', { value: 'SECRET' }) } } }, /CHECK|does not allow/],
      [{ ...dropped, users: { rules: { email: rule('const', { value: 'SECRET' }) } } }, /UNIQUE/],
      [{ ...dropped, users: { rules: { mood: rule('const', { value: 'SECRET' }) } } }, /refer to rows of table moods/],
      [{ ...dropped, strict_one: { rules: { i: rule('const', { value: 'SECRET' }) } } }, /STRICT/],
      [{ ...dropped, logs: { rules: { line: rule('date', { truncate: 'year' }) } } }, /line/],
    ];
    for (const [wanted, message] of cases) {
      const run = await runFor(database, wanted);
      await assert.rejects(bytesOf(content.rewrite(piecesOf(database, 5000), run)), (error) => {
        assert.ok(error instanceof HoldfastError);
        assert.equal(error.code, 'variant-failed');
        assert.match(error.message, message);
        assert.equal(/SECRET|corp\.example/.test(JSON.stringify([error.message, error.details])), false);
        return true;
      });
      assert.deepEqual(await leftovers(), []);
    }
  });

  it('of a database that is damaged, is none or is hostile are refused, and nothing of it is run', async () => {
    const cut = database.subarray(0, database.length / 2);
    const spoilt = Buffer.from(database);
    spoilt.fill(0x41, 100, 3000);
    const hostile = await made('hostile', (bad) => {
      bad.enableDefensive(false);
      bad.exec(
        "CREATE TABLE t (a); INSERT INTO t VALUES (1); PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = 'CREATE TABLE t (a); ATTACH ''/tmp/must-not-be.sqlite'' AS x' WHERE name = 't'",
      );
    });
    const application = await made('application', (bad) => {
      bad.function('unknown_function', { deterministic: true }, (value) => (value === null ? 0 : 1));
      bad.exec('CREATE TABLE t (a, b CHECK (unknown_function(b) = 1)); INSERT INTO t VALUES (1, 1)');
    });
    for (const bytes of [
      Buffer.from('no database at all, but long enough to be one'.repeat(100)),
      cut,
      spoilt,
      Buffer.alloc(0),
      Buffer.from('SQLite format 3\0'),
    ]) {
      const failed = await content.schema(piecesOf(bytes, 5000), signal).then(
        async (schema) => {
          if (schema.tables.length === 0) return undefined;
          return bytesOf(content.rewrite(piecesOf(bytes, 5000), runOf(plansFor(schema, dropped)))).then(
            () => undefined,
            (error: unknown) => error,
          );
        },
        (error: unknown) => error,
      );
      if (bytes.length > 20)
        assert.ok(failed instanceof HoldfastError && /^variant-/.test(failed.code), String(failed));
    }
    await bytesOf(content.rewrite(piecesOf(hostile, 5000), await runFor(hostile, {}))).catch((error) =>
      assert.ok(error instanceof HoldfastError),
    );
    assert.equal(existsSync('/tmp/must-not-be.sqlite'), false);
    await assert.rejects(
      async () => bytesOf(content.rewrite(piecesOf(application, 5000), await runFor(application, {}))),
      (error) => error instanceof HoldfastError && /^variant-/.test(error.code),
    );
    assert.deepEqual(await leftovers(), []);
  });

  it('lie in private files while they are worked on, and nowhere afterwards', async () => {
    const controller = new AbortController();
    const run = await runFor(database, dropped, { signal: controller.signal });
    const given = content.rewrite(piecesOf(database, 5000), run)[Symbol.asyncIterator]();
    await given.next();
    const [name = ''] = await leftovers();
    const place = path.join(folder, 'temporary', name);
    assert.equal((await stat(place)).mode & 0o777, 0o700);
    assert.equal((await stat(path.join(place, 'source.sqlite'))).mode & 0o777, 0o600);
    assert.equal((await stat(path.join(place, 'target.sqlite'))).mode & 0o077, 0);
    await given.return?.(undefined);
    assert.deepEqual(await leftovers(), []);
    controller.abort(new HoldfastError('cancelled', 'operation-cancelled', 'Enough.'));
    await assert.rejects(bytesOf(content.rewrite(piecesOf(database, 5000), run)), /Enough/);
    const broken = async function* () {
      yield database.subarray(0, 5000);
      throw new Error('the source is gone');
    };
    await assert.rejects(content.schema(broken(), signal), /the source is gone/);
    assert.deepEqual(await leftovers(), []);
  });
});
