import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { HoldfastError } from '../src/core/errors.ts';
import { createSqlSealer } from '../src/downloads/sql/sql-sealer.ts';
import { MARIADB_SKIP_REASON, MariadbServer } from './mariadb-server.ts';
import { sameText } from './postgresql-rig.ts';
import {
  type Ended,
  failing,
  fed,
  HOSTILE_MESSAGES,
  inChunks,
  MUST_NOT_BE,
  untilError,
  whole,
} from './sealed-sql-rig.ts';

const SHOP = `
CREATE TABLE users (id int PRIMARY KEY, email varchar(200) DEFAULT 'a\\\\b''";--', raw blob, boss int, FOREIGN KEY (boss) REFERENCES users (id));
INSERT INTO users VALUES (1, 'it''s; \\\\! touch ${MUST_NOT_BE}', x'00ff5c270a0d1a22', NULL), (2, '/* -- # \\n\\\\\\\\', '\\\\', 1), (3, 'ü 漢 \`', NULL, 2);
CREATE TABLE \`od\`\`d; -- na"me\` (\`co'l\` text, \`system\` int DEFAULT 3);
INSERT INTO \`od\`\`d; -- na"me\` (\`co'l\`) VALUES ('DELIMITER //'), ('source /etc/passwd'), ('\\nsystem id\\n');
CREATE VIEW late AS SELECT id, concat(email, '\\\\;''') AS e FROM users WHERE id > 1;
CREATE SEQUENCE numbers START WITH 17;
DELIMITER //
CREATE PROCEDURE add_user(IN name varchar(100))
BEGIN
  -- it's; a comment
  /* another ; */
  INSERT INTO users (id, email) VALUES (99, concat(name, '\\\\;')); # and; another '
END //
CREATE TRIGGER stamped BEFORE INSERT ON users FOR EACH ROW BEGIN SET NEW.email = concat(NEW.email, '\\''); END //
CREATE PROCEDURE each_user(IN x int) READS SQL DATA COMMENT 'it''s; one'
walk: BEGIN
  DECLARE CONTINUE HANDLER FOR SQLSTATE '02000', NOT FOUND SET x = 1;
  DECLARE EXIT HANDLER FOR SQLEXCEPTION BEGIN ROLLBACK; END;
  l1: LOOP IF CASE x WHEN 1 THEN true ELSE false END THEN LEAVE l1; ELSEIF x = 3 THEN SET x = 4; ELSE SET x = 1; END IF; END LOOP l1;
  CASE x WHEN 1 THEN SELECT 1; ELSE BEGIN END; END CASE;
  REPEAT SET x = x + 1; UNTIL CASE WHEN x > 5 THEN true END END REPEAT;
  WHILE x > 0 DO SET x = x - 1; END WHILE;
END walk //
CREATE FUNCTION named(a int) RETURNS varchar(20) CHARSET utf8mb4 DETERMINISTIC BEGIN RETURN concat(a, ';'); END //
CREATE TRIGGER changed BEFORE UPDATE ON users FOR EACH ROW IF NEW.id > 3 THEN SET NEW.boss = 1; END IF //
CREATE EVENT cleared ON SCHEDULE EVERY 1 DAY STARTS '2035-01-01 00:00:00' DISABLE DO BEGIN DELETE FROM users; DELETE FROM late; END //
DELIMITER ;
`;

/** The server reads each as several statements, of which the second is what matters. */
const SEVERAL = [
  'INSERT INTO t VALUES (1); DROP TABLE t',
  'CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW SET NEW.a = 1; DROP TABLE t; BEGIN END',
  'CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW BEGIN END; DROP TABLE t',
  'CREATE PROCEDURE x() SELECT 1 AS begin; DROP TABLE t; SELECT 1 AS end',
  "CREATE PROCEDURE x() COMMENT 'begin' SELECT 1; DROP TABLE t; END",
  'CREATE DEFINER=function@x PROCEDURE x() SELECT 1 AS begin; DROP TABLE t; END',
  'CREATE FUNCTION x() RETURNS int RETURN 1; DROP TABLE t; END',
  'CREATE PROCEDURE x() /*!99999 BEGIN */ SELECT 1; DROP TABLE t; SELECT 1 /*!99999 ; END */',
  'CREATE EVENT x ON SCHEDULE EVERY 1 DAY DO SELECT 1; DROP TABLE t; END',
  'CREATE TABLE x (a int); DROP TABLE t',
];

/** The client finds a command of its own in what is a string or a comment by other rules. */
const MISREAD = [
  "INSERT INTO t SELECT 1 /*! + /* a */ 1, '*/ \\! id\n' */;",
  "INSERT INTO t SELECT 1 /* /*! */, '*/ \\! id\n';",
  "INSERT INTO t SELECT 1 /* /*/, '*/ \\! id\n' /* */;",
  "INSERT INTO t SELECT 1 /*! */* 1, '*/ \\! id\n';",
  "INSERT INTO t SELECT 1 /*M! + 1 */* 1, '*/ \\! id\n';",
  'INSERT INTO t SELECT 1 /*M! -- */ \\! id\n */;',
  'INSERT INTO t SELECT 1 /*M! # */ \\! id\n */;',
  "INSERT INTO t SELECT 1 /*M! /*! + '*/ \\! id\n' */ */;",
  "INSERT INTO t SELECT 1 /*! /*M! */, '*/ \\! id\n' */;",
  "INSERT INTO t SELECT 1 --\u0001 '\n, ' \\! id\n';",
  'DELIMITER //\nINSERT INTO t SELECT 1 /*! */// \\! id\n//\nDELIMITER ;\n',
  'INSERT INTO t SELECT 1 AS `a\\`, 1 AS ` \\! id\n`;',
  "INSERT INTO t SELECT 1 /* /*+ */, '*/ \\! id\n';",
  "CREATE /DEFINER=a@b*TRIGGER x BEFORE INSERT ON t FOR EACH ROW SET NEW.a = '*/ \\! id\n';",
  "CREATE /*! DEFINER=a */ @b TRIGGER x BEFORE INSERT ON t FOR EACH ROW SET /* a */ NEW.a = '*/ \\! id\n';",
];

describe('a sealed MariaDB dump', { skip: MARIADB_SKIP_REASON }, () => {
  let server: MariadbServer;
  let dump: Buffer;

  before(async () => {
    server = await MariadbServer.start();
    await made('shop');
    assert.equal((await client('shop', Buffer.from(SHOP))).stderr, '');
    dump = await server.dump('shop');
  });
  after(() => server?.remove());

  async function made(name: string): Promise<string> {
    await server.sql('', `CREATE DATABASE ${name}`);
    return name;
  }

  const client = (database: string, input: Buffer): Promise<Ended> =>
    fed('mariadb', [...server.options, ...(database === '' ? [] : [database])], process.env, input);

  const tables = async (database: string) => (await server.sql(database, 'SHOW TABLES')).split('\n').filter(Boolean);

  it('gives the same contents as the dump itself, and prints that it is complete', async () => {
    const ended = await client(await made('whole'), await whole(sealed(dump)));
    assert.deepEqual({ exitCode: ended.exitCode, stderr: ended.stderr }, { exitCode: 0, stderr: '' });
    assert.match(ended.stdout, /: complete\n$/);
    sameDump(await server.dump('whole'), dump);
    assert.equal(existsSync(MUST_NOT_BE), false);
  });

  it('is loaded also with comments in the bodies of triggers, and with white space and comments before DELIMITER', async () => {
    const script = `CREATE TABLE users (id int);
/*!50003 SET sql_mode = 'STRICT_TRANS_TABLES' */ ;

 \t
  -- a comment
\tDELIMITER ;;
/*!50003 CREATE*/ /*!50017 DEFINER=\`root\`@\`localhost\`*/ /*!50003 TRIGGER stamped BEFORE INSERT ON users FOR EACH ROW BEGIN
  /* it's; a comment */
  SET NEW.id = NEW.id + 1; -- and; another '
END */;;
 \r
DELIMITER ;
INSERT INTO users VALUES (1);
-- Dump completed
 \t
`;
    for (const [n, options] of [[], ['--comments'], ['--binary-mode']].entries()) {
      const database = await made(`spaced_${n}`);
      const input = await whole(sealed(Buffer.from(script)));
      const ended = await fed('mariadb', [...server.options, ...options, database], process.env, input);
      assert.deepEqual({ exitCode: ended.exitCode, stderr: ended.stderr }, { exitCode: 0, stderr: '' });
      assert.equal((await server.sql(database, 'SELECT id FROM users')).trim(), '2');
    }
  });

  it('does not touch a database that is not empty', async () => {
    await server.sql('', 'CREATE DATABASE used; CREATE TABLE used.mine (a int); INSERT INTO used.mine VALUES (1)');
    const before = await server.dump('used');
    const ended = await client('used', await whole(sealed(dump)));
    assert.notEqual(ended.exitCode, 0);
    assert.match(ended.stderr, /this database is not empty; nothing was changed/);
    sameDump(await server.dump('used'), before);
    assert.throws(
      () => createSqlSealer().seal(inChunks(dump, 1000), { dialect: 'mysql', mode: 'replace', title: 'shop' }),
      (error) => error instanceof HoldfastError && error.code === 'mode-not-possible',
    );
  });

  it('leaves a table that marks the database as incomplete, wherever it is cut', async () => {
    const stream = await whole(sealed(dump));
    const marked = stream.indexOf('INSERT INTO `__snapshot_incomplete`');
    const unmarked = stream.indexOf('DROP TABLE `__snapshot_incomplete`');
    assert.ok(marked > 0 && unmarked > marked);
    const cuts = Array.from({ length: 12 }, () => marked + Math.floor(Math.random() * (unmarked - marked)));
    const boundary = stream.indexOf(';\n', stream.indexOf('INSERT INTO `users`')) + 2;
    for (const [n, at] of [boundary, ...cuts].entries()) {
      const database = await made(`cut_${n}`);
      await client(database, stream.subarray(0, at));
      assert.ok((await tables(database)).includes('__snapshot_incomplete'), `cut at ${at}`);
    }
  });

  it('makes the client fail with the reason where the source fails', async () => {
    for (const at of [1500, Math.floor(dump.length / 2), dump.length - 200]) {
      const database = await made(`failed_${at}`);
      const { bytes, error } = await untilError(sealed(failing(dump, at)));
      assert.equal((error as Error).message, 'the disk "x" is gone; it\'s \\! lost');
      const ended = await client(database, bytes);
      assert.notEqual(ended.exitCode, 0);
      assert.match(ended.stderr, /ERROR 1644 .*The download failed: the disk "x" is gone; it's \/! lost/);
      assert.ok((await tables(database)).includes('__snapshot_incomplete'));
    }
  });

  it('is refused where it holds anything for the client or for the whole server', async () => {
    const hostile = [
      '\\! id\n',
      'SELECT 1 \\! id\n;',
      'system id;',
      'source /etc/passwd;',
      '/*!40101 SET NAMES utf8 \\! id */;',
      '/*!999999\\! id */\n',
      "/*M!100000 SET @a='*/\nsystem id\n' */;",
      "SET sql_mode='NO_BACKSLASH_ESCAPES';",
      "SET @a='NO_BACK' 'SLASH_ESCAPES';",
      "SET @a=CONCAT('NO_BACK','SLASH_ESCAPES');",
      'SET NAMES gbk;',
      'INSERT INTO t VALUES (1) delimiter x\nsystem id\n;',
      'INSERT INTO t VALUES (mydelimiter x);',
      "DELIMITER 'x\n",
      'USE mysql;',
      'CREATE DATABASE x;',
      '/*!40000 DROP DATABASE x */;',
      "GRANT ALL ON *.* TO x; INSTALL PLUGIN x SONAME 'y';",
      "CREATE FUNCTION f RETURNS STRING SONAME 'udf.so';",
      "LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE t;",
      'SET GLOBAL general_log = 1;',
      'SET STATEMENT max_statement_time = 9 FOR DROP DATABASE x;',
      'SET DEFAULT ROLE NONE FOR x;',
      'SET RESOURCE GROUP x;',
      'DROP TABLE `__snapshot_incomplete`;',
      "INSERT INTO t VALUES ('a\0b');",
      '--x\nSELECT 1;',
      'UPDATE t SET a = 1;',
      'UPDATE `t`, `u` SET `a` = 1;',
      'UPDATE `other`.`t` SET `a` = 1;',
      'UPDATE `t` SET `other`.`u`.`a` = 1;',
      'UPDATE `t` SET `a` = 1;',
      'UPDATE `t` SET `a` = (1) WHERE `a` = 2;',
      'UPDATE `t` SET `a` = (1) LIMIT 1;',
      'UPDATE `t` SET `a` = `b` ORDER BY sleep(1);',
      'UPDATE `t` SET `a` = (1), `b` = (SELECT `c` FROM `other`.`u`);',
      'UPDATE `t` SET `a` = (1) + (TABLE `u`);',
      'UPDATE `t` SET `a` = (1), (2);',
      'UPDATE `t` SET `a` = (1) /*!99999 */;',
      'DELIMITER ;;\nUPDATE `t` SET `a` = (1);;\nDELIMITER ;\n',
      'UPDATE `__snapshot_incomplete` SET `snapshot` = (1);',
      'DROP TABLE other.mine;',
      'DROP VIEW a, other . `mine`;',
      'INSERT INTO `mysql`.user VALUES (1);',
      'REPLACE INTO mysql.user SET a = 1;',
      '/*!50003 CREATE TABLE other.t (a int) */;',
      '/*!99999 INSERT */ DROP TABLE t;',
      '/*M!100000 INSERT INTO t */ DROP TABLE t;',
      'DROP /*!80000 TABLE */ DATABASE t;',
      ...MISREAD,
      ...SEVERAL.map((text) => `DELIMITER ;;\n${text};;\nDELIMITER ;\n`),
    ];
    for (const script of hostile) {
      const stream = sealed(Buffer.from(`SET NAMES utf8mb4;\n${script}\n-- Dump completed\n`));
      const isRefused = (error: unknown) => error instanceof HoldfastError && error.code === 'dump-not-sealable';
      await assert.rejects(whole(stream), isRefused, script);
    }
  });

  it('is refused where its end is missing', async () => {
    const { bytes, error } = await untilError(sealed(dump.subarray(0, dump.lastIndexOf('-- Dump completed'))));
    assert.equal((error as HoldfastError).code, 'dump-cut');
    assert.match((await client(await made('endless'), bytes)).stderr, /The dump is not whole/);
  });

  it('answers the client with SQL that fails, whatever the message', async () => {
    for (const message of ['no such snapshot', ...HOSTILE_MESSAGES]) {
      const ended = await client('', Buffer.from(createSqlSealer().failure(message)));
      assert.equal(ended.exitCode, 1, message);
      assert.match(ended.stderr, /^ERROR 1644 \(45000\)/m, message);
    }
  });
});

/** Comments name the database and the time. */
function sameDump(actual: Buffer, expected: Buffer): void {
  const [found, wanted] = [actual, expected].map((bytes) => bytes.toString('latin1').replaceAll(/^-- .*$/gm, ''));
  sameText(found!, wanted!);
}

function sealed(dump: Buffer | AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  const source = Buffer.isBuffer(dump) ? inChunks(dump, 1000) : dump;
  return createSqlSealer().seal(source, { dialect: 'mysql', mode: 'create', title: 'shop, 2026-11-20 "it\'s \\ "' });
}
