import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { pino } from 'pino';
import { createVariantVerification } from '../src/core/variant-verification.ts';
import { createSqlSealer } from '../src/downloads/sql/sql-sealer.ts';
import { createPolicyVariantMaker } from '../src/downloads/variants/policy-variant-maker.ts';
import { createDrillFolders } from '../src/process/drill-folders.ts';
import { createPostgresqlVariantVerifier } from '../src/services/postgresql/variant-verifier.ts';
import { type ManagedApplication, openManagedApplication } from './managed-application.ts';
import { PostgresqlServer, SKIP_REASON } from './postgresql-server.ts';

const TABLES = `
CREATE TABLE users (id bigint PRIMARY KEY, email text NOT NULL UNIQUE, born date CHECK (born > '1900-01-01'));
CREATE TABLE orders (id bigint PRIMARY KEY, user_email text NOT NULL REFERENCES users (email), total numeric);
INSERT INTO users SELECT g, 'person' || g || '@corp.example', '1980-05-01'::date + g FROM generate_series(1, 400) g;
INSERT INTO orders SELECT g, 'person' || (g % 400 + 1) || '@corp.example', g FROM generate_series(1, 900) g;
`;

function policyOf(resource: string): string {
  const born = resource === 'derived' ? '{ derive: "born_of(id)" }' : '{ date: { truncate: year } }';
  return `
version: 1
resource: ${resource}
key: env:MASK_KEY
epoch: 1
variants:
  reduced:
    verify: load
    subset: { seed: test, dangling: keep, roots: [{ table: public.orders, sample: 20% }] }
tables:
  public.users: { columns: { id: keep, email: email, born: ${born} } }
  public.orders: { columns: { id: keep, user_email: email, total: keep } }
`;
}

describe('a variant that is loaded before anybody gets it', { skip: SKIP_REASON, timeout: 300_000 }, () => {
  let folder: string;
  let server: PostgresqlServer;
  let dump: string;
  let managed: ManagedApplication;
  const logged: string[] = [];

  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'hf-verify-'));
    // Servers run as another account, which must get through.
    await chmod(folder, 0o711);
    server = await PostgresqlServer.start();
    await server.sql('postgres', 'CREATE DATABASE shop');
    await server.sql('shop', `${TABLES} CREATE ROLE nobody_else_has; ALTER TABLE users OWNER TO nobody_else_has;`);
    dump = await server.dump('shop');
    const policyFolder = path.join(folder, 'policies');
    await mkdir(policyFolder);
    for (const resource of ['good', 'broken', 'cut', 'newer', 'derived'])
      await writeFile(path.join(policyFolder, `${resource}.yaml`), policyOf(resource));
    const folders = createDrillFolders({ owner: 'test', isAlive: () => true, parent: path.join(folder, 'd') });
    await mkdir(path.join(folder, 'd'), { mode: 0o711 });
    managed = await openManagedApplication(path.join(folder, 'data'), {
      parts: {
        sealer: createSqlSealer(),
        logger: pino({ level: 'debug' }, { write: (line: string) => void logged.push(line) }),
        variantMaker: createPolicyVariantMaker({
          ...{ policyFolder, transformerFolder: undefined },
          resolveSecret: async () => 'a key of the tests, long enough',
        }),
        variantVerifier: createVariantVerification({
          postgresql: async () => createPostgresqlVariantVerifier({ sealer: createSqlSealer(), folders }),
          mysql: notAskedFor,
        }),
      },
    });
  });
  after(async () => {
    await managed?.application.close();
    await server?.remove();
    await rm(folder, { recursive: true, force: true });
  });

  const build = async (resourceId: string, text: string) => {
    const { application } = managed;
    const input = (async function* () {
      yield Buffer.from(text);
    })();
    await application.backups.createPosted({ resourceId, service: 'stream', createdBy: 'test', input });
    const order = { resourceId, variant: 'reduced', format: 'sql' as const, createdBy: 'test' };
    const { id } = await application.variants.build(order, new AbortController().signal);
    const operation = await application.operations.wait(id, 120_000);
    return { operation, overview: await application.variants.list(resourceId) };
  };

  it('is published when every constraint held', async () => {
    const { operation, overview } = await build('good', dump);
    assert.equal(operation.status, 'completed', operation.error?.message ?? '');
    assert.equal(overview.kept.length, 1);
    assert.deepEqual(await readdir(path.join(folder, 'd')), []);
  });

  it('is never published where a reference is broken, and the constraint is named without the value', async () => {
    // What a server whose references were switched off for a while may give.
    const broken = dump.replaceAll(/^(\d+)\tperson\d+@corp\.example\t(\d+)$/gm, '$1\tsomebody@corp.example\t$2');
    const { operation, overview } = await build('broken', broken);
    assert.equal(operation.error?.code, 'variant-not-loadable', operation.error?.message ?? '');
    assert.match(operation.error?.message ?? '', /constraint orders_user_email_fkey of public\.orders/);
    assert.deepEqual([overview.kept.length, overview.blocks.length], [0, 1]);
    const told = JSON.stringify([operation, overview, managed.notifications, logged]);
    assert.doesNotMatch(told, /somebody|corp\.example|example\.test/);
    assert.deepEqual(await readdir(path.join(folder, 'd')), []);
  });

  it('is never published where the database cannot derive a column, and neither is the expression told', async () => {
    const { operation, overview } = await build('derived', dump);
    assert.equal(operation.error?.code, 'variant-not-loadable', operation.error?.message ?? '');
    assert.deepEqual([overview.kept.length, overview.blocks.length], [0, 1]);
    assert.doesNotMatch(JSON.stringify([operation, overview]), /person\d|example\.test/);
  });

  it('leaves neither a server nor files where somebody cancels', async () => {
    const cancelled = new AbortController();
    const bytes = (async function* () {
      yield Buffer.from(dump.slice(0, 8000));
      // Asked for by the load itself: the server runs.
      cancelled.abort(new Error('somebody cancelled'));
      yield Buffer.from(dump.slice(8000));
    })();
    const folders = createDrillFolders({ owner: 'test', isAlive: () => true, parent: path.join(folder, 'd') });
    const verifier = createPostgresqlVariantVerifier({ sealer: createSqlSealer(), folders });
    const material = { format: 'sql', dialect: 'postgresql', fileExtension: '.sql', report } as const;
    await assert.rejects(verifier.verify(material, bytes, cancelled.signal), /somebody cancelled/);
    assert.deepEqual(await readdir(path.join(folder, 'd')), []);
  });

  it('ends with a server that is busy with one statement for too long, and says so', async () => {
    const endless = dump.replace(/^(CREATE TABLE public\.orders \()/m, '$1\n    CHECK (pg_sleep(1000) IS NULL),');
    assert.notEqual(endless, dump);
    const folders = createDrillFolders({ owner: 'test', isAlive: () => true, parent: path.join(folder, 'd') });
    const verifier = createPostgresqlVariantVerifier({ sealer: createSqlSealer(), folders, patienceSeconds: 1 });
    const material = { format: 'sql', dialect: 'postgresql', fileExtension: '.sql', report } as const;
    const bytes = (async function* () {
      yield Buffer.from(endless);
    })();
    await assert.rejects(verifier.verify(material, bytes, new AbortController().signal), {
      kind: 'unavailable',
      code: 'variant-load-failed',
      message: /busy with one statement for 1 seconds/,
    });
    assert.deepEqual(await readdir(path.join(folder, 'd')), []);
  });

  it('waits for a server that is new enough, and says which one', async () => {
    const newer = dump.replace(/(Dumped from database version )\S+/, '$199.1');
    const { operation, overview } = await build('newer', newer);
    assert.equal(operation.error?.code, 'variant-verifier-missing');
    assert.match(operation.error?.message ?? '', /verify: load.*version 99 or newer.*apt-get install postgresql-99/);
    assert.deepEqual([overview.kept.length, overview.blocks.length], [0, 0]);
  });

  it('says that it cannot be proven where nothing loads it', async () => {
    const verifier = createVariantVerification({ postgresql: notAskedFor, mysql: notAskedFor });
    const bytes = async function* () {
      yield Buffer.from('x');
    };
    const signal = new AbortController().signal;
    const [sqlite, json] = (['sqlite', 'json'] as const).map((format) => ({ format, fileExtension: '', report }));
    await assert.rejects(verifier.verify(json!, bytes(), signal), { code: 'variant-verifier-missing' });
    await verifier.verify(sqlite!, bytes(), signal);
  });

  it('is never published where its source breaks off, and the server goes', async () => {
    const { operation, overview } = await build('cut', dump.slice(0, dump.indexOf('ADD CONSTRAINT')));
    assert.equal(operation.status, 'failed');
    assert.equal(overview.kept.length, 0);
    assert.deepEqual(await readdir(path.join(folder, 'd')), []);
  });
});

const report = () => ({ tables: [], canary: { looked: 0, originals: 0 } });

function notAskedFor(): Promise<never> {
  return Promise.reject(new Error('not asked for'));
}
