import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import type { HoldfastError } from '../src/core/errors.ts';
import { createSqlSealer } from '../src/downloads/sql/sql-sealer.ts';
import { sameText } from './postgresql-rig.ts';
import { SAMPLE, SAMPLE_ROLES } from './postgresql-sample.ts';
import { PostgresqlServer, SKIP_REASON } from './postgresql-server.ts';
import {
  type Ended,
  failing,
  HOSTILE_MESSAGES,
  MUST_NOT_BE,
  OLD,
  SEAL_ROLES,
  sealed,
  Target,
  TRICKY,
  trustSocket,
  untilError,
  whole,
} from './sealed-sql-rig.ts';

const CUTS = Number(process.env.HOLDFAST_SEAL_CUTS ?? 60);
/** Each with a database of its own, since a transaction waits for another that makes the same things. */
const AT_ONCE = 3;
const FAILURES = Math.ceil(CUTS / 40);
const RESTORES: { source: string; mode: 'create' | 'replace'; options?: string[] }[] = [
  { source: 'source', mode: 'create' },
  { source: 'source', mode: 'replace' },
  { source: 'source', mode: 'replace', options: ['--inserts', '--clean', '--if-exists'] },
  { source: 'rich', mode: 'create', options: ['--clean'] },
];
const PUBLIC_SCHEMA = 'pg_database_owner|{pg_database_owner=UC/pg_database_owner,=U/pg_database_owner}';
const MODES = ['create', 'replace'] as const;

describe('a sealed PostgreSQL dump', { skip: SKIP_REASON }, () => {
  let server: PostgresqlServer;
  let dump: Buffer;
  const targets: Target[] = [];

  before(async () => {
    server = await PostgresqlServer.start(['max_connections = 100']);
    await trustSocket(server);
    await server.sql('postgres', SEAL_ROLES);
    await target('source', TRICKY);
    dump = Buffer.from(await server.dump('source'), 'latin1');
  });
  after(async () => {
    for (const each of targets) await each.close();
    await server.remove();
  });

  async function target(database: string, script = ''): Promise<Target> {
    const made = await Target.make(server, database, script);
    targets.push(made);
    return made;
  }

  /** Everything, as SQL, but for what a seal leaves out. */
  async function contents(database: string): Promise<string> {
    const text = await server.dump(database, '--no-owner', '--no-privileges', '--no-publications');
    return text
      .replaceAll(/^CREATE USER MAPPING .*?^\);$/gms, '')
      .replaceAll(/^CREATE POLICY (?:own|readers) .*$/gm, '')
      .replaceAll(/ OPTIONS \(\n {4}host.*?^\)/gms, '')
      .replaceAll(/^--.*$/gm, '')
      .replaceAll(/\n{2,}/g, '\n');
  }

  for (const mode of MODES)
    it(`cut anywhere, makes psql fail and changes nothing (${mode})`, async (context) => {
      const stream = await whole(sealed(dump, mode));
      const old = mode === 'replace' ? OLD : '';
      const ends = await afterCuts(stream, cutsOf(stream), (n) => target(`cut_${mode}_${n}`, old));
      context.diagnostic(`${ends.length} cuts of ${stream.length} bytes`);
      assertNoneIsTakenForWhole(stream, ends);
    });

  it('cut at any byte of what the seal itself adds, makes psql fail and wait for nobody', async () => {
    // Of nothing, so that no cut behind the COMMIT needs a new database.
    const stream = await whole(sealed(Buffer.from('-- PostgreSQL database dump complete\n')));
    const [comments, commands] = [stream.indexOf('\n-- ') + 8, stream.indexOf('\n\\set ON_ERROR_ROLLBACK')];
    const [block, last] = [stream.indexOf('DO $holdfast$') + 20, stream.indexOf('\nCOMMIT;')];
    const isOwn = (at: number) => at < comments || (at > commands && at < block) || at > last;
    const cuts = Array.from(stream.keys()).filter(isOwn);
    assertNoneIsTakenForWhole(stream, await afterCuts(stream, cuts, (n) => target(`own_${n}`)));
  });

  for (const mode of MODES)
    it(`ends with the reason where the source fails, and changes nothing (${mode})`, async () => {
      const into = await target(`failed_${mode}`, mode === 'replace' ? OLD : '');
      const before = await into.fingerprint();
      const inRow = dump.indexOf('COPY sales.users') + 300;
      const inBody = dump.indexOf('$body$') + 40;
      const places = [
        600,
        inRow,
        inBody,
        dump.length - 3,
        ...Array.from({ length: FAILURES }, () => random(600, dump.length)),
      ];
      for (const at of places) {
        const { bytes, error } = await untilError(sealed(failing(dump, at), mode));
        assert.equal((error as Error).message, 'the disk "x" is gone; it\'s \\! lost');
        const ended = await into.psql(bytes);
        assert.equal(ended.exitCode, 3, `${at}: ${JSON.stringify(ended)}`);
        assert.match(ended.stderr, /ERROR: {2}The download failed: the disk "x" is gone; it's \\! lost\n/, String(at));
        assert.equal(await into.fingerprint(), before);
      }
    });

  it('says why it failed in the midst of a row of many megabytes too', async () => {
    const large = Buffer.from(`COPY public.t (a) FROM stdin;\n1\n${'x'.repeat(3 << 20)}`);
    const { bytes } = await untilError(
      sealed(failing(Buffer.concat([Buffer.from('CREATE TABLE public.t (a text);\n'), large]), 3 << 20)),
    );
    const ended = await (await target('large_row')).psql(bytes);
    assert.equal(ended.exitCode, 3);
    assert.match(ended.stderr, /The download failed: the disk/);
  });

  it('leaves a database that is not empty as it is, unless it is to be replaced', async () => {
    const into = await target('not_empty', OLD);
    const before = await into.fingerprint();
    const ended = await into.psql(await whole(sealed(dump)));
    assert.equal(ended.exitCode, 3);
    assert.match(ended.stderr, /The database not_empty is not empty: it has .*mode=replace/s);
    assert.equal(await into.fingerprint(), before);
  });

  it('gives the same contents as the dump itself, and prints only that it is complete', async () => {
    await server.sql('postgres', SAMPLE_ROLES);
    await target('rich', SAMPLE);
    for (const { source, mode, options = [] } of RESTORES) {
      const plain = Buffer.from(await server.dump(source, ...options), 'latin1');
      const database = `${source}_${mode}_${options.length}`;
      const into = await target(database, mode === 'replace' ? OLD : '');
      const ended = await into.psql(await whole(sealed(plain, mode)));
      assert.deepEqual(
        ended,
        { exitCode: 0, stdout: 'sales, 2026-11-20 "it\'s \\ ": complete\n', stderr: '' },
        database,
      );
      sameText(await contents(database), await contents(source));
    }
    assert.equal(existsSync(MUST_NOT_BE), false);
  });

  it('can be loaded by a developer who owns no more than the database', async () => {
    const plain =
      'CREATE SCHEMA s; CREATE TABLE s.t (a text); INSERT INTO s.t VALUES (1); CREATE TABLE public.u (b int);';
    await target('plain', plain);
    const stream = Buffer.from(await server.dump('plain'), 'latin1');
    const into = await target('developers', 'ALTER DATABASE developers OWNER TO seal_developer');
    for (const mode of ['create', 'replace', 'replace'] as const) {
      const ended = await into.psql(await whole(sealed(stream, mode)), '-U', 'seal_developer');
      assert.deepEqual({ exitCode: ended.exitCode, stderr: ended.stderr }, { exitCode: 0, stderr: '' }, mode);
    }
    sameText(await contents('developers'), await contents('plain'));
    assert.equal(
      await server.sql('developers', `SELECT nspowner::regrole, nspacl FROM pg_namespace WHERE nspname = 'public'`),
      PUBLIC_SCHEMA,
    );
  });

  it('leaves out policies for roles that the target has not, and says so', async () => {
    const table = 'CREATE TABLE public.t (a text);\nALTER TABLE public.t ENABLE ROW LEVEL SECURITY;\n';
    const policies = `CREATE POLICY absent ON public.t TO of_production USING ('$holdfast$' <> '\\');\nCOMMENT ON POLICY absent ON public.t IS 'x';\nCREATE POLICY here ON public.t USING (true);\n`;
    const into = await target('policies');
    const ended = await into.psql(
      await whole(sealed(Buffer.from(`${table}${policies}-- PostgreSQL database dump complete\n`))),
    );
    assert.equal(ended.exitCode, 0);
    assert.match(ended.stderr, /WARNING: {2}A policy is left out: role "of_production" does not exist/);
    assert.equal(await server.sql('policies', 'SELECT polname FROM pg_policy'), 'here');
  });

  it('loads what newer versions write, and no command of theirs', async () => {
    const newer = `\\restrict aB3\nSET statement_timeout = 0;\nSET transaction_timeout = 0;\nSET client_encoding = 'UTF8';
SET standard_conforming_strings = on;\nSELECT pg_catalog.set_config('search_path', '', false);\nSET default_tablespace = fast;
SET some_later_setting = 'x';\nSET other.setting = 'x';\nCREATE TABLE public.t (a text);
COPY public.t (a) FROM stdin;\nx\n\\.\n\n\\unrestrict aB3 \\! touch ${MUST_NOT_BE}\n--\n-- PostgreSQL database dump complete\n--\n\\unrestrict aB3\n`;
    const into = await target('newer');
    const ended = await into.psql(await whole(sealed(Buffer.from(newer))));
    assert.deepEqual([ended.exitCode, ended.stderr], [0, '']);
    assert.equal(await server.sql('newer', 'SELECT a FROM t'), 'x');
    assert.equal(existsSync(MUST_NOT_BE), false);
  });

  it('runs no command although functions of the dump change how psql reads strings', async () => {
    const setting = (
      name: string,
      value: string,
    ) => `CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS $$SELECT set_config('${name}', '${value}', false)::text; SELECT 1$$;
SELECT public.f();\n`;
    // Where strings have backslashes, the second ends earlier; in Shift JIS, the quote belongs to the character before it.
    const attacks = [
      Buffer.from(`${setting('standard_conforming_strings', 'off')}SELECT '\\''\n\\! touch ${MUST_NOT_BE}\n';\n`),
      Buffer.from(
        `${setting('client_encoding', 'SJIS')}COMMENT ON FUNCTION public.f() IS \x83'\n\\! touch ${MUST_NOT_BE}\n';\n`,
        'latin1',
      ),
    ];
    const footer = Buffer.from('-- PostgreSQL database dump complete\n');
    for (const [n, attack] of attacks.entries()) {
      const works = await target(`attacked_plainly_${n}`);
      await works.psql(attack);
      assert.equal(existsSync(MUST_NOT_BE), true, 'the attack itself is wrong');
      await rm(MUST_NOT_BE);
      const into = await target(`attacked_${n}`);
      await into.psql(await whole(sealed(Buffer.concat([attack, footer]))));
      assert.equal(existsSync(MUST_NOT_BE), false);
    }
  });

  it('commits nothing early although the server reads a statement otherwise than psql does', async () => {
    const table = 'CREATE TABLE public.early (a int);\n';
    const body = 'CREATE FUNCTION public.f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1';
    // CASE and END as names of columns; a variable of psql that is empty, before what becomes a comment by that.
    const attacks = [
      `${body} AS case; END; COMMIT; SELECT 1 AS end;\n`,
      `${body} case; END; COMMIT; SELECT 1 end;\n`,
      'INSERT INTO public.early VALUES (1) /:LAST_ERROR_MESSAGE* ( */; COMMIT; SELECT 1 /:LAST_ERROR_MESSAGE* ) */;\n',
    ];
    for (const [n, attack] of attacks.entries()) {
      const script = Buffer.from(`${table}${attack}SELECT 1/0;\n-- PostgreSQL database dump complete\n`);
      const works = await target(`early_plainly_${n}`);
      const before = await works.fingerprint();
      await works.psql(Buffer.concat([Buffer.from('\\set ON_ERROR_STOP on\nBEGIN;\n'), script]));
      assert.notEqual(await works.fingerprint(), before, 'the attack itself is wrong');
      const into = await target(`early_${n}`);
      const bytes = await whole(sealed(script)).catch((error: HoldfastError) => error.code);
      if (typeof bytes === 'string') assert.equal(bytes, 'dump-not-sealable');
      else assert.equal((await into.psql(bytes)).exitCode, 3);
      assert.equal(await into.fingerprint(), before);
    }
  });

  it('keeps psql from putting variables into statements', async () => {
    const view = 'CREATE VIEW public.v AS SELECT a[1: n] AS s, "DBNAME"::text, a[1: "DBNAME"] AS d FROM public.t';
    await target('variables', `CREATE TABLE public.t (a int[], n int, "DBNAME" int);\n${view}`);
    const into = await target('without_variables');
    const stream = await whole(sealed(Buffer.from(await server.dump('variables'), 'latin1')));
    const ended = await into.psql(stream, '-v', 'n=1/0', '-v', 't=x');
    assert.deepEqual([ended.exitCode, ended.stderr], [0, '']);
    sameText(await contents('without_variables'), await contents('variables'));
  });

  it('is answered with SQL that fails, whatever the message', async () => {
    const into = await target('answers');
    for (const message of ['no such snapshot', ...HOSTILE_MESSAGES]) {
      const ended = await into.psql(Buffer.from(createSqlSealer().failure(message)));
      assert.equal(ended.exitCode, 3, message);
      const shown = message.replaceAll('\0', '').trim().split(/\r?\n/)[0] ?? '';
      assert.ok(ended.stderr.includes(`ERROR:  ${shown}`), ended.stderr);
      assert.equal(existsSync(MUST_NOT_BE), false);
    }
  });

  it('is what makes the difference: the plain dump cut at the same places is taken for whole', async () => {
    const at = dump.indexOf('\n', dump.indexOf('COPY sales.users') + 200) + 1;
    const into = await target('unsealed');
    const before = await into.fingerprint();
    const ended = await into.psql(dump.subarray(0, at), '-v', 'ON_ERROR_STOP=1');
    assert.equal(ended.exitCode, 0);
    assert.notEqual(await into.fingerprint(), before);
  });
});

const random = (from: number, to: number) => from + Math.floor(Math.random() * (to - from));

interface CutEnd {
  at: number;
  ended: Ended;
  isUnchanged: boolean;
}

function assertNoneIsTakenForWhole(stream: Buffer, ends: readonly CutEnd[]): void {
  const begins = stream.indexOf('\\if true\n') + '\\if true'.length;
  const committed = stream.lastIndexOf('COMMIT;');
  const isOver = stream.lastIndexOf('\\endif') + '\\endif'.length;
  for (const { at, ended, isUnchanged } of ends) {
    const seen = `cut at byte ${at} of ${stream.length}: ${JSON.stringify(ended)}`;
    // The one silent case: psql has not yet been told of anything that must come to an end. Nothing was done by then.
    if (at < begins) assert.ok(isUnchanged, seen);
    else if (at < isOver) assert.notEqual(ended.exitCode, 0, seen);
    // At the end of its input psql runs a last statement that lacks its semicolon.
    if (at < committed + 'COMMIT'.length) assert.ok(isUnchanged, seen);
  }
}

/** After each statement and each line that is a command, and at random places. */
function cutsOf(stream: Buffer): number[] {
  const cuts = new Set<number>([0]);
  for (let at = stream.indexOf('\n'); at >= 0; at = stream.indexOf('\n', at + 1)) {
    const line = stream.subarray(stream.lastIndexOf('\n', at - 1) + 1, at);
    if (line.at(-1) === 0x3b || line[0] === 0x5c) cuts.add(at + 1);
  }
  for (let n = 0; n < CUTS / MODES.length; n++) cuts.add(Math.floor(Math.random() * stream.length));
  return [...cuts].sort((a, b) => a - b);
}

async function afterCuts(
  stream: Buffer,
  cuts: readonly number[],
  makeTarget: (n: number) => Promise<Target>,
): Promise<CutEnd[]> {
  const waiting = [...cuts];
  const ends: CutEnd[] = [];
  await Promise.all(
    Array.from({ length: AT_ONCE }, async (_, n) => {
      let [target, made] = [await makeTarget(n), 0];
      let before = await target.fingerprint();
      for (let at = waiting.shift(); at !== undefined; at = waiting.shift()) {
        const ended = await target.psql(stream.subarray(0, at));
        const isUnchanged = (await target.fingerprint()) === before;
        ends.push({ at, ended, isUnchanged });
        if (isUnchanged) continue;
        await target.close();
        target = await makeTarget(n + AT_ONCE * ++made);
        before = await target.fingerprint();
      }
    }),
  );
  return ends;
}
