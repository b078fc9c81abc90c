import assert from 'node:assert/strict';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { Backup } from '../src/core/backup.ts';
import type { DownloadRequest } from '../src/core/download.ts';
import { createVariantVerification } from '../src/core/variant-verification.ts';
import { createSqlSealer } from '../src/downloads/sql/sql-sealer.ts';
import { createDrillFolders } from '../src/process/drill-folders.ts';
import { createPostgresqlVariantVerifier } from '../src/services/postgresql/variant-verifier.ts';
import { gather, type ManagedApplication, openManagedApplication } from './managed-application.ts';
import { PolicyVariants } from './policy-variants-rig.ts';
import { PostgresqlRig } from './postgresql-rig.ts';
import { SKIP_REASON } from './postgresql-server.ts';
import { SHOP, SHOP_POLICY } from './shop-of-twenty-tables.ts';

const POLICY = SHOP_POLICY.replace('public.sessions: structure', 'public.sessions: drop').replace(
  'variants:\n',
  'variants:\n  loaded: { keep: full, verify: load }\n',
);

describe('some tables of a variant of a PostgreSQL backup that is kept', {
  skip: SKIP_REASON,
  timeout: 600_000,
}, () => {
  let rig: PostgresqlRig;
  let variants: PolicyVariants;
  let managed: ManagedApplication;
  let drills: string;
  let backup: Backup;
  let databases = 0;

  const find = (request: Partial<DownloadRequest>) =>
    managed.application.downloads.find(
      {
        ...{ principal: { name: 'fred', role: 'admin' }, resourceId: backup.resourceId, variant: 'reduced' },
        ...{ waitMilliseconds: 300_000 },
        ...request,
      },
      new AbortController().signal,
    );
  const sql = async (request: Partial<DownloadRequest>): Promise<string> => {
    const ending = new AbortController();
    try {
      const { bytes } = await (await find({ seal: 'none', ...request })).open(ending.signal);
      return (await gather(bytes())).toString();
    } finally {
      ending.abort();
    }
  };
  /** Fails at the first statement that fails. */
  const loaded = async (script: string): Promise<string> => {
    const name = `target_${++databases}`;
    await rig.server.sql('postgres', `CREATE DATABASE ${name}`);
    await rig.server.sql(name, script);
    return name;
  };
  const backedUp = async (name: string, script: string, policy: string): Promise<void> => {
    await rig.server.sql('postgres', `CREATE DATABASE ${name}`);
    await rig.server.sql(name, script);
    backup = await rig.backUp({ databases: [name] });
    await variants.policy(policy, backup.resourceId);
  };
  const tablesIn = async (database: string): Promise<string[]> => {
    const names = await rig.server.sql(
      database,
      `SELECT json_agg(oid::regclass::text ORDER BY oid::regclass::text) FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm') AND relnamespace::regnamespace::text NOT IN ('pg_catalog', 'information_schema', 'pg_toast')`,
    );
    return JSON.parse(Buffer.from(names, 'latin1').toString()) as string[];
  };
  const rowsOf = async (database: string, tables: readonly string[]) => {
    const each = tables.map(
      (table) => `SELECT count(*), md5(string_agg(t::text, ',' ORDER BY t::text)) FROM ONLY ${table} t`,
    );
    const rows = await rig.server.sql(database, each.join(' UNION ALL '));
    return rows.split('\n').map((row, index) => `${tables[index]} ${row}`);
  };

  before(async () => {
    drills = await mkdtemp(path.join(tmpdir(), 'hf-kept-parts-'));
    // Servers run as another account, which must get through.
    await chmod(drills, 0o711);
    const folders = createDrillFolders({ owner: 'test', isAlive: () => true, parent: drills });
    variants = await PolicyVariants.create();
    rig = await PostgresqlRig.create({
      ...{ variantMaker: variants.maker, sealer: createSqlSealer() },
      variantVerifier: createVariantVerification({
        postgresql: async () => createPostgresqlVariantVerifier({ sealer: createSqlSealer(), folders }),
        mysql: async () => assert.fail('no dump of MySQL is there'),
      }),
    });
    managed = rig.managed;
  });
  after(async () => {
    await rig?.remove();
    await variants?.remove();
    await rm(drills, { recursive: true, force: true });
  });

  describe('of twenty tables', () => {
    let shop: Backup;
    before(async () => {
      await backedUp('shop', SHOP, POLICY);
      shop = backup;
    });
    beforeEach(() => {
      backup = shop;
    });

    for (const variant of ['reduced', 'loaded'])
      it(`have the very rows of the whole ${variant} one, each by itself or together, and load with every key among them`, async () => {
        const whole = await loaded(await sql({ variant }));
        const tables = await tablesIn(whole);
        assert.equal(tables.length, 21);
        for (const table of variant === 'reduced' ? tables : ['orders', 'items', 'orders_2025']) {
          const part = await loaded(await sql({ variant, tables: [table] }));
          const made = await tablesIn(part);
          assert.deepEqual(
            made,
            tables.filter((name) => name === table || (table === 'orders' && name.startsWith('orders_'))),
          );
          assert.deepEqual(await rowsOf(part, made), await rowsOf(whole, made));
        }
        const choice = { variant, tables: ['users', 'public.organisations', 'orders', 'addresses', 'countries'] };
        const part = await loaded(await sql(choice));
        const keys = `SELECT string_agg(conrelid::regclass || ' ' || confrelid::regclass || ' ' || conname, ',' ORDER BY 1) FROM pg_constraint WHERE contype = 'f' AND convalidated
          AND conrelid::regclass::text ~ '^(users|organisations|orders.*|addresses|countries)$' AND confrelid::regclass::text ~ '^(users|organisations|orders.*|addresses|countries)$'`;
        assert.equal(await rig.server.sql(part, keys), await rig.server.sql(whole, keys));
        assert.match(await rig.server.sql(part, keys), /users users/);
        const together = await tablesIn(part);
        assert.deepEqual(await rowsOf(part, together), await rowsOf(whole, together));
        const next = `SELECT nextval('users_id_seq')`;
        assert.equal(await rig.server.sql(part, next), await rig.server.sql(whole, next));
        assert.equal(await sql(choice), await sql(choice));
        await loaded(await sql({ ...choice, seal: 'full' }));
      });
  });

  it('are given of a dump that was piped in, with none of its owners and privileges, and need nothing but the copy', async (t) => {
    await rig.server.sql('postgres', 'CREATE ROLE nobody_else_has; CREATE DATABASE piped');
    await rig.server.sql(
      'piped',
      `CREATE TABLE users (id serial PRIMARY KEY, email text); INSERT INTO users (email) SELECT 'p' || g || '@corp.example' FROM generate_series(1, 300) g;
      CREATE TABLE orders (id int PRIMARY KEY, user_id int REFERENCES users); INSERT INTO orders SELECT g, g % 300 + 1 FROM generate_series(1, 900) g;
      ALTER TABLE users OWNER TO nobody_else_has; GRANT SELECT ON orders TO nobody_else_has;`,
    );
    const dump = Buffer.from(await rig.server.dump('piped'), 'latin1');
    const input = (async function* () {
      yield dump;
    })();
    const folder = await mkdtemp(path.join(tmpdir(), 'hf-kept-parts-'));
    managed = await openManagedApplication(folder, { parts: { variantMaker: variants.maker } });
    t.after(async () => {
      await managed.application.close();
      managed = rig.managed;
      await rm(folder, { recursive: true, force: true });
    });
    backup = await managed.application.backups.createPosted({
      ...{ resourceId: 'piped', service: 'stream', createdBy: 'test', input },
    });
    await variants.policy(
      `variants: { reduced: { subset: { seed: x, roots: [{ table: public.orders, sample: 20% }] } } }
tables:
  public.users: { columns: { id: keep, email: email } }
  public.orders: { columns: { id: keep, user_id: keep } }
`,
      'piped',
    );
    const whole = await sql({ format: 'sql' });
    assert.match(whole, /OWNER TO nobody_else_has/);
    for (const table of ['users', 'orders']) {
      const script = await sql({ format: 'sql', tables: [table] });
      assert.doesNotMatch(script, /OWNER TO|GRANT|corp\.example/);
      const rows = /COPY [\s\S]*?;\n([\s\S]*?\n)\\\.\n/.exec(script)?.[1] ?? '';
      assert.ok(whole.includes(`stdin;\n${rows}\\.\n`) && rows.length > 100);
      assert.equal((await tablesIn(await loaded(script))).join(), table);
    }
    await assert.rejects(sql({ format: 'sql', tables: ['absent'] }), { code: 'download-choice-invalid' });
  });

  it('that there are not, or that the variant drops, are refused in the same words, before anything is made', async () => {
    await backedUp('dropped', SHOP, POLICY.replace('seed: dev', 'seed: other'));
    for (const variant of ['reduced', 'loaded'])
      for (const name of ['absent', 'sessions', 'public.sessions', 'other.users', '"'])
        await assert.rejects(sql({ variant, tables: ['users', name] }), (error: Error & { code?: string }) => {
          assert.equal(error.code, 'download-choice-invalid', name);
          assert.ok(error.message.includes(`has no table ${name}. It has public.`), error.message);
          assert.doesNotMatch(error.message.split('It has')[1] ?? '', /sessions/);
          return true;
        });
    assert.deepEqual((await rig.managed.application.variants.list(backup.resourceId)).kept, []);
    await assert.rejects(find({ paths: ['users'] }), { code: 'download-choice-invalid', message: /Leave `path` away/ });
  });

  it('have the definitions of a part that pg_restore gives, whatever names and bodies hold, and every row', async () => {
    await backedUp('odd', ODD, ODD_POLICY);
    const whole = await loaded(await sql({ variant: 'loaded' }));
    for (const tables of [
      ['parent'],
      ['child'],
      ['parted'],
      ['part_1'],
      ['app."A.b"'],
      ['app."x; -- Name: y; Type: TABLE; Schema: public; Owner: -"'],
      ['app."Grüße\n-- Name: parent; Type: TABLE; Schema: public; Owner: -"'],
      ['user', 'user x'],
      ['user'],
      ['texts', 'shared'],
      ['child', 'parted', 'app."A.b"', 'texts'],
    ]) {
      const kept = await sql({ variant: 'loaded', tables });
      const streamed = await sql({ variant: 'masked', tables });
      // Its list of contents does not tell a table `user` from `user x`.
      if (tables.join() !== 'user') assert.deepEqual(statements(kept), statements(streamed), tables.join());
      const part = await loaded(kept);
      const made = (await tablesIn(part)).filter((name) => name !== 'parent' || tables.includes('parent'));
      assert.deepEqual(await rowsOf(part, made), await rowsOf(whole, made));
    }
    await loaded(await sql({ variant: 'loaded', tables: ['child', 'parted', 'app."A.b"', 'texts'], seal: 'full' }));
  });
});

/** Definitions, without settings and without rows, which two variants have other pseudonyms in. */
function statements(script: string): string[] {
  return script
    .replaceAll(/^(COPY [\s\S]*? FROM stdin;\n)[\s\S]*?^\\\.\n/gm, '$1')
    .split('\n')
    .filter((line) => !/^(--.*|SET .*|)$/.test(line));
}

const ODD = `
CREATE SCHEMA app;
CREATE SCHEMA ext;
CREATE EXTENSION IF NOT EXISTS pg_trgm WITH SCHEMA ext;
CREATE TYPE app.mood AS ENUM ('well', 'COPY public.parent (id) FROM stdin;');
CREATE DOMAIN app.short AS text CHECK (length(VALUE) < 400);
CREATE SEQUENCE public.numbers START 7;
CREATE FUNCTION app.touched() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
  -- Name: parent; Type: TABLE; Schema: public; Owner: -
  /* COPY public.parent (id) FROM stdin; */
  PERFORM app.quiet($$
COPY public.parent (id, email) FROM stdin;
1	x
\\.
$$);
  RETURN NEW;
END $body$;
CREATE FUNCTION app.quiet(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT $1 || ';
--
-- Name: child; Type: TABLE; Schema: public; Owner: -
--
CREATE TABLE public.no_table ();' $$;
CREATE FUNCTION app.unused() RETURNS text LANGUAGE sql AS $$ SELECT 'unused' $$;
CREATE TABLE parent (id int PRIMARY KEY, email text);
ALTER TABLE parent ALTER email SET STORAGE external;
CREATE TABLE child (note text, mood app.mood DEFAULT 'well') INHERITS (parent);
ALTER TABLE child ADD PRIMARY KEY (id);
INSERT INTO parent SELECT g, 'parent' || g || '@corp.example' FROM generate_series(1, 20) g;
INSERT INTO child SELECT g, 'child' || g || '@corp.example', 'note' FROM generate_series(1, 20) g;
CREATE TABLE parted (id int, email text, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE part_1 PARTITION OF parted FOR VALUES FROM (0) TO (100);
CREATE INDEX parted_email ON parted (email);
INSERT INTO parted SELECT g, 'parted' || g || '@corp.example' FROM generate_series(1, 20) g;
CREATE TABLE app."A.b" (id int GENERATED ALWAYS AS IDENTITY, email text, up text GENERATED ALWAYS AS (upper(email)) STORED, label app.short, parent_id int REFERENCES parent, part_id int REFERENCES parted);
INSERT INTO app."A.b" (email, parent_id, part_id) SELECT 'odd' || g || '@corp.example', g, g FROM generate_series(1, 20) g;
CREATE TRIGGER "on; x" BEFORE UPDATE OF label ON app."A.b" FOR EACH ROW EXECUTE FUNCTION app.touched();
ALTER TABLE app."A.b" DISABLE TRIGGER "on; x";
CREATE INDEX "in;dex" ON app."A.b" USING gin (email ext.gin_trgm_ops);
CREATE STATISTICS app.stats ON id, email FROM app."A.b";
CREATE TABLE app."x; -- Name: y; Type: TABLE; Schema: public; Owner: -" (id serial UNIQUE, "on" text, "to; --" text);
INSERT INTO app."x; -- Name: y; Type: TABLE; Schema: public; Owner: -" ("on", "to; --") VALUES ('a', 'b');
CREATE TABLE app."Grüße
-- Name: parent; Type: TABLE; Schema: public; Owner: -" ("ö; x" text);
INSERT INTO app."Grüße
-- Name: parent; Type: TABLE; Schema: public; Owner: -" VALUES ('ß');
CREATE TABLE "user" (id int PRIMARY KEY, n int DEFAULT nextval('numbers'));
CREATE TABLE "user x" (id int PRIMARY KEY REFERENCES "user");
INSERT INTO "user" VALUES (1), (2);
INSERT INTO "user x" VALUES (1);
CREATE TABLE texts (id int PRIMARY KEY, body text);
CREATE TABLE shared (id int PRIMARY KEY DEFAULT nextval('numbers'), text_id int REFERENCES texts);
INSERT INTO texts VALUES (1, E'\\\\.\\n\\\\.\\n--\\n-- Name: parent; Type: TABLE; Schema: public; Owner: -\\n--\\n\\nCREATE TABLE public.x ();\\nCOPY public.parent (id) FROM stdin;\\n1'),
  (2, '-- Name: parent; Type: TABLE; Schema: public; Owner: -'), (3, '$$ '' " /* COPY public.child FROM stdin;');
ALTER TABLE texts ENABLE ROW LEVEL SECURITY;
ALTER TABLE texts FORCE ROW LEVEL SECURITY;
CREATE POLICY "po;licy" ON texts FOR SELECT USING (app.quiet(body) IS NOT NULL);
CREATE RULE "ru;le" AS ON DELETE TO texts DO INSTEAD NOTHING;
COMMENT ON TABLE texts IS 'public.parent; -- Name: child; Type: TABLE; Schema: public; Owner: -';
COMMENT ON COLUMN texts.body IS 'x';
GRANT SELECT ON texts TO PUBLIC;
CREATE VIEW everybody AS SELECT email FROM parent UNION SELECT email FROM app."A.b";
CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS n FROM texts;
CREATE INDEX ON counted (n);
`;

const ODD_POLICY = `
variants:
  loaded: { keep: full, verify: load }
  masked: { keep: full }
tables:
  public.parent: { columns: { id: keep, email: email } }
  public.child: { columns: { id: keep, email: email, note: keep, mood: keep } }
  public.parted: { columns: { id: keep, email: email } }
  app."A.b": { columns: { id: keep, email: email, up: generated, label: { derive: "'No ' || id" }, parent_id: keep, part_id: keep } }
  'app.x; -- Name: y; Type: TABLE; Schema: public; Owner: -': { columns: { id: keep, "on": keep, "to; --": keep } }
  "app.Grüße\\n-- Name: parent; Type: TABLE; Schema: public; Owner: -": { columns: { "ö; x": keep } }
  public.user: { columns: { id: keep, n: keep } }
  public.user x: { columns: { id: keep } }
  public.texts: { columns: { id: keep, body: keep } }
  public.shared: { columns: { id: keep, text_id: keep } }
`;
