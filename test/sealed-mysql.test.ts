import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { after, before, describe, it } from 'node:test';
import { HoldfastError } from '../src/core/errors.ts';
import { createSqlSealer } from '../src/downloads/sql/sql-sealer.ts';
import { ClientAgreement } from './client-agreement.ts';
import { MYSQL_SAMPLE } from './mysql-sample.ts';
import { MysqlServer } from './mysql-server.ts';
import { sameText } from './postgresql-rig.ts';
import { MYSQL_PROGRAMS, MYSQL_SKIP_REASON } from './provided-mysql.ts';
import { HOSTILE_MESSAGES, inChunks, MUST_NOT_BE, untilError, whole } from './sealed-sql-rig.ts';

const ALL = ['--single-transaction', '--routines', '--triggers', '--events'];
const SOUPS = Math.ceil(Number(process.env.HOLDFAST_SEAL_CUTS ?? 60) / 25);
/** As clients before 9.7 are when they are asked for nothing. */
const COMMANDS = ['--commands', '--system-command'];

/** The client of MySQL 9 ends the string between dollar signs, and the statement, before the line with its command. */
const BETWEEN_DOLLARS = `INSERT INTO t VALUES (1) $$ ' $$;\n\\! touch ${MUST_NOT_BE}\n';\n`;
const WITHIN_DELIMITER = `DELIMITER $$$\nCREATE VIEW v AS SELECT 1 $$ ' $$\n\\! touch ${MUST_NOT_BE}\n' $$$\nDELIMITER ;\n`;
const JAVASCRIPT = `CREATE FUNCTION plus_one(a int) RETURNS int DETERMINISTIC LANGUAGE JAVASCRIPT AS $js$ return a + 1; // it's $js$`;

describe('a sealed MySQL dump', { skip: MYSQL_SKIP_REASON }, () => {
  let server: MysqlServer;

  before(async () => {
    server = await MysqlServer.start();
    await loaded('shop', Buffer.from(MYSQL_SAMPLE));
  });
  after(() => server?.remove());

  async function made(name: string): Promise<string> {
    await server.sql('', `CREATE DATABASE ${name}`);
    return name;
  }

  /** A new database, made by the client alone as a developer feeds it. */
  async function loaded(name: string, sql: Buffer, ...options: string[]): Promise<string> {
    const { exitCode, stderr, stdout } = await server.client(await made(name), sql, ...options);
    assert.deepEqual({ exitCode, stderr }, { exitCode: 0, stderr: '' });
    return stdout;
  }

  it('gives the same contents as the dump itself, whatever options that was made with', async () => {
    const same = [...ALL, '--set-gtid-purged=OFF', '--skip-dump-date'];
    const wanted = await server.dump(...same, 'shop');
    for (const [n, options] of [
      [...ALL, '--set-gtid-purged=ON', '--hex-blob', '--source-data=2', '--column-statistics'],
      ['--routines', '--events', '--skip-extended-insert', '--complete-insert', '--add-drop-trigger'],
      ['--routines', '--events', '--skip-opt', '--create-options', '--quote-names', '--no-autocommit'],
    ].entries()) {
      const dump = await server.dump(...options, 'shop');
      const stdout = await loaded(`whole_${n}`, await whole(sealed(dump)), ...(n === 1 ? COMMANDS : []));
      assert.match(stdout, /: complete\n$/);
      sameDump(await server.dump(...same, `whole_${n}`), wanted);
    }
    assert.equal(existsSync(MUST_NOT_BE), false);
  });

  it('leaves a table that marks the database as incomplete where it is cut, and touches none that is not empty', async () => {
    const stream = await whole(sealed(await server.dump(...ALL, 'shop')));
    for (const [n, part] of [0.3, 0.6, 0.95].entries()) {
      const cut = stream.subarray(0, stream.length * part);
      await server.client(await made(`cut_${n}`), cut);
      assert.match(await server.sql(`cut_${n}`, 'SHOW TABLES'), /^__snapshot_incomplete$/m);
    }
    const again = await server.client('cut_0', stream);
    assert.equal(again.exitCode, 1);
    assert.match(again.stderr, /this database is not empty; nothing was changed/);
  });

  it('answers the client with SQL that fails, whatever the message', async () => {
    for (const message of ['no such snapshot', ...HOSTILE_MESSAGES]) {
      const ended = await server.client('shop', Buffer.from(createSqlSealer().failure(message)), ...COMMANDS);
      assert.equal(ended.exitCode, 1, message);
      assert.match(ended.stderr, /^ERROR 1644 \(45000\)/m, message);
    }
  });

  it('is refused where clients of MySQL 9 read between dollar signs what others take for code, routines in JavaScript too', async () => {
    const raw = await server.client(
      await made('misread'),
      Buffer.from(`CREATE TABLE t (a int);\n${BETWEEN_DOLLARS}`),
      '--force',
      '-vv',
    );
    // The client gives the statement up to the second pair, and looks at the next line by itself.
    assert.match(raw.stdout, /^INSERT INTO t VALUES \(1\) \$\$ ' \$\$$/m);
    await server.client('misread', Buffer.from(WITHIN_DELIMITER), ...COMMANDS);
    assert.ok(existsSync(MUST_NOT_BE), 'the client ran no command');
    await rm(MUST_NOT_BE);
    await server.sql('misread', JAVASCRIPT);
    const dump = await server.dump('--routines', 'misread');
    assert.match(dump.toString(), /LANGUAGE JAVASCRIPT\nAS \$\$ return a \+ 1; \/\/ it's \$\$ ;;/);
    const written = [BETWEEN_DOLLARS, WITHIN_DELIMITER].map((text) => Buffer.from(`${text}-- Dump completed\n`));
    for (const script of [...written, dump])
      await assert.rejects(whole(sealed(script)), {
        code: 'dump-not-sealable',
        message: /between dollar signs.*--routines/,
      });
  });

  it('is refused where a line of a statement that begins with a comment is a command for the client', async () => {
    const definitions = 'CREATE TABLE t (a int);\n';
    for (const [n, text] of [
      `/*!50003 SET @a = \nsystem touch ${MUST_NOT_BE}\n1 */;`,
      `/*!50003 CREATE*/ /*!50017 DEFINER=x*/ /*!50003 TRIGGER x BEFORE INSERT ON t FOR EACH ROW SET @a = \n \tsystem touch ${MUST_NOT_BE}\n1 */;`,
      // The client compares Latin-1 without accents, whatever its character set is.
      `/*!50003 SET @a = \nsyst\xe9m touch ${MUST_NOT_BE}\n1 */;`,
      `/*!50003 SET @a = \ns\xfcstem touch ${MUST_NOT_BE}\n1 */;`,
    ].entries()) {
      const script = Buffer.from(`${definitions}${text}\n`, 'latin1');
      const raw = await server.client(await made(`line_${n}`), script, ...COMMANDS);
      assert.deepEqual([raw.exitCode, existsSync(MUST_NOT_BE)], [1, true], 'the client ran no command');
      await rm(MUST_NOT_BE);
      const dump = Buffer.concat([script, Buffer.from('-- Dump completed\n')]);
      await assert.rejects(whole(sealed(dump)), { code: 'dump-not-sealable', message: /begins with the word system/ });
    }
    const harmless =
      "/*!50003 CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW SET @a = \n'x\nsystem', @b = 1, @c = NEW.a /*\nsystem */\n + \n@status */;";
    await loaded(
      'line_kept',
      await whole(sealed(Buffer.from(`${definitions}${harmless}\n-- Dump completed\n`))),
      ...COMMANDS,
    );
  });

  it('is refused where it is of several databases or of another kind, and says so', async () => {
    const seal = async (...words: string[]) => whole(sealed(await server.dump(...words)));
    const refused = (message: RegExp) => ({ code: 'dump-not-sealable', message });
    await assert.rejects(seal('--databases', 'shop'), refused(/of one database, without --databases/));
    await assert.rejects(seal('--all-databases', '--no-data'), refused(/of one database, without --databases/));
    await assert.rejects(seal('--xml', '--no-data', 'shop'), refused(/statement XML VERSION/));
    await assert.rejects(seal('--compatible=ansi', 'shop'), refused(/ANSI_QUOTES/));
    const { error } = await untilError(sealed(await server.dump('--compact', 'shop')));
    assert.ok(error instanceof HoldfastError && error.code === 'dump-cut');
  });

  it('is read by the lexer as by the client, in any soup of quotes, comments and delimiters, and when that is sealed', async () => {
    const agreement = new ClientAgreement(`${MYSQL_PROGRAMS}/mysql`, [...server.options, ...COMMANDS], SOUPS);
    await agreement.assertSame();
    await agreement.assertSameSealed();
  });
});

/** Comments name the database. */
function sameDump(actual: Buffer, expected: Buffer): void {
  const [found, wanted] = [actual, expected].map((bytes) => bytes.toString('latin1').replaceAll(/^-- .*$/gm, ''));
  sameText(found!, wanted!);
}

function sealed(dump: Buffer): AsyncIterable<Uint8Array> {
  return createSqlSealer().seal(inChunks(dump, 1000), {
    dialect: 'mysql',
    mode: 'create',
    title: 'shop, 2026-11-20 "it\'s \\ "',
  });
}
