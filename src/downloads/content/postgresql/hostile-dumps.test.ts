import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { schemaOf, variantOf } from '../../../../test/variant-rig.ts';

const PREAMBLE = "SET client_encoding = 'UTF8';\nSELECT pg_catalog.set_config('search_path', '', false);\n\n";

const NASTY = [
  "'",
  '"',
  ';',
  '\n',
  '\\.',
  '\nCOPY public.t (a) FROM stdin;\n',
  '\n\\.\n',
  '$$',
  '$x$',
  '--',
  '/*',
  '*/',
  '\\',
  '\t',
  '\r',
  '\\N',
  'a',
  '\xc3\xa9',
  ' ',
  '\x01',
  '\x7f',
  'INSERT INTO t VALUES (1);',
];
const nasty = fc.array(fc.constantFrom(...NASTY), { maxLength: 8 }).map((parts) => parts.join(''));
const ESCAPES: Readonly<Record<string, string>> = { '\\': '\\\\', '\n': '\\n', '\t': '\\t', '\r': '\\r' };
const escaped = (text: string) => text.replaceAll(/[\\\n\t\r]/g, (each) => ESCAPES[each]!);
const length = (latin1: string) => Buffer.from(latin1, 'latin1').toString().length;
const quoted = (text: string) => `'${text.replaceAll("'", "''")}'`;
const table = fc
  .tuple(
    nasty,
    fc.array(fc.tuple(nasty, fc.option(nasty)), { maxLength: 5 }),
    fc.constantFrom('copy', 'insert', 'columns', 'rows'),
  )
  .map(([name, rows, style]) => ({ name, rows, style }));
const hostileDump = fc
  .tuple(
    fc.array(table, { maxLength: 3 }),
    nasty.filter((text) => !text.includes('$')),
  )
  .map(([tables, body]) => {
    const write = (isMasked: boolean) => {
      const value = (text: string | null) => (text === null || !isMasked ? text : String(length(text)));
      const parts = tables.map(({ name, rows, style }, index) => {
        const table = `public."t${index}${name.replaceAll('"', '""')}"`;
        const definition = `CREATE TABLE ${table} (\n    k text DEFAULT ${quoted(body)},\n    v text\n);\n`;
        if (style === 'copy') {
          const field = (text: string | null) => (text === null ? '\\N' : escaped(text));
          const lines = rows.map(([k, v]) => `${field(k)}\t${field(value(v))}\n`).join('');
          return `${definition}COPY ${table} (k, v) FROM stdin;\n${lines}\\.\n`;
        }
        const literal = (text: string | null) => (text === null ? 'NULL' : quoted(text));
        const tuples = rows.map(([k, v]) => `(${literal(k)}, ${literal(value(v))})`);
        const head = `INSERT INTO ${table}${style === 'columns' ? ' (k, v)' : ''} VALUES`;
        if (style !== 'rows') return definition + tuples.map((tuple) => `${head} ${tuple};\n`).join('');
        return tuples.length === 0 ? definition : `${definition}${head}\n\t${tuples.join(',\n\t')};\n`;
      });
      return `${PREAMBLE}CREATE FUNCTION public.f() RETURNS text LANGUAGE sql AS $_$${body}$_$;\n${parts.join('\n')}`;
    };
    return { text: write(false), masked: write(true), rows: tables.reduce((sum, { rows }) => sum + rows.length, 0) };
  });

test('a variant has every byte of any name, body, comment and value as it was, but for what is to be masked', async () => {
  await fc.assert(
    fc.asyncProperty(
      hostileDump,
      fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 3 }),
      async (dump, sizes) => {
        const source = Buffer.from(dump.text, 'latin1');
        const same = await variantOf(source, {}, { sizes });
        assert.equal(same.bytes.toString('latin1'), dump.text);
        const { tables } = await schemaOf(source);
        const wanted = Object.fromEntries(tables.map(({ name }) => [name, { v: 'number' }]));
        const masked = await variantOf(source, wanted, { sizes });
        assert.equal(masked.bytes.toString('latin1'), dump.masked);
        assert.equal(
          [...masked.counts.values()].reduce((sum, { rowsOut }) => sum + rowsOut, 0),
          dump.rows,
        );
      },
    ),
    { numRuns: 60 },
  );
});
