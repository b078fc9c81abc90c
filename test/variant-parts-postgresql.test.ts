import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, it } from 'node:test';
import type { Backup } from '../src/core/backup.ts';
import type { DownloadRequest } from '../src/core/download.ts';
import { createSqlSealer } from '../src/downloads/sql/sql-sealer.ts';
import { gather } from './managed-application.ts';
import { PolicyVariants } from './policy-variants-rig.ts';
import { PostgresqlRig } from './postgresql-rig.ts';
import { SKIP_REASON } from './postgresql-server.ts';
import { SHOP, SHOP_POLICY } from './shop-of-twenty-tables.ts';

const POLICY = SHOP_POLICY.replace('public.sessions: structure', 'public.sessions: drop').replace(
  'variants:\n',
  'variants:\n  loaded: { keep: full, verify: load }\n  early: { keep: full, produce: ahead }\n',
);

describe('some tables of a masked variant of a PostgreSQL backup', { skip: SKIP_REASON, timeout: 600_000 }, () => {
  let rig: PostgresqlRig;
  let variants: PolicyVariants;
  let backup: Backup;
  let databases = 0;

  const find = (request: Partial<DownloadRequest>) =>
    rig.managed.application.downloads.find(
      {
        ...{ principal: { name: 'fred', role: 'admin' }, resourceId: backup.resourceId, variant: 'masked' },
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
  const loaded = async (script: string): Promise<string> => {
    const name = `target_${++databases}`;
    await rig.server.sql('postgres', `CREATE DATABASE ${name}`);
    await rig.server.sql(name, script);
    return name;
  };
  const policy = (text: string) => variants.policy(text, backup.resourceId);
  /** Of the policy as it is now. */
  const blocks = async () => {
    const found = await rig.managed.application.variants.list(backup.resourceId);
    const current = new Set(found.declared.map(({ fingerprint }) => fingerprint));
    return found.blocks.filter(({ fingerprint }) => current.has(fingerprint));
  };

  before(async () => {
    variants = await PolicyVariants.create();
    rig = await PostgresqlRig.create({ variantMaker: variants.maker, sealer: createSqlSealer() });
    await rig.server.sql('postgres', 'CREATE DATABASE shop');
    await rig.server.sql('shop', SHOP);
    backup = await rig.backUp({ databases: ['shop'] });
  });
  after(async () => {
    await rig.remove();
    await variants.remove();
  });
  beforeEach(() => policy(POLICY));

  it('have the values of the whole variant, with the keys among them, and nothing of other tables', async () => {
    const whole = await loaded(await sql({}));
    const choice = { tables: ['users', 'public.newsletter', 'orders', 'addresses'] };
    const script = await sql(choice);
    const part = await loaded(script);
    const chosen = ['addresses', 'newsletter', 'orders', 'orders_2025', 'orders_2026', 'users'];
    const tables = `SELECT string_agg(relname, ',' ORDER BY relname) FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace`;
    assert.equal(await rig.server.sql(part, tables), chosen.join());
    for (const table of chosen) {
      const rows = `SELECT count(*), md5(string_agg(t::text, ',' ORDER BY t::text)) FROM ${table} t`;
      assert.equal(await rig.server.sql(part, rows), await rig.server.sql(whole, rows), table);
    }
    const keys = `SELECT string_agg(conrelid::regclass || ' ' || confrelid::regclass, ',' ORDER BY conname, conrelid) FROM pg_constraint
      WHERE contype = 'f' AND convalidated AND confrelid IN ('users'::regclass, 'addresses'::regclass) AND conrelid IN ('users'::regclass, 'addresses'::regclass, 'orders'::regclass)`;
    assert.equal(await rig.server.sql(part, keys), await rig.server.sql(whole, keys));
    const secrets =
      'SELECT email FROM users UNION SELECT phone FROM users WHERE phone IS NOT NULL UNION SELECT name FROM users';
    for (const secret of (await rig.server.sql('shop', secrets)).split('\n'))
      assert.ok(!script.includes(`\t${secret}\t`), 'an original is in the variant');
    assert.ok(!script.includes('@corp.example'));
    assert.equal(await sql(choice), script, 'another download has other bytes');
    const sealed = await sql({ ...choice, seal: 'full' });
    await loaded(sealed);
    assert.match(sealed, /\\if/);
  });

  it('have the columns that are derived, and fill no other table', async () => {
    const derived = `street: { derive: "'No ' || number || ' of ' || pg_catalog.md5(user_id::text)" }`;
    await policy(
      POLICY.replace('street: street', derived).replace(
        'body: { text: { scrub: [email, phone] } }',
        'body: { derive: "on_type || on_id" }',
      ),
    );
    const script = await sql({ tables: ['users', 'addresses'], seal: 'full' });
    assert.deepEqual(script.match(/^UPDATE .*? SET/gm), ['UPDATE ONLY "public"."addresses" SET']);
    const [part, whole] = [await loaded(script), await loaded(await sql({}))];
    const rows = `SELECT count(*), md5(string_agg(t::text, ',' ORDER BY t::text)) FROM addresses t`;
    assert.equal(await rig.server.sql(part, rows), await rig.server.sql(whole, rows));
    const right = `SELECT count(*) FROM addresses WHERE street = 'No ' || number || ' of ' || md5(user_id::text)`;
    assert.equal(await rig.server.sql(part, right), '4000');
  });

  it('are told from the whole variant and from other tables of it by their fingerprint', async () => {
    const wanted = [
      {},
      { tables: ['users'] },
      { tables: ['orders'] },
      { tables: ['users', 'orders'] },
      { paths: ['users'] },
    ];
    const found = await Promise.all(wanted.map(async (each) => (await find(each)).fingerprint));
    assert.equal(new Set(found).size, wanted.length);
  });

  it('are as little given as the whole variant where the policy does not name another table or column', async () => {
    for (const [from, to, named] of [
      ['  public.suppliers: { columns: { id: keep, code: keep, title: keep } }\n', '', /public\.suppliers/],
      ['products: { columns: { id: keep, ', 'products: { columns: { ', /public\.products.*id/],
    ] as const) {
      assert.ok(POLICY.includes(from));
      await policy(POLICY.replace(from, to));
      await assert.rejects(sql({ tables: ['users'] }), { code: 'variant-blocked', message: named });
      assert.equal((await blocks()).length, 1);
    }
  });

  it('are given where only others cannot be masked, which stays told of the whole variant', async () => {
    await policy(POLICY.replace('code: keep, title: keep', 'code: keep, title: iban'));
    const fails = { code: 'variant-failed', message: /public\.suppliers/ };
    await assert.rejects(sql({ tables: ['suppliers'] }), fails);
    assert.equal((await blocks()).length, 0, 'what a part fails with is told of the whole');
    await assert.rejects(sql({}), fails);
    await sql({ tables: ['users'] });
    assert.equal((await blocks()).length, 1);
  });

  it('that there are not are refused in the same words as those that are left out, and nobody else notices', async () => {
    const told = rig.managed.notifications.length;
    for (const name of ['absent', 'sessions', 'public.sessions', 'other.users', '"', 'users"', 'PUBLIC.users'])
      await assert.rejects(sql({ tables: ['users', name] }), (error: Error & { code?: string }) => {
        assert.equal(error.code, 'download-choice-invalid', name);
        assert.ok(error.message.includes(`has no table ${name}. It has public.`), error.message);
        assert.doesNotMatch(error.message.split('It has')[1] ?? '', /sessions/);
        return true;
      });
    await assert.rejects(sql({ paths: ['users'] }), { code: 'download-choice-invalid', message: /Leave `path` away/ });
    await assert.rejects(sql({ database: 'absent' }), { code: 'download-choice-invalid' });
    assert.deepEqual([await blocks(), rig.managed.notifications.length], [[], told]);
  });

  it('withdraw the variant where they hold originals of what is masked', async () => {
    const leaky = POLICY.replace('name: name, phone: phone, country: keep', 'name: keep, phone: phone, country: keep');
    assert.notEqual(leaky, POLICY);
    await rig.server.sql('postgres', 'CREATE DATABASE leaky TEMPLATE shop');
    await rig.server.sql('leaky', 'UPDATE users SET name = email');
    const of = backup;
    backup = await rig.backUp({ databases: ['leaky'] });
    try {
      await policy(leaky);
      await sql({ tables: ['orders'] });
      await assert.rejects(sql({ tables: ['users'] }), { code: 'variant-leaks', message: /users\.name/ });
      for (const choice of [{}, { tables: ['orders'] }])
        await assert.rejects(sql(choice), { code: 'variant-blocked', message: /withdrawn/ });
      assert.ok(rig.managed.notifications.some(({ type }) => type === 'variant-leaked'));
    } finally {
      backup = of;
    }
  });

  it('that inherit, are partitions by themselves, compute columns or lose their rows load alone, with the values of the whole', async () => {
    await rig.server.sql('postgres', 'CREATE DATABASE odd');
    await rig.server.sql('odd', ODD);
    const of = backup;
    backup = await rig.backUp({ databases: ['odd'] });
    try {
      await policy(ODD_POLICY);
      const whole = await loaded(await sql({}));
      for (const table of ['child', 'part_1', 'app."A.b"', 'empty']) {
        const script = await sql({ tables: [table] });
        assert.doesNotMatch(script, /corp\.example/);
        const rows = `SELECT count(*), md5(string_agg(t::text, ',' ORDER BY t::text)) FROM ${table} t`;
        const part = await loaded(script);
        assert.equal(await rig.server.sql(part, rows), await rig.server.sql(whole, rows), table);
      }
    } finally {
      backup = of;
    }
  });

  it('are masked on their way, and not kept, although the whole variant is made ahead', async () => {
    const early = await sql({ variant: 'early', tables: ['newsletter'] });
    assert.match(early, /COPY public\.newsletter/);
    assert.ok(!early.includes('@corp.example'));
    const { kept } = await rig.managed.application.variants.list(backup.resourceId);
    assert.deepEqual(kept, [], 'a part is kept as if it were the variant');
  });
});

const ODD = `
CREATE SCHEMA app;
CREATE TABLE parent (id int, email text);
CREATE TABLE child (note text) INHERITS (parent);
INSERT INTO parent SELECT g, 'parent' || g || '@corp.example' FROM generate_series(1, 20) g;
INSERT INTO child SELECT g, 'child' || g || '@corp.example', 'note' FROM generate_series(1, 20) g;
CREATE TABLE parted (id int, email text) PARTITION BY RANGE (id);
CREATE TABLE part_1 PARTITION OF parted FOR VALUES FROM (0) TO (100);
INSERT INTO parted SELECT g, 'parted' || g || '@corp.example' FROM generate_series(1, 20) g;
CREATE TABLE app."A.b" (id int, email text, up text GENERATED ALWAYS AS (upper(email)) STORED);
INSERT INTO app."A.b" SELECT g, 'odd' || g || '@corp.example' FROM generate_series(1, 20) g;
CREATE TABLE empty (id serial, email text DEFAULT 'none');
INSERT INTO empty (email) VALUES ('gone@corp.example');
CREATE VIEW everybody AS SELECT email FROM parent UNION SELECT email FROM app."A.b";
`;

const ODD_POLICY = `
variants:
  masked: { keep: full }
tables:
  public.parent: { columns: { id: keep, email: email } }
  public.child: { columns: { id: keep, email: email, note: keep } }
  public.parted: { columns: { id: keep, email: email } }
  app."A.b": { columns: { id: keep, email: email, up: generated } }
  public.empty: structure
`;
