import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readlink, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import type { HoldfastError } from '../src/core/errors.ts';
import type { DrillFolders } from '../src/core/ports/drill-folders.ts';
import { createVariantVerification } from '../src/core/variant-verification.ts';
import { createSqlSealer } from '../src/downloads/sql/sql-sealer.ts';
import { createPolicyVariantMaker } from '../src/downloads/variants/policy-variant-maker.ts';
import { createDrillFolders } from '../src/process/drill-folders.ts';
import { isProcessAlive, ownProcess } from '../src/process/process-owner.ts';
import { createMysqlVariantVerifier } from '../src/services/mysql/variant-verifier.ts';
import { eventually } from './eventually.ts';
import { type ManagedApplication, openManagedApplication } from './managed-application.ts';
import { MARIADB_SKIP_REASON, MariadbServer } from './mariadb-server.ts';

const VICTIM = fileURLToPath(new URL('./variant-verifier-mysql-victim.ts', import.meta.url));

const TABLES = `
CREATE TABLE users (id bigint PRIMARY KEY, email varchar(200) NOT NULL UNIQUE, born date, CONSTRAINT grown CHECK (born > '1900-01-01'));
CREATE TABLE orders (id bigint PRIMARY KEY, user_email varchar(200) NOT NULL, total decimal(10,2), doc json, CONSTRAINT of_user FOREIGN KEY (user_email) REFERENCES users (email));
CREATE TABLE \`we.ird "\` (\`a\`\`\` int, \`b\` int, PRIMARY KEY (\`a\`\`\`), CONSTRAINT \`o\`\`wn\` FOREIGN KEY (\`b\`) REFERENCES \`we.ird "\` (\`a\`\`\`));
CREATE TABLE kept (id int PRIMARY KEY) WITH SYSTEM VERSIONING;
CREATE VIEW late AS SELECT id FROM users;
CREATE SEQUENCE numbers;
INSERT INTO users SELECT seq, concat('person', seq, '@corp.example'), '1980-05-01' + INTERVAL seq DAY FROM seq_1_to_400;
INSERT INTO orders SELECT seq, concat('person', seq % 400 + 1, '@corp.example'), seq, '{"a": 1}' FROM seq_1_to_900;
INSERT INTO \`we.ird "\` VALUES (1, NULL), (2, 1);
INSERT INTO kept VALUES (1), (2);
CREATE TRIGGER stamped BEFORE INSERT ON users FOR EACH ROW SET NEW.email = lower(NEW.email);
`;

function policyOf(resource: string): string {
  const doc = resource === 'derived' ? `{ derive: "json_object('total', total)" }` : 'keep';
  return `
version: 1
resource: ${resource}
key: env:MASK_KEY
epoch: 1
variants:
  reduced:
    verify: load
    subset: { seed: test, dangling: keep, unconnected: { "*": all }, roots: [{ table: orders, sample: 20% }] }
tables:
  users: { columns: { id: keep, email: email, born: { date: { truncate: year } } } }
  orders: { columns: { id: keep, user_email: email, total: keep, doc: ${doc} } }
  '"we.ird """': { columns: { 'a\`': keep, b: keep } }
  kept: { columns: { id: keep } }
`;
}

describe('a variant of a MariaDB dump that is loaded before anybody gets it', {
  skip: MARIADB_SKIP_REASON,
  timeout: 300_000,
}, () => {
  let folder: string;
  let drills: string;
  let folders: DrillFolders;
  let dump: string;
  let managed: ManagedApplication;
  const logged: string[] = [];

  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'hf-verify-'));
    drills = path.join(folder, 'd');
    // Servers run as another account, which must get through.
    await chmod(folder, 0o711);
    await mkdir(drills, { mode: 0o711 });
    folders = createDrillFolders({ owner: 'test', isAlive: () => true, parent: drills });
    const server = await MariadbServer.start();
    try {
      await server.sql('', 'CREATE DATABASE shop');
      await server.sql('shop', TABLES);
      dump = (await server.dump('shop')).toString();
    } finally {
      await server.remove();
    }
    const policyFolder = path.join(folder, 'policies');
    await mkdir(policyFolder);
    for (const resource of ['good', 'broken', 'derived'])
      await writeFile(path.join(policyFolder, `${resource}.yaml`), policyOf(resource));
    managed = await openManagedApplication(path.join(folder, 'data'), {
      parts: {
        sealer: createSqlSealer(),
        logger: pino({ level: 'debug' }, { write: (line: string) => void logged.push(line) }),
        variantMaker: createPolicyVariantMaker({
          ...{ policyFolder, transformerFolder: undefined },
          resolveSecret: async () => 'a key of the tests, long enough',
        }),
        variantVerifier: createVariantVerification({
          postgresql: () => Promise.reject(new Error('not asked for')),
          mysql: async () => createMysqlVariantVerifier({ sealer: createSqlSealer(), folders }),
        }),
      },
    });
  });
  after(async () => {
    await managed?.application.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function build(resourceId: string, text: string) {
    const { application } = managed;
    await application.backups.createPosted({ resourceId, service: 'stream', createdBy: 'test', input: piecesOf(text) });
    const order = { resourceId, variant: 'reduced', format: 'sql' as const, createdBy: 'test' };
    const { id } = await application.variants.build(order, new AbortController().signal);
    const operation = await application.operations.wait(id, 120_000);
    return { operation, overview: await application.variants.list(resourceId) };
  }

  interface Loading {
    rows?: Readonly<Record<string, number>>;
    places?: string[];
    patienceSeconds?: number;
    signal?: AbortSignal;
  }

  async function load(bytes: string | AsyncIterable<Uint8Array>, { rows = {}, signal, ...parts }: Loading = {}) {
    const verifier = createMysqlVariantVerifier({ sealer: createSqlSealer(), folders, ...parts });
    const tables = Object.entries(rows).map(([name, rowsOut]) => ({ name, rowsIn: rowsOut, rowsOut }));
    const report = () => ({ tables, canary: { looked: 0, originals: 0 } });
    const material = { format: 'sql', dialect: 'mysql', fileExtension: '.sql', report } as const;
    const source = typeof bytes === 'string' ? piecesOf(bytes) : bytes;
    await verifier.verify(material, source, signal ?? new AbortController().signal);
  }

  /** What is said of SQL that does not load. */
  async function refused(statements: string, options: Loading & { head?: string } = {}): Promise<HoldfastError> {
    const error = await load(`${options.head ?? ''}${statements}\n-- Dump completed\n`, options).then(
      () => assert.fail('It was loaded.'),
      (thrown: unknown) => thrown as HoldfastError,
    );
    assert.doesNotMatch(error.message + JSON.stringify(error.details), /secret/);
    await assertNothingLeft();
    return error;
  }

  async function assertNothingLeft(): Promise<void> {
    assert.deepEqual(await readdir(drills), []);
    assert.deepEqual(await processesBelow(drills), []);
  }

  it('is published when all rows were there and every constraint held', async () => {
    const { operation, overview } = await build('good', dump);
    assert.equal(operation.status, 'completed', operation.error?.message ?? '');
    assert.equal(overview.kept.length, 1);
    await assertNothingLeft();
  });

  it('is published with the columns that the server derives', async () => {
    const { operation, overview } = await build('derived', dump);
    assert.equal(operation.status, 'completed', operation.error?.message ?? '');
    assert.equal(overview.kept.length, 1);
  });

  it('is never published where a reference is broken, and the constraint is named without the value', async () => {
    // What a server whose references were switched off for a while may give.
    const broken = dump.replaceAll(/\((\d+),'person\d+@corp\.example',(\d+\.)/g, "($1,'somebody@corp.example',$2");
    assert.notEqual(broken, dump);
    const { operation, overview } = await build('broken', broken);
    assert.equal(operation.error?.code, 'variant-not-loadable', operation.error?.message ?? '');
    assert.match(operation.error?.message ?? '', /constraint of_user of orders does not hold\. Nobody gets it/);
    assert.deepEqual([overview.kept.length, overview.blocks.length], [0, 1]);
    const told = JSON.stringify([operation, overview, managed.notifications, logged]);
    assert.doesNotMatch(told, /somebody|corp\.example|example\.test/);
    await assertNothingLeft();
  });

  it('is refused by the name of the key that two rows have in common, or that of their table', async () => {
    const table =
      'CREATE TABLE t (id int PRIMARY KEY, a varchar(50), UNIQUE KEY only_once (a));\nCREATE TABLE u (a int);\n';
    const one = "INSERT INTO `t` VALUES (1, 'secret''for key ''x');\n";
    const error = await refused(`${table}${one}${one.replace('1', '2')}`);
    assert.equal(error.code, 'variant-not-loadable', error.message);
    assert.match(error.message, /: constraint only_once of t does not hold \(1062\)\. Nobody gets it/);
    const unchecked = `${table}SET UNIQUE_CHECKS = 0, FOREIGN_KEY_CHECKS = 0;\nINSERT INTO t VALUES (1, 'secret'), (2, 'secret');`;
    const { code, message } = await refused(unchecked);
    assert.equal(code, 'variant-not-loadable', message);
    assert.match(message, /of t does not hold \(1(180|062)\)/);
  });

  it('is refused where rows are missing, and where a check does not hold that the dump has switched off', async () => {
    const few = await refused('CREATE TABLE t (id int PRIMARY KEY);\nINSERT IGNORE INTO t VALUES (1), (1), (2);', {
      rows: { t: 3 },
    });
    assert.equal(few.code, 'variant-not-loadable', few.message);
    assert.match(few.message, /: table t has 2 rows, and should have 3\. Nobody gets it/);
    const unchecked = await refused(
      "CREATE TABLE t (a varchar(20), CONSTRAINT short CHECK (a <> 'a\\\\\\\\! id' AND a <> 'secret'));\nSET check_constraint_checks = 0;\nINSERT INTO t VALUES ('secret');",
      { rows: { t: 1 } },
    );
    assert.match(unchecked.message, /: constraint short of t does not hold\. Nobody gets it/);
  });

  it('is not blamed for what another product or version cannot take, and both are named', async () => {
    const head = '-- MySQL dump 10.13  Distrib 8.0.36, for Linux (x86_64)\n--\n-- Server version\t8.0.36\n';
    const sql = "CREATE TABLE t (a varchar(9) DEFAULT 'secret') COLLATE utf8mb4_no_such_collation;";
    const error = await refused(sql, { head });
    assert.equal(error.code, 'variant-verifier-missing', error.message);
    assert.match(
      error.message,
      /is of MySQL 8\.0\.36, and was given to MariaDB \d+\.\d+.*Install a server of MySQL 8\.0\.36/,
    );
    assert.match(error.message, /apt-get install mysql-server/);
  });

  it('leaves neither a server nor files where somebody cancels or a statement never ends', async () => {
    const cancelled = new AbortController();
    const bytes = (async function* () {
      yield Buffer.from(dump.slice(0, 8000));
      // Asked for by the load itself: the server runs.
      assert.notDeepEqual(await processesBelow(drills), []);
      cancelled.abort(new Error('somebody cancelled'));
      yield Buffer.from(dump.slice(8000));
    })();
    await assert.rejects(load(bytes, { signal: cancelled.signal }), /somebody cancelled/);
    await assertNothingLeft();
    const endless = await refused(
      'CREATE TABLE t (a int);\nCREATE TRIGGER slow BEFORE INSERT ON t FOR EACH ROW SET NEW.a = sleep(1000);\nINSERT INTO t VALUES (1);',
      { patienceSeconds: 1 },
    );
    assert.equal(endless.code, 'variant-load-failed', endless.message);
  });

  it('leaves no server where the service is killed, and the next one removes the files', async () => {
    const victim = spawn(process.execPath, [VICTIM, drills], { stdio: ['ignore', 'pipe', 'inherit'] });
    const gone = once(victim, 'exit');
    try {
      await Promise.race([once(victim.stdout, 'data'), gone]);
      assert.notDeepEqual(await processesBelow(drills), []);
    } finally {
      victim.kill('SIGKILL');
      await gone;
    }
    await eventually(async () => (await processesBelow(drills)).length === 0, 'The server did not end.');
    const next = createDrillFolders({ owner: ownProcess(), isAlive: isProcessAlive, parent: drills });
    assert.equal((await next.removeLeftovers()).length, 1);
    await assertNothingLeft();
  });

  it('waits for a server to be installed, and says which one', async () => {
    const error = await refused(dump, { places: [folder] });
    assert.equal(error.code, 'variant-verifier-missing');
    assert.match(error.message, /verify: load.*of MariaDB 1\d\.\d+.*apt-get install mariadb-server/);
  });

  it('is never published where its source breaks off', async () => {
    await assert.rejects(load(dump.slice(0, dump.indexOf('-- Dump completed'))), { code: 'dump-cut' });
    await assertNothingLeft();
  });
});

async function* piecesOf(text: string): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at += 5000) yield bytes.subarray(at, at + 5000);
}

/** Processes that work in a folder or below it. */
async function processesBelow(folder: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of await readdir('/proc').catch(() => [])) {
    const place = await readlink(`/proc/${name}/cwd`).catch(() => '');
    if (place.startsWith(folder)) found.push(name);
  }
  return found;
}
