import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HOSTILE } from '../../../test/hostile-dump.ts';
import type { KeptCopy, VariantContent } from '../../core/ports/variant-maker.ts';
import type { VariantPlan } from '../variant-plan.ts';
import { partOfKept, tablesOfKept } from './part-of-kept.ts';

const ROWS = { 'public.users': 3, 'public.or;ders': 2, 'public.special': 0 };

interface Options {
  rows?: Readonly<Record<string, number>>;
  pieces?: number;
  sidecars?: Map<string, Buffer>;
  id?: string;
  asked?: { offset: number; length: number }[];
  /** In the copy that is read once its outline is known. */
  changed?: (dump: string) => string;
  /** Called when the kept outline is asked for. */
  onRead?: () => void;
}

async function part(dump: string, tables: readonly string[], options: Options = {}): Promise<string> {
  const {
    rows = ROWS,
    pieces = 1 << 16,
    sidecars = new Map(),
    id = 'copy',
    asked = [],
    changed,
    onRead = () => undefined,
  } = options;
  const bytes = Buffer.from(dump);
  const later = changed === undefined ? bytes : Buffer.from(changed(dump));
  const kept: KeptCopy = {
    ...{ id, length: bytes.length },
    report: {
      tables: Object.entries(rows).map(([name, rowsOut]) => ({ name, rowsIn: rowsOut, rowsOut })),
      canary: { looked: 0, originals: 0 },
    },
    async *bytes(range) {
      asked.push(range ?? { offset: 0, length: bytes.length });
      const wanted = range === undefined ? bytes : later.subarray(range.offset, range.offset + range.length);
      for (let at = 0; at < wanted.length; at += pieces) yield Buffer.from(wanted.subarray(at, at + pieces));
    },
  };
  const content: VariantContent = {
    ...{ resourceId: 'shop', snapshotId: 'one', format: 'sql', open: () => assert.fail('the source is not needed') },
    sidecars: {
      read: async (name) => {
        onRead();
        const found = sidecars.get(name);
        return found === undefined ? undefined : given(found);
      },
      write: async (name, pieces) => void sidecars.set(name, Buffer.concat(await Array.fromAsync(pieces))),
    },
  };
  const { signal } = new AbortController();
  const material = partOfKept({ content, variant: 'small', kept, tables, signal });
  return Buffer.concat(await Array.fromAsync(material.bytes())).toString();
}

async function* given(bytes: Buffer): AsyncGenerator<Uint8Array> {
  yield bytes;
}

describe('some tables of a kept copy', () => {
  it('are given with what they need and nothing else, whatever stands in names, rows and bodies', async () => {
    const given = await part(HOSTILE, ['public.or;ders']);
    const statements = given.match(/^(SET|SELECT|CREATE|ALTER|COPY|UPDATE)[^\n]*/gm);
    assert.deepEqual(statements, [
      `SET client_encoding = 'UTF8';`,
      `SELECT pg_catalog.set_config('search_path', '', false);`,
      'CREATE SCHEMA app;',
      'CREATE FUNCTION app.touched() RETURNS trigger',
      // In the body of the function.
      'COPY public.users (id) FROM stdin;',
      'CREATE FUNCTION app."inner"(text) RETURNS text LANGUAGE sql AS $_$ SELECT $1 $_$;',
      `SET default_tablespace = '';`,
      'CREATE TABLE public."or;ders" (',
      'ALTER TABLE public."or;ders" ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (',
      'COPY public."or;ders" (id, user_id) FROM stdin;',
      `SELECT pg_catalog.setval('public."or;ders_id_seq"', 2, true);`,
      'CREATE INDEX "or;ders_user" ON public."or;ders" USING btree (user_id);',
      'CREATE TRIGGER "on" BEFORE UPDATE ON public."or;ders" FOR EACH ROW EXECUTE FUNCTION app.touched();',
    ]);
    assert.ok(given.includes('FROM stdin;\n1\t1\n2\t3\n\\.\n'));
    assert.ok(given.endsWith('-- PostgreSQL database dump complete\n--\n\n'));
    const both = await part(HOSTILE, ['public.or;ders', 'public.users']);
    assert.match(both, /FOREIGN KEY[\s\S]*CREATE POLICY/);
    assert.ok(both.includes('\n1\t-- Name: or;ders; Type: TABLE; Schema: public; Owner: -\n2\t\\\\.\n3\tCOPY'));
  });

  it('come with the tables that they inherit from, which are empty', async () => {
    const given = await part(HOSTILE, ['public.special']);
    assert.match(given, /CREATE TABLE public\.users[\s\S]*SET STORAGE[\s\S]*CREATE TABLE public\.special/);
    assert.doesNotMatch(given, /COPY public\.users|users_pkey|UPDATE|CREATE POLICY|SET DEFAULT/);
  });

  it('that are all there are have every byte of the copy but those of views and what nobody needs', async () => {
    const all = await part(HOSTILE, Object.keys(ROWS));
    const without = HOSTILE.replace(/--\n-- Name: unused[\s\S]*?\$\$;\n\n/, '').replace(
      /--\n-- Name: users; Type: VIEW[\s\S]*?;\n\n\n/,
      '',
    );
    assert.equal(all.replaceAll(/\n+/g, '\n'), without.replaceAll(/\n+/g, '\n'));
  });

  it('are the same bytes in whatever pieces the copy is read', async () => {
    const whole = await part(HOSTILE, ['public.or;ders', 'public.users']);
    for (const pieces of [1, 2, 3, 7, 64])
      assert.equal(await part(HOSTILE, ['public.or;ders', 'public.users'], { pieces }), whole, `${pieces}`);
  });

  it('cost one reading of the whole copy, and then their own rows alone; another copy is read anew', async () => {
    const sidecars = new Map<string, Buffer>();
    const reading = async (id: string) => {
      const asked: { offset: number; length: number }[] = [];
      await part(HOSTILE, ['public.or;ders'], { sidecars, asked, id });
      return asked.map(({ offset, length }) => HOSTILE.slice(offset, offset + length));
    };
    const rows = '1\t1\n2\t3\n';
    assert.deepEqual(await reading('copy'), [HOSTILE, rows]);
    assert.deepEqual(await reading('copy'), [rows]);
    assert.deepEqual(await reading('other'), [HOSTILE, rows]);
    sidecars.set('outline-1-small', Buffer.from('{}\n'));
    assert.deepEqual(await reading('other'), [HOSTILE, rows]);
    assert.equal(sidecars.size, 1);
    const asked: { offset: number; length: number }[] = [];
    await Promise.all(
      Array.from({ length: 5 }, () => part(HOSTILE, ['public.or;ders'], { sidecars, asked, id: 'crowd' })),
    );
    assert.equal(asked.filter(({ length }) => length === HOSTILE.length).length, 1, 'each of a crowd reads it');
    assert.ok(!sidecars.get('outline-1-small')?.includes('\t'), 'rows are in the outline');
  });

  it('hold the outline of a copy once, however many ask for parts of it', async () => {
    const sidecars = new Map<string, Buffer>();
    await part(HOSTILE, ['public.or;ders'], { sidecars });
    let [holding, most] = [0, 0];
    const asked = Object.assign([], { push: () => holding-- });
    const onRead = () => {
      most = Math.max(most, ++holding);
    };
    await Promise.all(Array.from({ length: 5 }, () => part(HOSTILE, ['public.or;ders'], { sidecars, asked, onRead })));
    assert.deepEqual([holding, most <= 2], [0, true], `${most}`);
  });

  it('fail before the first byte where the copy has other rows than were counted, and end with an error where others are read', async () => {
    for (const rows of [{ ...ROWS, 'public.users': 4 }, { ...ROWS, 'public.users': 2 }, { 'public.or;ders': 2 }])
      await assert.rejects(part(HOSTILE, ['public.users', 'public.or;ders'], { rows }), {
        code: 'variant-copy-differs',
        message: /public\.users has 3 rows/,
      });
    for (const changed of [
      (dump: string) => dump.replace('1\t1\n2\t3\n', '1\t1\n2\t\n\n'),
      (dump: string) => dump.replace('1\t1\n2\t3\n', '1\t1\t2\t3\n'),
      (dump: string) => dump.replace('1\t1\n2\t3\n', '1\t1\n2\n33'),
      (dump: string) => dump.slice(0, dump.indexOf('2\t3\n')),
    ])
      await assert.rejects(part(HOSTILE, ['public.or;ders'], { changed }), { code: 'variant-copy-differs' });
    await assert.rejects(part(HOSTILE, ['public.absent']), { code: 'variant-copy-differs' });
  });

  it('are refused where something of theirs cannot be made without a table or view that was not chosen', async () => {
    await assert.rejects(part(HOSTILE, ['public.users']), {
      code: 'download-choice-invalid',
      message: /of public\.users .*names public\.or;ders.*Choose that table too/,
    });
    const rule = `CREATE RULE r AS ON INSERT TO public."or;ders" DO ALSO DELETE FROM app.users;\n`;
    await assert.rejects(part(`${HOSTILE}${rule}`, ['public.or;ders']), {
      message: /app\.users.*Views are in no part/,
    });
    assert.ok(await part(`${HOSTILE}${rule}`, ['public.special']));
  });

  it('are refused where they are partitions whose rows stand among those of the partitioned table', async () => {
    const dump = `CREATE TABLE public.parted (
    id integer
)
PARTITION BY RANGE (id);
CREATE TABLE public.half (
    id integer
)
PARTITION BY RANGE (id);
CREATE TABLE public.leaf (
    id integer
);
ALTER TABLE ONLY public.parted ATTACH PARTITION public.half DEFAULT;
ALTER TABLE ONLY public.half ATTACH PARTITION public.leaf DEFAULT;
COPY public.parted (id) FROM stdin;
1
\\.
`;
    const rows = { 'public.parted': 1 };
    for (const table of ['public.leaf', 'public.half'])
      await assert.rejects(part(dump, [table], { rows }), {
        code: 'download-choice-invalid',
        message: new RegExp(`partition ${table} stand in this copy among all those of public.parted`),
      });
    assert.equal(await part(dump, ['public.parted'], { rows }), dump);
    const own = dump.replace('COPY public.parted', 'COPY public.leaf');
    assert.match(
      await part(own, ['public.leaf'], { rows: { 'public.leaf': 1 } }),
      /COPY public\.leaf \(id\) FROM stdin;\n1\n/,
    );
  });

  it('are refused where anything in the copy is not understood, whether it belongs to them or not', async () => {
    for (const statement of [
      'INSERT INTO public.users VALUES (4);',
      'DROP TABLE public.users;',
      'TRUNCATE public.users;',
      'CREATE THING public.users;',
      'ALTER THING public.users;',
      'ALTER INDEX public.unknown ATTACH PARTITION public.other;',
      'CREATE TABLE elsewhere ();',
      'CREATE TABLE public.other (id int REFERENCES public.users);',
      'SELECT public.users();',
      'ALTER TABLE public."or;ders_id_seq" OWNED BY x;',
    ])
      await assert.rejects(
        part(`${HOSTILE}${statement}\n`, ['public.or;ders']),
        { code: 'download-choice-invalid' },
        statement,
      );
  });

  it('are refused where the lines of rows end otherwise than pg_dump ends them, in whatever pieces the copy is read', async () => {
    const dump = HOSTILE.replace('1\t1\n2\t3\n\\.\n', '1\t1\r\n2\t3\r\n\\.\r\n');
    assert.notEqual(dump, HOSTILE);
    for (const pieces of [1, 2, 3, 4, 5, 1 << 16])
      await assert.rejects(
        part(dump, ['public.or;ders'], { pieces }),
        { code: 'download-choice-invalid' },
        `${pieces}`,
      );
  });

  it('have no owners, privileges, casts and the like, as raw parts have none', async () => {
    const beside = [
      'ALTER TABLE public."or;ders" OWNER TO fred;',
      'ALTER TABLE public.owner OWNER TO fred;',
      'ALTER FUNCTION owner.touched() OWNER TO "owner";',
      'SET SESSION AUTHORIZATION fred;',
      'RESET SESSION AUTHORIZATION;',
      'SET ROLE fred;',
      'ALTER SCHEMA app OWNER TO fred;',
      'GRANT ALL ON TABLE public."or;ders" TO fred;',
      'REVOKE ALL ON TABLE public."or;ders" FROM fred;',
      'CREATE CAST (text AS app.mood) WITH INOUT AS IMPLICIT;',
      'CREATE STATISTICS app.s ON id, user_id FROM public."or;ders";',
      'CREATE MATERIALIZED VIEW app.counted AS SELECT 1 WITH NO DATA;',
      'REFRESH MATERIALIZED VIEW app.counted;',
      'CREATE EVENT TRIGGER e ON ddl_command_end EXECUTE FUNCTION app.touched();',
      'ALTER DEFAULT PRIVILEGES FOR ROLE fred GRANT SELECT ON TABLES TO PUBLIC;',
      `SELECT pg_catalog.lo_create('5');`,
    ];
    const owner =
      'CREATE TABLE public.owner (owner text);\nALTER TABLE public.owner ALTER COLUMN owner SET NOT NULL;\n';
    const tables = ['public.or;ders', 'public.owner'];
    const plain = await part(`${HOSTILE}${owner}`, tables);
    assert.match(plain, /ALTER COLUMN owner SET NOT NULL/);
    const without = await part(`${HOSTILE}${owner}${beside.join('\n')}\n`, tables);
    for (const statement of beside) assert.ok(!without.includes(statement), statement);
    assert.deepEqual(
      without.split('\n').filter((line) => line !== '' && !line.startsWith('--')),
      plain.split('\n').filter((line) => line !== '' && !line.startsWith('--')),
    );
  });

  it('are named by the plan of the whole, and are those of PostgreSQL alone', () => {
    const table = (name: string, fate: 'rows' | 'drop') => ({ table: name, fate, columns: [] });
    const tables = [table('public.users', 'rows'), table('app.users', 'rows'), table('public.gone', 'drop')];
    const plan = { variant: 'small', content: { kind: 'tables', tables } } as unknown as VariantPlan;
    const of = (dialect: 'postgresql' | 'mysql' | 'sqlite', parts: { tables?: string[]; paths?: string[] }) =>
      tablesOfKept(plan, { kind: 'tables', dialect }, parts);
    assert.deepEqual(of('postgresql', { tables: ['users', 'app.users'] }), ['public.users', 'app.users']);
    for (const name of ['gone', 'absent'])
      assert.throws(() => of('postgresql', { tables: [name] }), {
        code: 'download-choice-invalid',
        message: `The variant "small" has no table ${name}. It has public.users, app.users.`,
      });
    for (const dialect of ['mysql', 'sqlite'] as const)
      assert.throws(() => of(dialect, { tables: ['users'] }), {
        message: /MySQL and MariaDB dumps and SQLite.*Leave `tables` away/,
      });
    assert.throws(() => of('postgresql', { paths: ['users'] }), { message: /Leave `path` away/ });
    assert.throws(() => of('postgresql', { tables: ['users'], paths: ['users'] }), { message: /Leave `path` away/ });
    assert.throws(() => tablesOfKept(plan, { kind: 'document' }, { tables: ['users'] }), {
      code: 'download-choice-invalid',
    });
  });
});
