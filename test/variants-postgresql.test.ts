import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createPostgresqlContent } from '../src/downloads/content/postgresql/postgresql-content.ts';
import { transformerOf } from '../src/downloads/masking/inner-rules.ts';
import type { RowSelection } from '../src/downloads/masking/row-selection.ts';
import { createSqlSealer } from '../src/downloads/sql/sql-sealer.ts';
import type { TablePlan } from '../src/downloads/variant-plan.ts';
import { SAMPLE, SAMPLE_ROLES } from './postgresql-sample.ts';
import { PostgresqlServer, SKIP_REASON } from './postgresql-server.ts';
import { chunked, collected, maskingRun, schemaOf, tablesPlan, type Wanted } from './variant-rig.ts';

const STYLES = [
  [],
  ['--inserts'],
  ['--column-inserts'],
  ['--inserts', '--rows-per-insert=9'],
  ['--load-via-partition-root'],
];

/** What no other sample has: names, values and bodies that look like something else. */
const HOSTILE = `
CREATE TABLE public."we""ird
name" (id int PRIMARY KEY, "c,o l" text, bytes bytea, email varchar(300) UNIQUE, bits bit(4), ok boolean, n numeric, j jsonb, a text[]);
INSERT INTO public."we""ird
name" SELECT g, repeat(chr(g), 3) || E'\\\\N\\t\\\\.\\n' || chr(g), decode(lpad(to_hex(g % 256), 2, '0'), 'hex'), 'secret-' || g || E'\\\\' || chr(g) || '@example.org',
  g::bit(4), g % 2 = 0, CASE WHEN g % 50 = 0 THEN 'NaN' ELSE g * 1.5 END, jsonb_build_object('k', chr(g)), ARRAY[chr(g), NULL, 'x,y']
  FROM generate_series(1, 700) g WHERE g NOT BETWEEN 55296 AND 57343;
INSERT INTO public."we""ird
name" VALUES (0, '\\N', '\\x', NULL), (-1, '\\.', NULL, ''), (-2, '', NULL, '\\N');
SET check_function_bodies = off;
CREATE FUNCTION public.f() RETURNS text LANGUAGE plpgsql AS $_$
BEGIN
COPY public.users (id, email) FROM stdin;
\\.
RETURN 'x'; END $_$;
CREATE FUNCTION public.g() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT 2; END;
CREATE TABLE public.nothing ();
INSERT INTO public.nothing DEFAULT VALUES;
INSERT INTO public.nothing DEFAULT VALUES;
COMMENT ON TABLE public.nothing IS 'line1
COPY public.users (id) FROM stdin;
\\.
secret-comment';
`;

describe('a masked PostgreSQL dump', { skip: SKIP_REASON, timeout: 600_000 }, () => {
  const content = createPostgresqlContent();
  let server: PostgresqlServer;
  let databases = 0;
  const dump = async (...options: string[]) => Buffer.from(await server.dump('shop', ...options), 'latin1');
  const load = async (script: Buffer): Promise<string> => {
    const name = `loaded_${databases++}`;
    await server.sql('postgres', `CREATE DATABASE ${name}`);
    await server.sql(name, script.toString());
    return name;
  };
  const plan = async (bytes: Buffer, wanted: Wanted): Promise<TablePlan[]> =>
    tablesPlan(await schemaOf(bytes), wanted).map((table) => ({
      ...table,
      columns: table.columns.map((column) => ({
        ...column,
        rule: { ...column.rule, domain: column.rule.transformer, options: optionsOf(column.rule) },
      })),
    }));
  const variant = async (
    bytes: Buffer,
    wanted: Wanted,
    more: { selection?: RowSelection; threads?: number; sizes?: number[] } = {},
  ) => {
    const { sizes = [65_536], ...rest } = more;
    const run = maskingRun(await plan(bytes, wanted), rest);
    return { bytes: await collected(content.rewrite(chunked(bytes, ...sizes), run)), counts: run.counts.tables };
  };

  before(async () => {
    server = await PostgresqlServer.start();
    await server.sql('postgres', `${SAMPLE_ROLES} CREATE DATABASE shop OWNER shop_owner;`);
    await server.sql('shop', `${SAMPLE}${HOSTILE}`);
  });
  after(() => server?.remove());

  test('is the dump itself where nothing is masked, in every style of pg_dump', async () => {
    for (const style of STYLES) {
      const bytes = await dump('--no-comments', '--no-blobs', ...style);
      const { bytes: same, counts } = await variant(bytes, {}, { sizes: [10_007, 3] });
      assert.ok(same.equals(bytes), style.join());
      for (const { rowsIn, rowsOut } of counts.values()) assert.equal(rowsIn, rowsOut);
      const rows = [...counts.values()].reduce((sum, { rowsIn }) => sum + rowsIn, 0);
      assert.equal(rows, 500 + 2000 + 2 + 1 + 1 + 2 + 703 + 2, style.join());
    }
  });

  test('loads with equal numbers of rows, every other column as it was, and no original value', async () => {
    const weird = 'public."we""ird\nname"';
    const orders = { document: 'null' };
    const wanted = {
      [weird]: { 'c,o l': 'hash', email: 'email' },
      'sales.customers': { name: 'hash' },
      'sales.orders': orders,
      'sales.orders_2025': orders,
      'sales.orders_2026': orders,
      'sales.orders_rest': orders,
    };
    const kept = `SELECT count(*), md5(string_agg(concat_ws('|', id, bytes, bits, ok, n, j, a), ',' ORDER BY id)) FROM ${weird}`;
    const shown = `SELECT count(*), count("c,o l"), count(DISTINCT email), count(*) FILTER (WHERE email = '') FROM ${weird}`;
    for (const style of STYLES) {
      const bytes = await dump(...style);
      const { bytes: masked, counts } = await variant(bytes, wanted, { threads: 2 });
      assert.doesNotMatch(masked.toString(), /secret-|customer \d/, style.join());
      // As it is given to a developer.
      const sealed = createSqlSealer().seal(chunked(masked, 65_536), {
        dialect: 'postgresql',
        mode: 'create',
        title: 'masked',
      });
      const name = await load(await collected(sealed));
      assert.equal(await server.sql(name, kept), await server.sql('shop', kept), style.join());
      assert.equal(await server.sql(name, shown), await server.sql('shop', shown), style.join());
      const customers =
        'SELECT count(*), count(DISTINCT name), sum(id), bool_and(name_upper = upper(name)) FROM sales.customers';
      assert.equal(await server.sql(name, customers), await server.sql('shop', customers));
      const states = 'SELECT count(*), sum(total), md5(string_agg(raw::text, chr(44) ORDER BY id)) FROM sales.orders';
      assert.equal(await server.sql(name, states), await server.sql('shop', states));
      assert.equal(await server.sql(name, 'SELECT count(document) FROM sales.orders'), '0');
      assert.equal(
        await server.sql(name, 'SELECT count(*), sum(length(lo_get(oid))) FROM pg_largeobject_metadata'),
        '3|0',
      );
      assert.equal(counts.get('sales.customers')?.masked.get('name'), 500);
      const again = await variant(bytes, wanted, { threads: 1, sizes: [50_021, 11] });
      assert.ok(again.bytes.equals(masked), style.join());
    }
  });

  test('loads without the tables that are dropped, and with empty ones where only their structure is wanted', async () => {
    const { bytes } = await variant(await dump(), {
      'sales.secrets': 'drop',
      'public.child': 'drop',
      'sales.orders_2025': 'drop',
      'public.nothing': 'structure',
      'sales.customers': 'structure',
      'sales.orders_2026': 'structure',
      'sales.orders_rest': 'structure',
    });
    assert.doesNotMatch(bytes.toString(), /sales\.secrets|public\.child|orders_2025/);
    const name = await load(bytes);
    const tables =
      "SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relkind = 'r' AND oid >= 16384 AND relname ~ '^[a-z_0-9]*$'";
    assert.equal(await server.sql(name, tables), 'customers nothing orders_2026 orders_rest parent');
    assert.equal(
      await server.sql(name, 'SELECT (SELECT count(*) FROM nothing) + (SELECT count(*) FROM sales.orders)'),
      '0',
    );
    await assert.rejects(variant(await dump(), { 'sales.orders': 'drop' }), {
      code: 'variant-failed',
      message: /sales\.late|sales\.totals/,
    });
  });

  test('has the rows that are selected, in every style', async () => {
    const shared = (length: number, isSet: (n: number) => boolean) => {
      const bits = new Uint8Array(new SharedArrayBuffer(Math.ceil(length / 8)));
      for (let n = 0; n < length; n++) if (isSet(n)) bits[n >> 3]! |= 1 << (n & 7);
      return bits;
    };
    const selection: RowSelection = {
      tables: {
        'public."we""ird\nname"': {
          rows: 703,
          kept: shared(703, (n) => n % 3 === 0),
          cut: [{ columns: ['c,o l', 'email'], rows: shared(703, (n) => n % 2 === 0) }],
        },
        'public.nothing': { rows: 2, kept: shared(2, (n) => n === 1), cut: [] },
      },
    };
    for (const style of STYLES) {
      const bytes = await dump(...style);
      const { tables } = await schemaOf(bytes);
      const { bytes: reduced, counts } = await variant(
        bytes,
        {
          ...Object.fromEntries(tables.map(({ name }) => [name, 'structure' as const])),
          'public."we""ird\nname"': { email: 'hash' },
          'public.nothing': {},
        },
        { selection },
      );
      const name = await load(reduced);
      const facts = 'SELECT count(*), min(id), max(id), count("c,o l"), count(email) FROM public."we""ird\nname"';
      assert.equal(await server.sql(name, facts), '235|-2|700|117|117', style.join());
      assert.equal(await server.sql(name, 'SELECT count(*) FROM nothing'), '1', style.join());
      assert.deepEqual(
        [counts.get('public."we""ird\nname"')?.rowsIn, counts.get('public."we""ird\nname"')?.rowsOut],
        [703, 235],
      );
    }
  });

  test('shows its rows to whoever scans it, in every style', async () => {
    const wanted = ['email', 'id'];
    const asked = 'SELECT count(*), sum(id), count(email), sum(char_length(email)) FROM public."we""ird\nname"';
    const expected = await server.sql('shop', asked);
    for (const style of STYLES) {
      const ends = new Map<string, number>();
      let [rows, ids, emails, characters, last] = [0, 0, 0, 0, -1];
      await content.scan(
        chunked(await dump(...style), 30_011, 5),
        {
          begin: (table, columns) =>
            table.includes('ird') ? wanted.map((column) => columns.indexOf(column)) : undefined,
          row: (_table, ordinal, [email, id]) => {
            assert.equal(ordinal, last + 1);
            last = ordinal;
            rows++;
            ids += Number(id);
            if (typeof email === 'string') emails++;
            characters += [...(email ?? '')].length;
          },
          end: (table, count) => ends.set(table, count),
        },
        new AbortController().signal,
      );
      assert.equal([rows, ids, emails, characters].join('|'), expected, style.join());
      assert.equal(ends.get('sales.customers'), 500);
      assert.equal(ends.get('public.nothing'), 2);
    }
  });
});

function optionsOf(rule: TablePlan['columns'][number]['rule']): Record<string, unknown> {
  return rule.transformer === 'keep' ? {} : (transformerOf(rule).options.parse({}) as Record<string, unknown>);
}
