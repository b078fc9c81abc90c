import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { maskingRun, schemaOf, tablesPlan, variantOf } from '../../../../test/variant-rig.ts';
import type { RowSelection } from '../../masking/row-selection.ts';
import { dumpPieces } from './dump-pieces.ts';
import { DumpRewriter } from './dump-rewriter.ts';

const PREAMBLE = "SET client_encoding = 'UTF8';\nSELECT pg_catalog.set_config('search_path', '', false);\n\n";
const USERS = `${PREAMBLE}CREATE TABLE public.users (
    id bigint NOT NULL,
    email character varying(200),
    note text
);

COPY public.users (id, email, note) FROM stdin;
1\ta@example.org\tC:\\\\New
2\t\\N\t\\\\N
3\tc@example.org\t
\\.

ALTER TABLE ONLY public.users
    ADD CONSTRAINT users_pkey PRIMARY KEY (id);
`;

describe('a variant of a PostgreSQL dump', () => {
  it('is the dump itself where nothing is masked, however it is cut into chunks', async () => {
    for (const sizes of [[1], [7], [1 << 20]]) assert.equal((await variantOf(USERS, {}, { sizes })).text, USERS);
  });

  it('has masked values in the escapes of COPY, and every other byte as it was', async () => {
    const { text, counts } = await variantOf(USERS, { 'public.users': { email: 'mark' } });
    assert.equal(text, USERS.replaceAll(/[ac]@example\.org/g, "<13>\\t\\\\.\\n'é"));
    assert.deepEqual(counts.get('public.users'), { rowsIn: 3, rowsOut: 3 });
  });

  it('keeps the definition of a table without its rows, or drops it with all that is its own', async () => {
    const structure = await variantOf(USERS, { 'public.users': 'structure' });
    assert.equal(structure.text, USERS.replace(/(stdin;\n).*?(\\\.\n)/s, '$1$2'));
    assert.deepEqual(structure.counts.get('public.users'), { rowsIn: 3, rowsOut: 0 });
    const others = `CREATE TABLE public.orders (id integer, users integer);\n`;
    const dump = `${USERS.replace('CREATE TABLE public.users', `${others}CREATE TABLE public.users`)}
CREATE SEQUENCE public.users_id_seq START 1;
ALTER TABLE public.users_id_seq OWNER TO bob;
ALTER SEQUENCE public.users_id_seq OWNED BY public.users.id;
CREATE SEQUENCE public.other_seq START 1;
ALTER TABLE ONLY public.users ALTER COLUMN id SET DEFAULT nextval('public.users_id_seq'::regclass);
SELECT pg_catalog.setval('public.users_id_seq', 77, true);
SELECT pg_catalog.setval('public.other_seq', 78, true);
CREATE UNIQUE INDEX users_email ON public.users USING btree (email);
ALTER INDEX public.users_email ATTACH PARTITION public.users_pkey;
CREATE TRIGGER t BEFORE INSERT OR UPDATE OF email ON public.users FOR EACH ROW EXECUTE FUNCTION public.f();
CREATE POLICY p ON public.users USING ((email = CURRENT_USER));
CREATE RULE r AS ON DELETE TO public.users DO INSTEAD NOTHING;
CREATE STATISTICS public.s ON id, email FROM public.users;
ALTER TABLE ONLY public.orders ADD CONSTRAINT orders_fk FOREIGN KEY (users) REFERENCES public.users(id);
GRANT SELECT(email) ON TABLE public.users TO bob;
GRANT SELECT ON TABLE public.orders TO bob;
`;
    const { text } = await variantOf(dump, { 'public.users': 'drop' });
    const left = text.split('\n').filter((line) => line !== '');
    assert.deepEqual(left, [
      ...PREAMBLE.trimEnd().split('\n'),
      others.trimEnd(),
      'CREATE SEQUENCE public.other_seq START 1;',
      "SELECT pg_catalog.setval('public.other_seq', 78, true);",
      'GRANT SELECT ON TABLE public.orders TO bob;',
    ]);
  });

  it('is refused where something is left that cannot be made without a dropped table', async () => {
    const refused = (statement: string, message: RegExp) =>
      assert.rejects(variantOf(`${USERS}${statement}`, { 'public.users': 'drop' }), {
        code: 'variant-failed',
        message,
      });
    await refused(
      'CREATE VIEW public.v AS SELECT users.id FROM public.users;',
      /view "public.v" needs it.*`structure`/,
    );
    await refused(
      'CREATE MATERIALIZED VIEW public.m AS SELECT 1 FROM "public"."users";',
      /materialized view "public.m"/,
    );
    await refused('CREATE FUNCTION public.f(u public.users) RETURNS int LANGUAGE sql RETURN 1;', /function "public.f"/);
    await refused('CREATE TABLE public.heir (a int) INHERITS (public.users);', /table "public.heir"/);
  });

  it('leaves out what no rule speaks of: comments, large objects, statistics, subscriptions, keys of \\restrict', async () => {
    const dump = `${PREAMBLE}--
-- Name: users; Type: TABLE; Schema: public; Owner: bob
--

-- a remark with a secret
CREATE TABLE public.users (id integer);
COMMENT ON TABLE public.users IS 'line1
COPY public.users (id) FROM stdin;
\\.
secret';
\\restrict abc
SELECT pg_catalog.lo_create('16468');
BEGIN;
SELECT pg_catalog.lo_open('16468', 131072);
SELECT pg_catalog.lowrite(0, '\\x736563726574');
SELECT pg_catalog.lo_close(0);
COMMIT;
SELECT * FROM pg_catalog.pg_restore_attribute_stats('relation', 'users', 'most_common_vals', '{secret}'::text);
CREATE SUBSCRIPTION s CONNECTION 'password=secret' PUBLICATION p;
CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw OPTIONS (password 'secret');
ALTER SERVER far OPTIONS (SET password 'secret');
SECURITY LABEL ON TABLE public.users IS 'secret';
\\unrestrict abc
/* secret
-- Name: secret */
REFRESH MATERIALIZED VIEW public.m;
`;
    const { text } = await variantOf(dump, {});
    assert.doesNotMatch(text, /secret|restrict/);
    assert.deepEqual(
      text
        .slice(PREAMBLE.length)
        .split('\n')
        .filter((line) => line !== ''),
      [
        '--',
        '-- Name: users; Type: TABLE; Schema: public; Owner: bob',
        '--',
        'CREATE TABLE public.users (id integer);',
        "SELECT pg_catalog.lo_create('16468');",
        'CREATE SERVER far FOREIGN DATA WRAPPER postgres_fdw ;',
        'REFRESH MATERIALIZED VIEW public.m;',
      ],
    );
  });

  it('stops where the rows are not those that the plan is made for, without showing one', async () => {
    const failed = (dump: string | Buffer, message: RegExp, plan = { 'public.users': { email: 'mark' } }) =>
      assert.rejects(variantOf(dump, plan), (error: Error & { code?: string }) => {
        assert.equal(error.code, 'variant-failed');
        assert.match(error.message, message);
        assert.doesNotMatch(JSON.stringify(error) + error.stack, /secret/);
        return true;
      });
    await failed(USERS.replace('2\t\\N', '2\tsecret\t\\N'), /Row 2 of table "public.users".*number of fields/);
    await failed(USERS.replace('2\t\\N', 'secret'), /Row 2 of table "public.users".*number of fields/);
    await failed(USERS.replace('2\t\\N\t', '2\tsecret\\\t\t'), /behind a backslash/);
    await failed(USERS.replace('\\\\N\n', '\\\\N\r\n'), /carriage return/);
    await failed(USERS.replace('(id, email, note)', '(id, email, other)'), /column "other"/);
    await failed(USERS.replace('(id, email, note)', '(id, email)'), /without its column "note"/);
    await failed(USERS.replace('(id, email, note)', '(id, email, email)'), /twice/);
    await failed(USERS.replace('note text', 'note text GENERATED ALWAYS AS (email) STORED'), /database computes/);
    await failed(USERS.replace("'UTF8'", "'LATIN1'"), /encoding/);
    await failed(USERS.replace('COPY', 'SET standard_conforming_strings = off;\nCOPY'), /standard_conforming_strings/);
    await failed(USERS.replace('COPY', '\\! secret\nCOPY'), /command for psql/);
    await failed(Buffer.from(USERS.replace('a@', 'secret\xff@'), 'latin1'), /UTF-8/);
  });

  it('stops where rows come of a table that the plan has not', async () => {
    const schema = await schemaOf(USERS);
    const rewriter = new DumpRewriter(maskingRun(tablesPlan({ ...schema, tables: [] }, {})));
    const signal = new AbortController().signal;
    await assert.rejects(
      async () => {
        for await (const pieces of dumpPieces([Buffer.from(USERS)] as never, signal))
          for (const piece of pieces) for (const part of rewriter.parts(piece)) assert.ok(part);
      },
      { code: 'variant-failed', message: /public\.users.*does not name/ },
    );
  });

  it('has masked values in INSERT statements of every style', async () => {
    const table =
      'CREATE TABLE public.users (id integer, email text, ok boolean, note text, up text GENERATED ALWAYS AS (upper(email)) STORED);\n';
    const plan = { 'public.users': { id: 'number', email: 'mark', ok: 'same' } };
    const variant = async (statements: string) =>
      (await variantOf(`${PREAMBLE}${table}${statements}`, plan, { sizes: [5] })).text.slice(
        PREAMBLE.length + table.length,
      );
    const mark = (length: number) => `'<${length}>\t\\.\n''é'`;
    assert.equal(
      await variant(
        "INSERT INTO public.users VALUES (-12, 'it''s; (a, b)', true, 'C:\\New', DEFAULT);\nINSERT INTO public.users VALUES (NULL, NULL, false, '', DEFAULT);\n",
      ),
      `INSERT INTO public.users VALUES (3, ${mark(12)}, true, 'C:\\New', DEFAULT);\nINSERT INTO public.users VALUES (NULL, NULL, false, '', DEFAULT);\n`,
    );
    assert.equal(
      await variant(
        "INSERT INTO public.users (note, ok, email, id) OVERRIDING SYSTEM VALUE VALUES\n\t('a', NULL, 'ä', 1),\n\t('b', true, E'\\'\\n\\x41\\u00e4', 22)\n ON CONFLICT DO NOTHING;\n",
      ),
      `INSERT INTO public.users (note, ok, email, id) OVERRIDING SYSTEM VALUE VALUES\n\t('a', NULL, ${mark(1)}, 1),\n\t('b', true, ${mark(4)}, 2)\n ON CONFLICT DO NOTHING;\n`,
    );
    for (const bad of [
      '(1, (SELECT 1), true, NULL, DEFAULT)',
      "(1, 'a' || 'b', true, NULL, DEFAULT)",
      "(1, 'a')",
      "(1, U&'a', true, NULL, DEFAULT)",
      '(1, DEFAULT, true, NULL, DEFAULT)',
      "(1, 'a', true, NULL, 'A')",
    ])
      await assert.rejects(variant(`INSERT INTO public.users VALUES ${bad};\n`), { code: 'variant-failed' });
  });

  it('has only the rows that are selected, with references cut to NULL, in COPY and INSERT', async () => {
    const shared = (...bits: number[]) => {
      const bytes = new Uint8Array(new SharedArrayBuffer(1));
      for (const bit of bits) bytes[0]! |= 1 << bit;
      return bytes;
    };
    const selection: RowSelection = {
      tables: { 'public.users': { rows: 3, kept: shared(0, 2), cut: [{ columns: ['note'], rows: shared(2) }] } },
    };
    const copied = await variantOf(USERS, { 'public.users': { email: 'number' } }, { selection, sizes: [3] });
    assert.match(copied.text, /stdin;\n1\t13\tC:\\\\New\n3\t13\t\\N\n\\\.\n/);
    assert.deepEqual(copied.counts.get('public.users'), { rowsIn: 3, rowsOut: 2 });
    const [head] = USERS.split('COPY');
    const inserts = `${head}INSERT INTO public.users VALUES\n\t(1, 'a', 'b'),\n\t(2, 'a', 'b'),\n\t(3, 'a', 'b');\n`;
    const inserted = await variantOf(inserts, {}, { selection });
    assert.equal(inserted.text, `${head}INSERT INTO public.users VALUES\n\t(1, 'a', 'b'),\n\t(3, 'a', NULL);\n`);
    const others = { tables: { 'public.users': { rows: 4, kept: shared(0, 2), cut: [] } } };
    await assert.rejects(variantOf(USERS, {}, { selection: others }), {
      code: 'variant-failed',
      message: /another number of rows/,
    });
    await assert.rejects(variantOf(USERS, {}, { selection: { tables: {} } }), {
      code: 'variant-failed',
      message: /selected/,
    });
    const fewer = { tables: { 'public.users': { rows: 2, kept: shared(0), cut: [] } } };
    await assert.rejects(variantOf(USERS, {}, { selection: fewer }), {
      code: 'variant-failed',
      message: /number of rows/,
    });
  });
});
