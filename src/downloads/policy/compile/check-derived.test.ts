import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compiled, ID, PRIMARY, reference, schemaOf, table, unique } from '../../../../test/policy-rig.ts';
import { schemaOf as contentOf } from '../../../../test/variant-rig.ts';
import type { ColumnSchema, ContentDialect, TableSchema } from '../../content/content-schema.ts';
import type { PolicyProblem } from './policy-problem.ts';

const SEARCH = { type: 'tsvector', family: 'search' } as const satisfies Partial<ColumnSchema>;
const posts = table(
  'posts',
  {
    id: ID,
    title: {},
    slug: { isNullable: false },
    words: SEARCH,
    place: { type: 'point', family: 'geometry', isNullable: false },
  },
  { uniqueKeys: [PRIMARY, unique('slug')] },
);

function problemsOf(
  columns: string,
  {
    of = posts,
    dialect = 'postgresql',
    others = [],
  }: {
    of?: TableSchema;
    dialect?: ContentDialect;
    others?: TableSchema[];
  } = {},
): readonly PolicyProblem[] {
  const rest = others.map(({ name }) => `\n  ${name}: { columns: { id: keep } }`).join('');
  return compiled(`tables:\n  posts: { columns: ${columns} }${rest}\n`, { ...schemaOf(of, ...others), dialect })
    .problems;
}

function codes(problems: readonly PolicyProblem[]): string[] {
  return problems.map(({ code, column }) => `${code} ${column}`);
}

test('a column may be derived of others, with a value in the meantime where it must have one', () => {
  const columns = `{ id: keep, title: lorem, slug: { rule: { derive: "lower(title)" }, allow_uniqueness_loss: "titles differ" },
    words: { derive: { expression: "to_tsvector('simple', title)" } }, place: { derive: { expression: "point(id, 0)", meanwhile: "(0,0)" } } }`;
  assert.deepEqual(problemsOf(columns), []);
});

test('a derived column must not be one that rows are known by', () => {
  const keyed = table(
    'posts',
    { id: ID, title: { isNullable: false }, other: ID },
    {
      uniqueKeys: [PRIMARY],
      foreignKeys: [reference('other', 'authors')],
    },
  );
  const authors = table('authors', { id: ID }, { uniqueKeys: [PRIMARY] });
  const told = problemsOf('{ id: { derive: "length(title)" }, title: keep, other: { derive: "length(title)" } }', {
    of: keyed,
    others: [authors],
  });
  assert.deepEqual(
    codes(told).filter((code) => code.startsWith('derive')),
    ['derive-not-possible id', 'derive-not-possible other'],
  );
});

test('a derived column must be of a table that the dump makes: others may have rows already', async () => {
  const { tables } = await contentOf(
    "SET client_encoding = 'UTF8';\nCOPY public.posts (id, title, words) FROM stdin;\n1\ta\t\\N\n\\.\n",
  );
  const columns = '{ id: keep, title: keep, words: { derive: "upper(title)" } }';
  const { problems } = compiled(`tables:\n  public.posts: { columns: ${columns} }\n`, schemaOf(...tables));
  assert.deepEqual(codes(problems), ['derive-not-possible words']);
});

test('a derived column that loses its uniqueness, or has no value in the meantime, is a problem', () => {
  const told = problemsOf(
    '{ id: keep, title: keep, slug: { derive: "lower(title)" }, words: null, place: { derive: "point(id, 0)" } }',
  );
  assert.deepEqual(codes(told), ['null-not-allowed place', 'uniqueness-lost slug']);
  assert.match(told[0]?.suggestion ?? '', /meanwhile/);
});

test('an expression must be one, and read columns that are there when it is computed', () => {
  const words = (expression: string, title = 'keep') =>
    problemsOf(`{ id: keep, title: ${title}, slug: keep, words: { derive: "${expression}" }, place: keep }`);
  assert.deepEqual(codes(words("to_tsvector('simple', title)")), []);
  for (const expression of [
    'title; DROP TABLE posts',
    'lower(title',
    "'title",
    'title, slug',
    'title -- all',
    '(select title)',
  ])
    assert.deepEqual(codes(words(expression)), ['options-invalid words'], expression);
  assert.match(words("to_tsvector('simple', titel)")[0]?.suggestion ?? '', /Did you mean `title`/);
  assert.deepEqual(codes(words("to_tsvector('simple', 'title')")), ['reads-unknown-column words']);
  assert.deepEqual(codes(words('words || title::tsvector')), ['reads-in-a-circle words']);
  const both = words("to_tsvector('simple', title)", '{ derive: "lower(slug)" }');
  assert.deepEqual(codes(both), ['reads-in-a-circle words']);
  const reading = words("to_tsvector('simple', slug)", '{ template: "{words}" }');
  assert.deepEqual(codes(reading), ['reads-unknown-column title']);
});

test('only SQL of a database derives columns, and whole ones', () => {
  const columns = '{ id: keep, title: keep, slug: keep, words: { derive: "upper(title)" }, place: keep }';
  assert.deepEqual(codes(problemsOf(columns, { dialect: 'mysql' })), []);
  assert.deepEqual(codes(problemsOf(columns, { dialect: 'sqlite' })), ['derive-not-possible words']);
  const csv = compiled(`files: { "**/a.csv": { csv: { columns: { a: keep, b: { derive: "upper(a)" } } } } }`, {
    dialect: 'csv',
    tables: [],
  });
  assert.deepEqual(codes(csv.problems), ['derive-not-possible b']);
  const document = compiled('document: { paths: { "$.a": { derive: "upper(a)" } } }', 'document');
  assert.deepEqual(codes(document.problems), ['derive-not-possible $.a']);
  const nested = table('posts', { id: ID, title: { type: 'text[]', family: 'array' } }, { uniqueKeys: [PRIMARY] });
  assert.match(
    problemsOf('{ id: keep, title: { array: { derive: "lower(title)" } } }', { of: nested })[0]?.message ?? '',
    /whole columns/,
  );
});

test('a unique key of MySQL, which is there before the rows, takes no value in the meantime but NULL', () => {
  const derived = '{ rule: { derive: "lower(title)" }, allow_uniqueness_loss: "titles differ" }';
  const columns = `{ id: keep, title: keep, slug: ${derived}, words: null, place: keep }`;
  assert.deepEqual(codes(problemsOf(columns, { dialect: 'mysql' })), ['derive-not-possible slug']);
  const mayBeNull = {
    ...posts,
    columns: posts.columns.map((column) => ({ ...column, isNullable: column.name !== 'id' })),
  };
  assert.deepEqual(codes(problemsOf(columns, { dialect: 'mysql', of: mayBeNull })), []);
});
