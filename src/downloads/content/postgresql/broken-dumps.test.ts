import { before, describe, it } from 'node:test';
import { assertNothingLeaks } from '../../../../test/broken-dumps-rig.ts';
import { chunked, maskingRun, schemaOf, tablesPlan } from '../../../../test/variant-rig.ts';
import type { RowBlockPart } from '../../masking/masking-pool.ts';
import type { RowFormat } from '../../masking/row-format.ts';
import { ROW_FORMATS } from '../../masking/row-formats.ts';
import { TableMasker } from '../../masking/table-masker.ts';
import type { TablePlan } from '../../variant-plan.ts';
import { dumpPieces } from './dump-pieces.ts';
import { DumpRewriter } from './dump-rewriter.ts';

const HEAD =
  "SET client_encoding = 'UTF8';\nSELECT pg_catalog.set_config('search_path', '', false);\n\nCREATE TABLE public.users (\n    id integer,\n    email text,\n    note text\n);\n\n";
const BEFORE = 'SET default_table_access_method = heap;\n\nALTER TABLE public.users OWNER TO bob;\n\n';
const TAIL = '\nALTER TABLE ONLY public.users\n    ADD CONSTRAINT users_pkey PRIMARY KEY (id);\n';
const BODIES = [
  'COPY public.users (id, email, note) FROM stdin;\n1\tSECRET1\tok\n2\tSECRET\\\\2\t\\N\n3\tSECRET\\n3\tC:\\\\N\n\\.\n',
  "INSERT INTO public.users VALUES (1, 'SECRET1', 'ok');\nINSERT INTO public.users VALUES (2, 'it''s SECRET', NULL);\nINSERT INTO public.users VALUES (3, 'SECRET\\', '(a, b)');\n",
  "INSERT INTO public.users (id, email, note) VALUES\n\t(1, 'SECRET1', 'ok'),\n\t(2, 'it''s SECRET', NULL),\n\t(3, 'SECRET\\', '(a, b)');\n",
];
const FRAGMENTS =
  `'|''|"|\\|\\\\|\t|\n|;|$$|$a$|--|/*|*/|\\.|\n\\.\n|(|)|,|E|E'|'::text| \\|\\| |COPY public.users (id, email, note) FROM stdin;\n|\\! x\n|\r|\\\t|\\\n|NULL|DEFAULT|U&'|-- Name: |SELECT |COMMENT ON TABLE x IS |\\restrict |INSERT INTO public.users VALUES |BEGIN;|[|]|x|1| |\u00e9||`.split(
    '|',
  );

describe('a dump that is broken in some place', () => {
  let plan: TablePlan[];
  before(async () => {
    plan = tablesPlan(await schemaOf(HEAD), { 'public.users': { email: 'mark' } });
  });

  it('gives no original value of a masked column: it is refused, or masked as it is read', async () => {
    const scripts = BODIES.map((body) => BEFORE + body + TAIL);
    await assertNothingLeaks({ head: HEAD, scripts, fragments: FRAGMENTS, masked });
  });

  /** In this thread, so that thousands take a second. */
  async function masked(dump: Buffer, size: number): Promise<string> {
    const run = maskingRun(plan);
    const rewriter = new DumpRewriter(run);
    const formats = new Map<unknown, RowFormat>();
    let text = '';
    const give = (part: Uint8Array | RowBlockPart) => {
      if (!(part instanceof Uint8Array) && !formats.has(part.rows)) formats.set(part.rows, formatOf(part));
      const bytes = part instanceof Uint8Array ? part : formats.get(part.rows)!.mask(Buffer.from(part.bytes), 0).bytes;
      text += Buffer.from(bytes).toString();
    };
    for await (const pieces of dumpPieces(chunked(dump, size), run.signal))
      for (const piece of pieces) for (const part of rewriter.parts(piece)) give(part);
    for (const part of rewriter.end()) give(part);
    return text;
  }
});

function formatOf({ rows }: RowBlockPart): RowFormat {
  const changed = [rows.columns.indexOf('email')];
  const mask = (values: (string | null)[]) => {
    for (const column of changed) if (values[column] !== null) values[column] = 'masked';
    return true;
  };
  const table = new TableMasker({
    columns: rows.columns,
    selection: undefined,
    values: { changed, needed: changed, mask },
  });
  return ROW_FORMATS.get(rows.format)!(rows, table);
}
