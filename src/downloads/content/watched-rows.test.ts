import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { bytesOf, piecesOf, plansFor, rule, runOf } from '../../../test/masking-rig.ts';
import { CanaryWatch } from '../canary/canary-watch.ts';
import type { TableContent } from './table-content.ts';
import { tableContent } from './table-contents.ts';

const LEAKING = { code: 'variant-leaks', message: /notes\.note holds originals/ };
const PEOPLE = Array.from({ length: 300 }, (_, at) => `person${at}@corp.example`);

const DUMPS = {
  postgresql: {
    prefix: 'public.',
    begin: "SET client_encoding = 'UTF8';\nSELECT pg_catalog.set_config('search_path', '', false);\n",
  },
  mysql: { prefix: '', begin: '/*!40101 SET NAMES utf8mb4 */;\n' },
} as const;

/** `inserts` tells of rows of `users` and `notes` how they are written. */
function dumpOf(
  dialect: keyof typeof DUMPS,
  notes: readonly string[],
  inserts: (table: string, rows: readonly string[]) => string,
) {
  const { prefix, begin } = DUMPS[dialect];
  const table = (name: string, columns: string) => `CREATE TABLE ${prefix}${name} (${columns});\n`;
  return [
    begin,
    table('users', 'id integer, email text, upper text GENERATED ALWAYS AS (upper(email)) STORED'),
    table('notes', 'id integer, note text, length text GENERATED ALWAYS AS (note) STORED'),
    inserts(
      `${prefix}users`,
      PEOPLE.map((email, at) => `(${at}, '${email}', DEFAULT)`),
    ),
    '\n',
    inserts(
      `${prefix}notes`,
      notes.map((note, at) => `(${at}, '${note}', DEFAULT)`),
    ),
  ].join('');
}

const single = (table: string, rows: readonly string[]) =>
  rows.map((row) => `INSERT INTO ${table} VALUES ${row};\n`).join('');
const extended = (table: string, rows: readonly string[]) => `INSERT INTO ${table} VALUES\n${rows.join(',\n')};\n`;

/** With the addresses of `users` hashed. */
async function made(content: TableContent, dump: string, prefix: string, canary?: CanaryWatch) {
  const schema = await content.schema(piecesOf(Buffer.from(dump)), new AbortController().signal);
  const tables = plansFor(schema, { [`${prefix}users`]: { rules: { email: rule('hash') } } });
  const run = { ...runOf(tables), ...(canary === undefined ? {} : { canary }) };
  const bytes = await bytesOf(content.rewrite(piecesOf(Buffer.from(dump), 1 << 16), run));
  return { text: bytes.toString(), counts: run.counts.tables };
}

for (const dialect of ['postgresql', 'mysql'] as const)
  for (const [style, inserts] of Object.entries({ single, extended }))
    describe(`a table of a ${dialect} dump whose rows, in ${style} INSERTs, no rule changes`, () => {
      const { prefix } = DUMPS[dialect];

      test('is looked at for originals of other tables', async () => {
        const content = await tableContent(dialect);
        const notes = ['nothing much', `wrote to ${PEOPLE[7]} today`, `and ${PEOPLE[8]}`];
        const canary = new CanaryWatch(undefined);
        await made(content, dumpOf(dialect, notes, inserts), prefix, canary);
        assert.throws(() => canary.require(), LEAKING);
      });

      test('is given byte for byte all the same, with the first of its rows looked at', async () => {
        const content = await tableContent(dialect);
        const notes = Array.from({ length: 5000 }, (_, at) => `note ${at} of nobody in particular, at length`);
        const dump = dumpOf(dialect, notes, inserts);
        const canary = new CanaryWatch(undefined);
        const watched = await made(content, dump, prefix, canary);
        const { looked } = canary.require();
        assert.ok(looked > 300, `${looked}`);
        const plain = await made(content, dump, prefix);
        assert.equal(watched.text, plain.text);
        assert.deepEqual(watched.counts, plain.counts);
        assert.deepEqual(watched.counts.get(`${prefix}notes`)?.rowsOut, 5000);
        const from = dump.indexOf(`INSERT INTO ${prefix}notes`);
        assert.ok(watched.text.endsWith(dump.slice(from)));
      });
    });

for (const dialect of ['postgresql', 'mysql'] as const)
  test(`what detectors find in a ${dialect} dump is told of where everything is kept, too`, async () => {
    const { prefix, begin } = DUMPS[dialect];
    const rows = PEOPLE.map((email, at) => `(${at}, '${email}')`);
    const table = `CREATE TABLE ${prefix}users (id integer, note text);\n`;
    const dump = begin + table + extended(`${prefix}users`, rows);
    const content = await tableContent(dialect);
    const schema = await content.schema(piecesOf(Buffer.from(dump)), new AbortController().signal);
    const canary = new CanaryWatch(undefined);
    const run = { ...runOf(plansFor(schema)), canary };
    const bytes = await bytesOf(
      content.rewrite(piecesOf(Buffer.from(dump)), { ...run, plan: { ...run.plan, detectors: 'high' } }),
    );
    assert.equal(bytes.toString(), dump);
    assert.throws(() => canary.require(), { code: 'variant-leaks', message: /users\.note, which is kept, .* email/ });
  });

test('what the server computes of originals, which is not given, is no leak', async () => {
  const { begin } = DUMPS.mysql;
  const rows = PEOPLE.map((email, at) => `(${at}, '${email}', '${email.toUpperCase()}')`);
  const table = 'CREATE TABLE users (id integer, email text, upper text GENERATED ALWAYS AS (upper(email)) STORED);\n';
  const canary = new CanaryWatch(undefined);
  const { text } = await made(await tableContent('mysql'), begin + table + extended('users', rows), '', canary);
  assert.equal(canary.require().looked, 240);
  assert.doesNotMatch(text, /corp/i);
});
