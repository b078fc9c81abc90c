import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { type CommandLine, commandLine } from './command-line.ts';

const KEY = { MASKING_KEY: 'a key of the tests, long enough' };
const CONFIGURATION = 'downloads: { policies: ./policies }\n';

/** As pg_dump writes them. @param more definitions, and columns of users */
function definitions({ table = '', column = '' } = {}): string {
  return `--
-- PostgreSQL database dump
--

-- Dumped from database version 15.3
-- Dumped by pg_dump version 15.3

SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;

CREATE TABLE public.orders (
    id bigint NOT NULL,
    user_id bigint NOT NULL,
    remark text
);

CREATE TABLE public.users (
    id bigint NOT NULL,
    email text NOT NULL,
    nick text,
    mark text GENERATED ALWAYS AS (upper(email)) STORED${column}
);
${table}
`;
}

const CONSTRAINTS = `
ALTER TABLE ONLY public.orders ADD CONSTRAINT orders_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.users ADD CONSTRAINT users_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.orders ADD CONSTRAINT orders_user_id_fkey FOREIGN KEY (user_id) REFERENCES public.users(id);

--
-- PostgreSQL database dump complete
--
`;

function rows(count: number, row: (n: number) => string): string {
  return `${Array.from({ length: count }, (_, n) => `${row(n + 1)}\n`).join('')}\\.\n\n`;
}

const ROWS = `COPY public.orders (id, user_id, remark) FROM stdin;
${rows(300, (n) => `${n}\t${(n % 100) + 1}\tcall \\N${n}`)}COPY public.users (id, email, nick) FROM stdin;
${rows(100, (n) => `${n}\tsecret-${n}@corp.example\t${n % 2 === 0 ? '\\N' : `tab\\there ${n}`}`)}`;

const DUMP = definitions() + ROWS + CONSTRAINTS;
const POLICY = `
version: 1
resource: shop
key: env:MASKING_KEY
epoch: 1
variants:
  masked: { keep: full }
  reduced:
    subset: { seed: dev, roots: [{ table: public.users, limit: 5 }], follow: [{ from: public.users, to: public.orders, via: user_id }] }
tables:
  public.users: { columns: { id: keep, email: email, nick: keep, mark: generated } }
  public.orders: { columns: { id: keep, user_id: keep, remark: 'null' } }
`;

async function shop(holdfast: CommandLine, ...dumps: string[]): Promise<void> {
  await holdfast.put('holdfast.yaml', CONFIGURATION);
  await holdfast.put('policies/shop.yaml', POLICY);
  for (const dump of dumps) {
    const { code, stderr } = await holdfast.run(['backup', '--stdin', '--resource', 'shop'], dump);
    assert.equal(code, 0, stderr);
  }
}

const SQL = ['--format', 'sql'];

test('a policy that is drafted from a backup fits it, holds no value, and writes over nothing', async (context) => {
  const holdfast = await commandLine(context);
  await shop(holdfast, DUMP);
  const drafted = await holdfast.run(['policy', 'init', 'shop', ...SQL, '--output', 'drafts/shop.yaml']);
  assert.equal(drafted.code, 0, drafted.stderr);
  const text = await readFile(`${holdfast.folder}/drafts/shop.yaml`, 'utf8');
  assert.match(text, /email: \{ rule: email, type: text \} {2}# email \(high\): 100 % of 100 values/);
  assert.match(text, /^key: "?env:MASKING_KEY"?$/m);
  assert.doesNotMatch(text, /secret-|corp\.example|there \d|call/);
  const again = await holdfast.problem(['policy', 'init', 'shop', ...SQL, '--output', 'drafts/shop.yaml'], 1);
  assert.equal(again.code, 'output-exists');
  assert.match(again.message, /replace it with --force\.$/);
  const checked = await holdfast.run(['policy', 'check', 'drafts/shop.yaml', ...SQL]);
  assert.equal(checked.code, 0, checked.stdout);
  const names = await holdfast.run(['policy', 'init', 'shop', ...SQL, '--sample-rows', '0']);
  assert.match(names.stdout, /email: \{ rule: email, type: text \} {2}# email \(high\): its name says email/);
  const plain = await holdfast.problem(['policy', 'init', 'shop', '--format', 'bytes'], 1);
  assert.equal(plain.code, 'variant-format-not-offered');
  assert.match(plain.message, /this is a dump of PostgreSQL\. Say so: --format sql\./);
  assert.equal((await holdfast.problem(['policy', 'init', 'nothing'], 1)).code, 'snapshot-not-found');
  assert.equal(
    (await holdfast.problem(['policy', 'init', 'shop', '--key', 'the key itself'], 2)).code,
    'usage-invalid-argument',
  );
});

test('a column that is kept and looks personal is found in the rows of a backup, where the policy gives no reason', async (context) => {
  const holdfast = await commandLine(context);
  await shop(holdfast, DUMP);
  const check = (...words: string[]) => holdfast.run(['policy', 'check', 'shop', ...SQL, ...words]);
  assert.equal((await check('--sample-rows', '100')).code, 0);
  await holdfast.put('policies/shop.yaml', POLICY.replace('email: email', 'email: keep'));
  assert.equal((await check()).code, 0, 'no row is looked at');
  const found = await check('--sample-rows', '100');
  assert.equal(found.code, 7, found.stderr);
  assert.match(found.stdout, /public\.users\.email is kept, and 100 of 100 sampled values look like/);
  assert.doesNotMatch(found.stdout, /secret-|corp\.example/);
  const reason = 'email: { rule: keep, allow_detected: "made up" }';
  await holdfast.put('policies/shop.yaml', POLICY.replace('email: email', reason));
  assert.equal((await check('--sample-rows', '100')).code, 0);
  const both = await holdfast.problem(['policy', 'check', 'shop', '--schema', '-', '--sample-rows', '9'], 2);
  assert.equal(both.code, 'usage-schema-and-rows');
});

test('a policy of a JSON document is drafted such that nothing of it can be read', async (context) => {
  const holdfast = await commandLine(context);
  await holdfast.put('holdfast.yaml', CONFIGURATION);
  await holdfast.run(['backup', '--stdin', '--document', '--resource', 'settings'], '{"name":"fred","n":[7]}');
  const { stdout, code, stderr } = await holdfast.run(['policy', 'init', 'settings']);
  assert.equal(code, 0, stderr);
  await holdfast.put('policies/settings.yaml', stdout);
  assert.equal((await holdfast.run(['policy', 'check', 'settings'])).code, 0);
  const shown = await holdfast.run(['policy', 'preview', 'settings', 'masked'], '', KEY);
  assert.deepEqual([shown.code, JSON.parse(shown.stdout)], [0, { name: '[redacted]', n: [0] }]);
});

test('a policy of a tree of files has the columns of its CSV files, and leaves out what it does not know', async (context) => {
  const holdfast = await commandLine(context);
  await holdfast.put('holdfast.yaml', CONFIGURATION);
  await holdfast.put('tree/users.csv', 'id,email,city\n1,secret@corp.example,Rome\n');
  await holdfast.put('tree/rows.csv', 'Fred,Miller\nAda,Smith\n');
  await holdfast.put('tree/readme.txt', 'secret');
  const backup = await holdfast.run(['backup', 'tree', '--resource', 'docs']);
  assert.equal(backup.code, 0, backup.stderr);
  const { stdout, code, stderr } = await holdfast.run(['policy', 'init', 'docs']);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /users\.csv"?:\n {4}csv:\n {6}columns:\n {8}id: .*\n {8}email: \{ rule: email/);
  assert.match(stdout, /^ {2}"\*\*": drop {2}# review: 2 more files/m);
  assert.doesNotMatch(stdout, /secret|Fred|Miller|Rome/);
  const file = await holdfast.put('policies/docs.yaml', stdout);
  const checked = await holdfast.run(['policy', 'check', 'docs']);
  assert.equal(checked.code, 0, checked.stdout + checked.stderr);
  const shown = await holdfast.run(['policy', 'preview', 'docs', 'masked', '--rows', '1'], '', KEY);
  assert.match(
    shown.stdout,
    /^\S*tree\/users\.csv\n {2}id +email +city\n {2}1 +\w+@example\.test +\S+\n\n$/,
    shown.stderr,
  );
  await holdfast.put('policies/docs.yaml', stdout.replace(/^ {2}"\*\*".*$/m, ''));
  const refused = await holdfast.run(['policy', 'check', file]);
  assert.equal(refused.code, 7);
  assert.match(refused.stdout, /means the file .*readme\.txt/);
});

test('a policy is checked without a repository and without a key, by what pg_dump prints', async (context) => {
  const holdfast = await commandLine(context);
  const file = await holdfast.put('shop.yaml', POLICY);
  const check = (schema: string, ...words: string[]) =>
    holdfast.run(['policy', 'check', file, '--schema', '-', ...words], schema);
  const fits = await check(definitions() + CONSTRAINTS);
  assert.equal(fits.code, 0, fits.stderr);
  assert.match(fits.stdout, /masked \(masked\): fits\n {2}reduced \(reduced\): fits\n/);

  const drifted = definitions({ table: 'CREATE TABLE public.log (at text);', column: ',\n    phone text' });
  const { code, stdout } = await check(drifted + CONSTRAINTS, '--json');
  assert.equal(code, 7);
  const { fits: isFit, variants } = JSON.parse(stdout);
  assert.equal(isFit, false);
  const problems = variants.map((each: { problems: { code: string; table: string; column?: string }[] }) =>
    each.problems.map(({ code, table, column }) => [code, table, column].join(' ')),
  );
  const both = ['table-not-named public.log ', 'column-not-named public.users phone'];
  assert.deepEqual(problems, [both, [...both, 'subset-unconnected public.log ']]);
  const told = await check(drifted + CONSTRAINTS);
  assert.equal(told.stdout.match(/public\.users\.phone is not named/g)?.length, 1, 'once for all variants');
  assert.match(told.stdout, /\[subset-unconnected, reduced only\]/);

  assert.equal((await check('')).code, 1, 'nothing came through the pipe');
  await holdfast.put('shop.yaml', POLICY.replace('epoch: 1', 'epok: 1'));
  const invalid = await check(definitions() + CONSTRAINTS);
  assert.equal(invalid.code, 7);
  assert.match(invalid.stdout, /line 5, column 1: `epok`.* Did you mean `epoch`\?/);
  assert.equal(
    (await holdfast.problem(['policy', 'check', 'no.yaml', '--schema', '-'], 1)).code,
    'masking-policy-unreadable',
  );
  assert.equal(
    (await holdfast.problem(['policy', 'check', file, '--dialect', 'mysql'], 2)).code,
    'usage-dialect-without-schema',
  );
});

test('a check against a backup tells what has changed since the one that the policy fits', async (context) => {
  const holdfast = await commandLine(context);
  const changed = definitions({ column: ',\n    phone text' }) + ROWS + CONSTRAINTS;
  await shop(holdfast, DUMP, changed, changed);
  const { code, stdout } = await holdfast.run(['policy', 'check', 'shop', ...SQL]);
  assert.equal(code, 7);
  assert.match(
    stdout,
    /Changed since backup-\w+, which the policy fits:\n {2}The column public\.users\.phone is new\.\n$/,
  );
  const plain = await holdfast.run(['policy', 'check', 'shop', '--format', 'bytes']);
  assert.deepEqual([plain.code, /\[file-not-named\]/.test(plain.stdout)], [7, true]);
  assert.match(plain.stdout, /is a dump of PostgreSQL by its first lines[\s\S]*`--format sql`/);
  const { backups } = await holdfast.json(['list']);
  const oldest = backups.at(-1)?.id ?? '';
  const fits = await holdfast.run(['policy', 'check', 'policies/shop.yaml', ...SQL, '--backup', oldest]);
  assert.deepEqual([fits.code, /Changed/.test(fits.stdout)], [0, false]);
});

test('a preview shows masked rows and the sizes of a subset, needs the key, and keeps nothing', async (context) => {
  const holdfast = await commandLine(context);
  await shop(holdfast, DUMP);
  const preview = (...words: string[]) => holdfast.run(['policy', 'preview', 'shop', ...words, ...SQL], '', KEY);
  const masked = await preview('masked', '--rows', '2');
  assert.equal(masked.code, 0, masked.stderr);
  const lines = masked.stdout.split('\n');
  assert.deepEqual(lines.slice(0, 5), [
    'public.orders',
    '  id  user_id  remark',
    '  1   2        NULL',
    '  2   3        NULL',
    '',
  ]);
  assert.match(lines[7] ?? '', /^ {2}1 {3}\w+@example\.test {2}tab\\x09here 1/);
  assert.match(lines[8] ?? '', /^ {2}2 {3}\w+@example\.test {2}NULL$/);
  assert.doesNotMatch(masked.stdout, /secret-|corp\.example|call/i);

  const reduced = JSON.parse((await preview('reduced', '--json')).stdout);
  const sizes = reduced.tables.map((each: { rows: string[][]; size: object }) => [each.rows.length, each.size]);
  assert.deepEqual(sizes, [
    [10, { rows: 15, of: 300 }],
    [5, { rows: 5, of: 100 }],
  ]);
  const users = new Set(reduced.tables[1].rows.map(([id]: string[]) => id));
  for (const [, user] of reduced.tables[0].rows) assert.ok(users.has(user));
  const one = await preview('reduced', '--table', 'public.users');
  assert.match(one.stdout, /^public\.users, 5 of 100 rows\n/);
  assert.doesNotMatch(one.stdout, /public\.orders/);

  const words = ['policy', 'preview', 'shop', 'reduced', ...SQL];
  assert.equal((await holdfast.problem(words, 1)).code, 'secret-missing');
  assert.equal((await holdfast.problem([...words, '--table', 'public.user'], 1, KEY)).code, 'preview-table-missing');
  const { backups } = await holdfast.json(['list']);
  assert.equal(backups.length, 1);
  await holdfast.put('policies/shop.yaml', POLICY.replace('nick: keep, ', ''));
  const blocked = await holdfast.problem(words, 1, KEY);
  assert.equal(blocked.code, 'variant-blocked');
});

test('the schema for editors knows the parts of a policy', async (context) => {
  const holdfast = await commandLine(context);
  const { stdout, code } = await holdfast.run(['policy', 'schema']);
  assert.equal(code, 0);
  const { properties, additionalProperties } = JSON.parse(stdout);
  assert.deepEqual([additionalProperties, 'variants' in properties, 'tables' in properties], [false, true, true]);
});

test('definitions of MySQL and SQLite files are told by how they begin', async (context) => {
  const holdfast = await commandLine(context);
  const policy = (table: string) => `
version: 1
resource: shop-*
key: file:/nowhere
epoch: 1
variants: { masked: { keep: full } }
tables: { ${table}: { columns: { id: keep, email: email } } }
`;
  const file = await holdfast.put('policy.yaml', policy('users'));
  const database = path.join(holdfast.folder, 'app.db');
  const sqlite = new DatabaseSync(database);
  sqlite.exec('CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT)');
  sqlite.close();
  const mysql = await holdfast.put(
    'schema.sql',
    '-- MySQL dump 10.13  Distrib 8.0.36\n\nCREATE TABLE `users` (\n  `id` int NOT NULL,\n  `email` varchar(200) DEFAULT NULL,\n  PRIMARY KEY (`id`)\n) ENGINE=InnoDB;\n',
  );
  for (const schema of [database, mysql]) {
    const { code, stdout, stderr } = await holdfast.run(['policy', 'check', file, '--schema', schema]);
    assert.equal(code, 0, stdout + stderr);
  }
  const both = ['policy', 'check', file, '--schema', mysql, '--backup', 'backup-1'];
  assert.equal((await holdfast.problem(both, 2)).code, 'usage-schema-and-backup');
  assert.equal((await holdfast.problem(['policy', 'check', file], 2)).code, 'usage-resource-missing');
});

test('piped dumps are SQL to a policy of tables, though nobody says so', async (context) => {
  const holdfast = await commandLine(context);
  await shop(holdfast, DUMP);
  const checked = await holdfast.run(['policy', 'check', 'shop']);
  assert.deepEqual([checked.code, checked.stderr], [0, '']);
  const built = await holdfast.run(['variant', 'build', 'shop', 'reduced'], '', KEY);
  assert.equal(built.code, 0, built.stderr);
  const shown = await holdfast.run(['policy', 'preview', 'shop', 'masked'], '', KEY);
  assert.match(shown.stdout, /^public\.users$/m);
});
