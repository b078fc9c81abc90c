import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import fc from 'fast-check';
import { HoldfastError } from '../src/core/errors.ts';
import { PolicyVariants } from './policy-variants-rig.ts';
import { PostgresqlServer, SKIP_REASON } from './postgresql-server.ts';
import { SHOP, SHOP_POLICY } from './shop-of-twenty-tables.ts';

describe('variants of a PostgreSQL database', { skip: SKIP_REASON, timeout: 600_000 }, () => {
  let server: PostgresqlServer;
  let variants: PolicyVariants;
  let databases = 0;
  before(async () => {
    server = await PostgresqlServer.start(['fsync = off']);
  });
  after(() => server?.stop());
  beforeEach(async () => {
    variants = await PolicyVariants.create();
  });
  afterEach(() => variants.remove());

  const database = async (script: string): Promise<{ name: string; bytes: Buffer }> => {
    const name = `source_${++databases}`;
    await server.sql('postgres', `CREATE DATABASE ${name}`);
    await server.sql(name, script);
    return { name, bytes: Buffer.from(await server.dump(name), 'latin1') };
  };
  const made = (bytes: Buffer, variant: string, pieces?: number) =>
    variants.make({ bytes, dialect: 'postgresql', ...(pieces === undefined ? {} : { pieces }) }, variant);
  /** Fails where a constraint does not hold: pg_dump's SQL makes them after the rows. */
  const loaded = async (bytes: Buffer): Promise<string> => {
    const name = `target_${++databases}`;
    await server.sql('postgres', `CREATE DATABASE ${name}`);
    await server.sql(name, bytes.toString('utf8'));
    return name;
  };

  describe('of twenty tables', () => {
    let shop: { name: string; bytes: Buffer };
    before(async () => {
      shop = await database(SHOP);
    });
    beforeEach(() => variants.policy(SHOP_POLICY));

    it('load with every row, none of their masked values, and every constraint', async () => {
      const { bytes, report } = await made(shop.bytes, 'masked');
      const target = await loaded(bytes);
      for (const { name, rowsIn, rowsOut } of report.tables) {
        const wanted = name === 'public.sessions' ? 0 : rowsIn;
        assert.equal(rowsOut, wanted, name);
        assert.equal(await server.sql(target, `SELECT count(*) FROM ${name}`), String(wanted), name);
      }
      const text = bytes.toString('utf8');
      const secrets = `SELECT email FROM users UNION SELECT phone FROM users WHERE phone IS NOT NULL UNION SELECT iban FROM payments`;
      for (const secret of (await server.sql(shop.name, secrets)).split('\n'))
        assert.ok(!text.includes(secret), 'an original is in the variant');
      const constraints = `SELECT count(*), count(*) FILTER (WHERE convalidated) FROM pg_constraint WHERE contype = 'f'`;
      assert.equal(await server.sql(target, constraints), await server.sql(shop.name, constraints));
      assert.ok(report.canary.looked > 1000 && report.canary.originals > 500, JSON.stringify(report.canary));
    });

    it('load with some rows, all that these refer to, and every constraint', async () => {
      const { bytes, report } = await made(shop.bytes, 'reduced');
      const target = await loaded(bytes);
      for (const { name, rowsOut } of report.tables)
        assert.equal(await server.sql(target, `SELECT count(*) FROM ${name}`), String(rowsOut), name);
      const rows = (name: string) => report.tables.find((table) => table.name === `public.${name}`)?.rowsOut ?? 0;
      assert.ok(rows('users') > 5 && rows('users') < 400, `${rows('users')}`);
      const orders = rows('orders_2025') + rows('orders_2026');
      assert.ok(orders > 0 && orders <= rows('users') * 2, `${orders} of ${rows('users')}`);
      assert.equal(rows('countries'), 20);
      assert.ok(bytes.length < shop.bytes.length / 4);
      // What was cut is NULL, and no reference leads nowhere.
      assert.equal(
        await server.sql(
          target,
          'SELECT count(*) FROM users u LEFT JOIN users m ON m.id = u.manager_id WHERE u.manager_id IS NOT NULL AND m.id IS NULL',
        ),
        '0',
      );
    });

    it('are the same bytes for the same backup, policy and key, in whatever pieces it comes; others for another key', async () => {
      for (const variant of ['masked', 'reduced']) {
        const [one, other] = [await made(shop.bytes, variant, 100_000), await made(shop.bytes, variant, 777)];
        assert.equal(one.sha256, other.sha256);
        variants.sidecars.clear();
        assert.equal((await made(shop.bytes, variant)).sha256, one.sha256);
        const { key } = variants;
        variants.key = `${key.slice(1)}A`;
        assert.notEqual((await made(shop.bytes, variant)).sha256, one.sha256);
        variants.key = key;
      }
    });

    it('give equal pseudonyms for equal values in all tables and on all days', async () => {
      const target = await loaded((await made(shop.bytes, 'masked')).bytes);
      const same = 'SELECT count(*) FROM newsletter n JOIN users u ON u.email = n.email';
      assert.equal(await server.sql(target, same), await server.sql(shop.name, same));
      await server.sql(
        shop.name,
        `INSERT INTO users (email, name, country) VALUES ('late@corp.example', 'Late Comer', 'c1')`,
      );
      const tomorrow = await loaded((await made(Buffer.from(await server.dump(shop.name), 'latin1'), 'masked')).bytes);
      const emails = 'SELECT id, email, name, phone FROM users WHERE id <= 500 ORDER BY id';
      assert.equal(await server.sql(tomorrow, emails), await server.sql(target, emails));
      await server.sql(shop.name, `DELETE FROM users WHERE email = 'late@corp.example'`);
    });
  });

  it('of random schemas and references load with every constraint, however little is chosen', async () => {
    await fc.assert(
      fc.asyncProperty(randomSchema, async ({ script, policy }) => {
        const { bytes } = await database(script);
        await variants.policy(policy);
        await loaded((await made(bytes, 'reduced')).bytes);
      }),
      { numRuns: 12 },
    );
  });

  it('are withdrawn where a kept column holds originals of a masked one, or what is surely personal', async () => {
    const { bytes } = await database(`
      CREATE TABLE users (id int PRIMARY KEY, email text, login text, note text, payload jsonb);
      INSERT INTO users SELECT g, 'person' || g || '@corp.example', 'person' || g || '@corp.example', 'nothing', '{}' FROM generate_series(1, 300) g;`);
    const policy = (login: string, note: string) =>
      variants.policy(
        `variants: { masked: { keep: full } }\ntables:\n  public.users:\n    columns: { id: keep, email: email, login: ${login}, note: ${note}, payload: keep }\n`,
      );
    await policy('keep', 'keep');
    const leaks = (error: unknown) =>
      error instanceof HoldfastError &&
      error.code === 'variant-leaks' &&
      /users\.login/.test(error.message) &&
      !/person\d/.test(error.message);
    await assert.rejects(made(bytes, 'masked'), leaks);
    await policy('email', 'keep');
    await made(bytes, 'masked');
    const unchanged = `CREATE TABLE logins (id int, address text); INSERT INTO logins SELECT g, 'x' || g || '@corp.example' FROM generate_series(1, 50) g;`;
    const beside = await database(
      `CREATE TABLE users (id int, email text); INSERT INTO users VALUES (1, 'a@b.example'); ${unchanged}`,
    );
    await variants.policy(
      'variants: { masked: { keep: full } }\ntables:\n  public.users: { columns: { id: keep, email: email } }\n  public.logins: { columns: { id: keep, address: keep } }\n',
    );
    await assert.rejects(made(beside.bytes, 'masked'), { code: 'variant-leaks', message: /public\.logins\.address/ });
    await policy('email', 'keep');
    const within = Buffer.from(
      bytes.toString().replaceAll(/\tnothing\t\{\}/g, '\tnothing\t{"by": "x-person7@corp.example"}'),
    );
    await assert.rejects(made(within, 'masked'), { code: 'variant-leaks', message: /users\.payload/ });
  });

  it('are stopped before the first byte by each change of the schema, which the error names', async () => {
    const table = 'CREATE TABLE users (id int PRIMARY KEY, email varchar(60) NOT NULL, mood text);';
    const row = `INSERT INTO users VALUES (1, 'a@corp.example', 'well');`;
    await variants.policy(
      'variants: { masked: { keep: full } }\ntables:\n  public.users:\n    columns: { id: keep, email: { rule: email, type: character varying(60) }, mood: keep }\n',
    );
    await made((await database(table + row)).bytes, 'masked');
    const changes: [string, RegExp][] = [
      ['ALTER TABLE users ADD phone text', /users.*phone/],
      ['ALTER TABLE users DROP mood', /mood/],
      ['ALTER TABLE users ALTER email TYPE text', /email.*type|type.*email/],
      ['ALTER TABLE users RENAME email TO mail', /mail/],
      ['CREATE TABLE other (id int)', /public\.other/],
      ['ALTER TABLE users RENAME TO people', /people/],
      ['ALTER TABLE users ADD up text GENERATED ALWAYS AS (upper(email)) STORED', /up/],
    ];
    for (const [change, names] of changes) {
      const { bytes } = await database(`${table}${row}${change};`);
      await assert.rejects(
        made(bytes, 'masked'),
        (error: HoldfastError) =>
          error.code === 'variant-blocked' && names.test(error.message) && !/corp\.example/.test(error.message),
        change,
      );
    }
  });
});

/** Tables with random references, of which those that are NOT NULL lead to rows that are there; all columns are kept. */
const randomSchema = fc
  .record({
    sizes: fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 2, maxLength: 7 }),
    seeds: fc.infiniteStream(fc.nat()),
  })
  .map(({ sizes, seeds }) => {
    const random = (below: number): number => (seeds.next().value as number) % below;
    const tables = sizes.map((size, at) => ({ name: `t${at}`, size, isText: random(2) === 0 }));
    const keyOf = ({ isText }: { isText: boolean }, row: number) => (isText ? `'key ${row}'` : String(row));
    const create: string[] = [];
    const insert: string[] = [];
    const constrain: string[] = [];
    const policy: string[] = [];
    const follow: string[] = [];
    for (const table of tables) {
      const references = Array.from({ length: random(4) }, (_, number) => ({
        column: `r${number}`,
        target: tables[random(tables.length)]!,
        isNullable: random(2) === 0,
      }));
      const columns = references.map(
        ({ column, target, isNullable }) =>
          `${column} ${target.isText ? 'text' : 'int'}${isNullable ? '' : ' NOT NULL'}`,
      );
      create.push(
        `CREATE TABLE ${table.name} (${[`id ${table.isText ? 'text' : 'int'} PRIMARY KEY`, ...columns].join(', ')});`,
      );
      for (let row = 0; row < table.size; row++) {
        const values = references.map(({ target, isNullable }) =>
          isNullable && random(3) === 0 ? 'NULL' : keyOf(target, random(target.size)),
        );
        insert.push(`INSERT INTO ${table.name} VALUES (${[keyOf(table, row), ...values].join(', ')});`);
      }
      for (const { column, target } of references) {
        constrain.push(`ALTER TABLE ${table.name} ADD FOREIGN KEY (${column}) REFERENCES ${target.name} (id);`);
        if (random(3) === 0)
          follow.push(`        - { from: public.${target.name}, to: public.${table.name}, via: ${column} }`);
      }
      policy.push(
        `  public.${table.name}:\n    columns: { ${['id', ...references.map(({ column }) => column)].map((column) => `${column}: keep`).join(', ')} }`,
      );
    }
    const subset = `    subset:\n      seed: x\n      roots: [{ table: public.t0, sample: 0.3 }]\n${follow.length === 0 ? '' : `      follow:\n${follow.join('\n')}\n`}      unconnected: { "*": none }\n`;
    return {
      script: [...create, ...insert, ...constrain].join('\n'),
      policy: `variants:\n  masked: { keep: full }\n  reduced:\n    extends: masked\n${subset}tables:\n${policy.join('\n')}\n`,
    };
  });
