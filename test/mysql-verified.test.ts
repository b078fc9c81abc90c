import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { HoldfastError } from '../src/core/errors.ts';
import type { DrillFolders } from '../src/core/ports/drill-folders.ts';
import { createVariantVerification } from '../src/core/variant-verification.ts';
import { createSqlSealer } from '../src/downloads/sql/sql-sealer.ts';
import { createPolicyVariantMaker } from '../src/downloads/variants/policy-variant-maker.ts';
import { createDrillFolders } from '../src/process/drill-folders.ts';
import { findServerPrograms } from '../src/services/mysql/server-programs.ts';
import { createMysqlVariantVerifier } from '../src/services/mysql/variant-verifier.ts';
import { findProgram } from './installed-programs.ts';
import { type ManagedApplication, openManagedApplication } from './managed-application.ts';
import { MARIADB_SKIP_REASON } from './mariadb-server.ts';
import { MYSQL_SAMPLE } from './mysql-sample.ts';
import { MysqlServer } from './mysql-server.ts';
import { inPieces } from './policy-variants-rig.ts';
import { MYSQL_PROGRAMS, MYSQL_SKIP_REASON } from './provided-mysql.ts';

const MARIADB_PLACES = [
  ...new Set(['mariadbd', 'mariadb', 'mariadb-install-db'].map((name) => path.dirname(findProgram(name) ?? '/'))),
];

const POLICY = `
version: 1
resource: shop
key: env:MASK_KEY
epoch: 1
variants:
  reduced:
    verify: load
    subset: { seed: test, roots: [{ table: people, sample: 20% }], follow: [{ from: people, to: orders, via: person }], unconnected: { "*": all } }
tables:
  people:
    columns:
      { id: keep, email: email, name: { derive: "concat('Nr. ', id)" }, doc: { json: { unknown: redact } }, born: { date: { truncate: year } }, secret_code: null, city: generated, loud: generated,
        place: keep, area: keep, uid: uuid, boss: keep, tags: keep, flags: keep, made: keep, mood: keep, feel: keep }
  orders: { columns: { id: keep, person: keep, total: keep, note: null } }
  parts: { columns: { id: keep, made: keep, what: keep } }
  listed: { columns: { id: keep, kind: keep } }
  '"od\`d; -- na""me"': { columns: { "co'l": keep, system: keep, rank: keep } }
  old: { columns: { a: keep } }
  keyless: { columns: { my_row_id: keep, what: { hash: 32 } } }
`;

describe('a variant of a MySQL dump that is loaded before anybody gets it', {
  skip: MYSQL_SKIP_REASON,
  timeout: 300_000,
}, () => {
  let folder: string;
  let drills: string;
  let folders: DrillFolders;
  let dump: Buffer;
  let managed: ManagedApplication;

  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'hf-verify-'));
    drills = path.join(folder, 'd');
    // Servers run as another account, which must get through.
    await chmod(folder, 0o711);
    await mkdir(drills, { mode: 0o711 });
    folders = createDrillFolders({ owner: 'test', isAlive: () => true, parent: drills });
    const server = await MysqlServer.start();
    try {
      await server.sql('', 'CREATE DATABASE shop');
      assert.equal((await server.client('shop', Buffer.from(MYSQL_SAMPLE))).stderr, '');
      dump = await server.dump('--single-transaction', '--routines', '--events', 'shop');
    } finally {
      await server.remove();
    }
    const policyFolder = path.join(folder, 'policies');
    await mkdir(policyFolder);
    await writeFile(path.join(policyFolder, 'shop.yaml'), POLICY);
    const parts = { sealer: createSqlSealer(), folders, places: [MYSQL_PROGRAMS] };
    managed = await openManagedApplication(path.join(folder, 'data'), {
      parts: {
        sealer: createSqlSealer(),
        variantMaker: createPolicyVariantMaker({
          ...{ policyFolder, transformerFolder: undefined },
          resolveSecret: async () => 'a key of the tests, long enough',
        }),
        variantVerifier: createVariantVerification({
          postgresql: () => Promise.reject(new Error('not asked for')),
          mysql: async () => createMysqlVariantVerifier(parts),
        }),
      },
    });
  });
  after(async () => {
    await managed?.application.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function load(bytes: Buffer, rows: Readonly<Record<string, number>>, places = [MYSQL_PROGRAMS]): Promise<void> {
    const verifier = createMysqlVariantVerifier({ sealer: createSqlSealer(), folders, places });
    const tables = Object.entries(rows).map(([name, rowsOut]) => ({ name, rowsIn: rowsOut, rowsOut }));
    const report = () => ({ tables, canary: { looked: 0, originals: 0 } });
    const material = { format: 'sql', dialect: 'mysql', fileExtension: '.sql', report } as const;
    await verifier.verify(material, inPieces(bytes, 5000), new AbortController().signal);
  }

  /** What is said of SQL that does not load. */
  async function refused(
    sql: string,
    rows: Readonly<Record<string, number>> = {},
    places?: string[],
  ): Promise<HoldfastError> {
    const error = await load(Buffer.from(`${sql}\n-- Dump completed\n`), rows, places).then(
      () => assert.fail('It was loaded.'),
      (thrown: unknown) => thrown as HoldfastError,
    );
    assert.doesNotMatch(error.message + JSON.stringify(error.details), /secret/);
    assert.deepEqual(await readdir(drills), []);
    return error;
  }

  it('is published, reduced and with derived columns, when all its rows were there and every constraint held', async () => {
    const { application } = managed;
    const input = inPieces(dump, 5000);
    await application.backups.createPosted({ resourceId: 'shop', service: 'stream', createdBy: 'test', input });
    const order = { resourceId: 'shop', variant: 'reduced', format: 'sql' as const, createdBy: 'test' };
    const { id } = await application.variants.build(order, new AbortController().signal);
    const operation = await application.operations.wait(id, 120_000);
    assert.equal(operation.status, 'completed', operation.error?.message ?? '');
    assert.equal((await application.variants.list('shop')).kept.length, 1);
    assert.deepEqual(await readdir(drills), []);
  });

  it('is refused by the name of the key that does not hold, and not by the value', async () => {
    const error = await refused(
      "CREATE TABLE t (id int PRIMARY KEY, a varchar(9), up int, CONSTRAINT `ab``ove` FOREIGN KEY (up) REFERENCES t (id));\nSET foreign_key_checks = 0;\nINSERT INTO t VALUES (1, 'secret', 7);",
      { t: 1 },
    );
    assert.equal(error.code, 'variant-not-loadable', error.message);
    assert.match(error.message, /constraint ab`ove of t does not hold\. Nobody gets it/);
  });

  it('does no harm to the server or the machine while it is loaded, whoever wrote its definitions', async () => {
    const outside = path.join(folder, 'outside');
    const harmful = [
      `SELECT 'secret' INTO OUTFILE '${outside}'`,
      "INSERT INTO mysql.user (host, user) VALUES ('%', 'x')",
      "SET NEW.a = coalesce(NEW.a, load_file('/etc/hostname'))",
      'SET GLOBAL local_infile = 1',
      'DELETE FROM mysql.db',
    ];
    const body = harmful.map((statement) => `${statement}; `).join('');
    // Each is refused but for the one that reads a file, which reads nothing.
    await load(
      Buffer.from(`CREATE TABLE t (a text);
CREATE TABLE harmless (refused int, a text, CONSTRAINT four CHECK (refused = 4 AND a IS NULL));
DELIMITER ;;
CREATE PROCEDURE try() BEGIN DECLARE CONTINUE HANDLER FOR SQLEXCEPTION SET @refused = @refused + 1; ${body.replace(/NEW\.a/g, '@a')}END;;
CREATE TRIGGER x BEFORE INSERT ON t FOR EACH ROW CALL try();;
DELIMITER ;
SET @refused = 0;
INSERT INTO t VALUES (1);
INSERT INTO harmless VALUES (@refused, @a);
-- Dump completed
`),
      { t: 1, harmless: 1 },
    );
    assert.equal(existsSync(outside), false);
    assert.deepEqual(await readdir(drills), []);
  });

  it('is given to a server of its own product, and where there is another one alone, both are named', {
    skip: MARIADB_SKIP_REASON,
  }, async () => {
    const both = [...MARIADB_PLACES, MYSQL_PROGRAMS];
    for (const product of ['MySQL', 'MariaDB'] as const)
      assert.equal((await findServerPrograms({ product, version: '5.7.1' }, both)).product, product);
    const error = await refused(dump.toString('latin1'), {}, MARIADB_PLACES);
    assert.equal(error.code, 'variant-verifier-missing');
    assert.match(
      error.message,
      /its dump is of MySQL \d+\.\d+\.\d+, and was given to MariaDB .*apt-get install mysql-server/,
    );
  });
});
