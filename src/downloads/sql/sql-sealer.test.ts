import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HoldfastError } from '../../core/errors.ts';
import { createSqlSealer } from './sql-sealer.ts';

const FOOTER = '\n--\n-- PostgreSQL database dump complete\n--\n\n';

describe('the seal of PostgreSQL', () => {
  it('refuses what ends a transaction, cannot be in one, or reaches beyond the database', async () => {
    const statements = [
      'COMMIT AND CHAIN;',
      'ROLLBACK;',
      'END;',
      'ABORT;',
      'START TRANSACTION;',
      'SAVEPOINT a;',
      "PREPARE TRANSACTION 'x';",
      'BEGIN ISOLATION LEVEL SERIALIZABLE;',
      'VACUUM;',
      'CREATE INDEX CONCURRENTLY i ON t (a);',
      'CREATE UNIQUE /* */ INDEX CONCURRENTLY i ON t (a);',
      'CREATE DATABASE x;',
      'DROP DATABASE x;',
      'ALTER DATABASE x SET a = b;',
      'ALTER SYSTEM SET a = b;',
      'CREATE ROLE x;',
      "CREATE TABLESPACE x LOCATION E'/x';",
      'CHECKPOINT;',
      "LOAD 'x';",
      'DISCARD ALL;',
      "COPY t FROM '/etc/passwd';",
      "COPY t FROM PROGRAM 'id';",
      'COPY t TO stdout;',
      'COPY t FROM stdin WITH (FORMAT csv);\n\\.\n',
      'COPY t FROM stdin; SELECT 1;\n\\.\n',
      'SET standard_conforming_strings = off;',
      "SET client_encoding = 'SJIS';",
      "SET client_encoding = 'GB18030';",
    ];
    for (const statement of statements) await assert.rejects(sealed(`${statement}${FOOTER}`), isNotSealable, statement);
  });

  it('refuses every command for psql, wherever it is hidden, and what clients read in different ways', async () => {
    const scripts = [
      '\\! id\n',
      '\\connect other\n',
      '\\restrictx y\n',
      'SELECT 1 \\g |id\n',
      "SELECT '\\' \\! id\n;",
      '-- a comment\r\\! id\n',
      'SELECT 1; -- a comment\r\\! id\n',
      '/* /* */ */ \\! id\n',
      'SELECT $a$ $b$ $a$ \\! id\n;',
      "SELECT E'\\\\' \\! id\n;",
      "SELECT 'a\0'; \n\\! id\n';",
      "SELECT E'a'\n'\\'; SELECT ';",
      "SELECT 1e'\\'; SELECT ';",
      'SELECT 1$a$;$a$;',
      "SELECT $e'\\'; SELECT ';",
      'CREATE FUNCTION begin() RETURNS int LANGUAGE sql AS $$SELECT 1$$; COMMIT;',
      'COPY t (a) FROM stdin;\nx\n\\.\n\\! id\n',
      'COPY t (a) FROM stdin;\nx\0\n\\.\n\\! id\n',
    ];
    for (const script of scripts) await assert.rejects(sealed(`${script}${FOOTER}`), isNotSealable, script);
  });

  it('names the dumps of whole clusters', async () => {
    for (const statement of ['CREATE ROLE x;', '\\connect shop\n', 'CREATE DATABASE shop;'])
      await assert.rejects(sealed(`${statement}${FOOTER}`), /pg_dumpall or of pg_dump --create/);
  });

  it('lets no command through but its own', async () => {
    const script = `\\restrict x\nSELECT 1;\nCOPY t (a) FROM stdin;\n\\\\N\t\\N\n\\.\nSELECT ';\n\\! id\n';\n\\unrestrict x \\! id\n${FOOTER}\\unrestrict x\n`;
    const commands = (await sealed(script)).split('\n').filter((line) => line.startsWith('\\'));
    const own = ['set', 'if', 'setenv', 'set', 'set', 'set', '.', '! id', 'set', 'unset', 'echo', 'endif'];
    // Of these, the rows' end and the line within a string come from the dump.
    assert.deepEqual(
      commands
        .map((line) => (line.startsWith('\\!') ? line.slice(1) : line.slice(1).split(' ')[0]))
        .filter((name) => name !== '\\N\t\\N'),
      own,
    );
  });

  it('withholds what commits until the whole dump was there', async () => {
    const dumps = [
      ['SELECT 1;', /the line that the dumping tool writes at the very end is missing/],
      [`SELECT 1;${FOOTER}SELECT 2;`, /at the very end is missing/],
      [`SELECT '${FOOTER}`, /at byte 0, is not whole/],
      [`SELECT 1${FOOTER}`, /is not whole/],
      [`COPY t (a) FROM stdin;\n1\n${FOOTER}`, /is not whole/],
      [`SELECT 1; /* ${FOOTER}`, /is not whole/],
      ['', /at the very end is missing/],
    ] as const;
    for (const [dump, message] of dumps) {
      const { text, error } = await untilError(dump);
      assert.ok(error instanceof HoldfastError && error.code === 'dump-cut', dump);
      assert.match(error.message, message);
      assert.doesNotMatch(text, /^COMMIT/m);
      assert.ok(text === '' || text.includes('RAISE EXCEPTION'), dump);
    }
  });

  it('gives nothing before the source has given something, so that an early error can be answered in another way', async () => {
    const broken = createSqlSealer().seal(failingAtOnce(), { dialect: 'postgresql', mode: 'create', title: 'x' });
    await assert.rejects(broken[Symbol.asyncIterator]().next(), /no key/);
  });

  it('ends what it reads from when its reader leaves', async () => {
    let hasEnded = false;
    async function* source() {
      try {
        for (;;) yield Buffer.from('SELECT 1;\n');
      } finally {
        hasEnded = true;
      }
    }
    for await (const _ of createSqlSealer().seal(source(), { dialect: 'postgresql', mode: 'create', title: 'x' }))
      break;
    assert.ok(hasEnded);
  });

  it('refuses a statement that is too long to be held, and says how to go on', async () => {
    const sealer = createSqlSealer({ maxStatementBytes: 1000 });
    const long = sealer.seal(once(`SELECT '${'x'.repeat(2000)}';${FOOTER}`), {
      dialect: 'postgresql',
      mode: 'create',
      title: 'x',
    });
    await assert.rejects(gathered(long), /longer than 1000 bytes/);
    const rows = sealer.seal(once(`COPY t (a) FROM stdin;\n${'x'.repeat(5000)}\n\\.\n${FOOTER}`), {
      dialect: 'postgresql',
      mode: 'create',
      title: 'x',
    });
    assert.match(await gathered(rows), /x{5000}/);
  });

  it('refuses a statement of so many words that reading it would take all memory', async () => {
    await assert.rejects(sealed(`ALTER TABLE t ADD ${'a,'.repeat(200_000)};${FOOTER}`), isNotSealable);
    assert.match(await sealed(`INSERT INTO t VALUES (${'1,'.repeat(200_000)}1);${FOOTER}`), /1,1\);/);
  });

  it('cannot be left by its title', async () => {
    const text = await sealed(`SELECT 1;${FOOTER}`, "a\n\\! id\r\n' \\! id `id` \u2028 :x");
    assert.match(text, /^-- a \\! id ' \\! id `id` :x$/m);
    assert.match(text, /^\\echo 'a \\\\! id '' \\\\! id `id` :x: complete'$/m);
  });
});

function isNotSealable(error: unknown): boolean {
  return error instanceof HoldfastError && error.code === 'dump-not-sealable' && error.kind === 'unsupported';
}

async function* once(text: string): AsyncGenerator<Buffer> {
  yield Buffer.from(text);
}

async function* failingAtOnce(): AsyncGenerator<Buffer> {
  yield* [];
  throw new Error('no key');
}

async function gathered(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  for await (const part of stream) parts.push(part);
  return Buffer.concat(parts).toString('latin1');
}

function sealed(dump: string, title = 'x'): Promise<string> {
  return gathered(createSqlSealer().seal(once(dump), { dialect: 'postgresql', mode: 'create', title }));
}

async function untilError(dump: string): Promise<{ text: string; error: unknown }> {
  const parts: Uint8Array[] = [];
  try {
    const source = (async function* () {
      for (const byte of Buffer.from(dump)) yield Buffer.of(byte);
    })();
    for await (const part of createSqlSealer().seal(source, { dialect: 'postgresql', mode: 'create', title: 'x' }))
      parts.push(part);
  } catch (error) {
    return { text: Buffer.concat(parts).toString('latin1'), error };
  }
  throw new Error('The stream did not fail.');
}
