import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import { createSqlSealer } from '../src/downloads/sql/sql-sealer.ts';
import { MARIADB_SKIP_REASON, MariadbServer } from './mariadb-server.ts';
import { inPieces, PolicyVariants } from './policy-variants-rig.ts';
import { fed, whole } from './sealed-sql-rig.ts';

const SHOP = `
SET NAMES utf8mb4;
CREATE TABLE users (
  id int PRIMARY KEY AUTO_INCREMENT, first varchar(100), email varchar(200) NOT NULL, \`low\`\`ered\` varchar(200) UNIQUE,
  label text NOT NULL, changed timestamp NOT NULL DEFAULT '2001-02-03 04:05:06' ON UPDATE CURRENT_TIMESTAMP, seen datetime DEFAULT NULL,
  loud varchar(300) GENERATED ALWAYS AS (upper(label)) STORED
);
INSERT INTO users (first, email, \`low\`\`ered\`, label, seen)
  SELECT concat('Ann', seq), concat('Person', seq, '@Corp.Example'), concat('person', seq, '@corp.example'), 'secret', '2020-01-01' FROM seq_1_to_2000;
CREATE TRIGGER noted BEFORE UPDATE ON users FOR EACH ROW SET NEW.first = 'triggered';
CREATE TABLE vague (id int, a text, b text);
INSERT INTO vague VALUES (1, 'Hidden', 'hidden');
CREATE TABLE without_rows (id int, a text, b text);
`;

const POLICY = `
variants: { masked: { keep: full } }
tables:
  users:
    columns:
      { id: keep, first: first_name, email: email, changed: keep, seen: keep, loud: generated, label: { derive: "concat(first,\\n ' é;\\\\\\\\ /* no */ ', id)" },
        'low\`ered': { rule: { derive: "lower(\`Email\`)" }, allow_uniqueness_loss: "of a unique address" } }
  vague: { columns: { id: keep, a: hash, b: { derive: "upper(a)" } } }
  without_rows: { columns: { id: keep, a: keep, b: { derive: "a" } } }
`;

describe('columns of a variant that MariaDB derives', { skip: MARIADB_SKIP_REASON, timeout: 300_000 }, () => {
  let server: MariadbServer;
  let variants: PolicyVariants;
  let databases = 0;
  before(async () => {
    server = await MariadbServer.start();
    variants = await PolicyVariants.create();
    await load('shop', Buffer.from(SHOP));
  });
  after(async () => {
    await server?.remove();
    await variants?.remove();
  });
  beforeEach(() => variants.policy(POLICY));

  async function load(database: string, sql: Buffer): Promise<void> {
    await server.sql('', `CREATE DATABASE ${database}`);
    const { exitCode, stderr } = await fed('mariadb', [...server.options, database], process.env, sql);
    assert.deepEqual({ exitCode, stderr }, { exitCode: 0, stderr: '' });
  }
  const made = (bytes: Buffer, pieces = 1 << 16) => variants.make({ bytes, dialect: 'mysql', pieces }, 'masked');
  const sealedSql = (bytes: Buffer) =>
    whole(createSqlSealer().seal(inPieces(bytes, 5000), { dialect: 'mysql', mode: 'create', title: 'shop' }));

  it('are computed of the masked values before triggers are there, and change no time of change', async () => {
    for (const options of [
      [],
      ['--skip-extended-insert', '--no-autocommit'],
      ['--skip-opt', '--create-options', '--net-buffer-length=4096'],
      ['--complete-insert', '--default-character-set=utf8mb4', '--skip-add-locks'],
    ]) {
      const bytes = await server.dump('shop', '--skip-dump-date', ...options);
      const { bytes: masked, sha256 } = await made(bytes);
      assert.equal((await made(bytes, 777)).sha256, sha256);
      for (const sql of [masked, await sealedSql(masked)]) {
        const database = `target_${++databases}`;
        await load(database, sql);
        const right = `\`low\`\`ered\` = lower(email) AND label = concat(first, ' é;\\\\ /* no */ ', id) AND loud = upper(label) AND first <> 'triggered'
          AND changed = '2001-02-03 04:05:06' AND seen = '2020-01-01' AND email LIKE '%@example.test'`;
        const counted = `SET NAMES utf8mb4; SELECT count(*), sum(${right}) FROM users`;
        assert.equal(await server.sql(database, counted), '2000\t2000');
        assert.equal(await server.sql(database, 'SELECT length(b), b = upper(a) FROM vague'), '32\t1');
        assert.equal(await server.sql(database, "SHOW TABLES LIKE '%incomplete%'"), '');
      }
      assert.equal(masked.toString().match(/^UPDATE /gm)?.length, 2);
    }
  });

  it('stop a variant of a dump whose character set cannot say their expression', async () => {
    const bytes = await server.dump('shop', '--skip-dump-date', '--default-character-set=latin1');
    await assert.rejects(made(bytes), { code: 'variant-failed', message: /default-character-set=utf8mb4/ });
  });

  it('stop the variant before its first byte where the same value would stand in all rows of a unique key', async () => {
    await variants.policy(
      POLICY.replace('{ derive: "lower(`Email`)" }', '{ derive: { expression: "lower(email)", meanwhile: x } }'),
    );
    const bytes = await server.dump('shop', '--skip-dump-date');
    await assert.rejects(made(bytes), { code: 'variant-blocked', message: /unique key/ });
  });
});
