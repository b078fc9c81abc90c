import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compiled, ID, PRIMARY, reference, schemaOf, table, unique } from '../../../test/policy-rig.ts';
import type { ColumnSchema, ContentSchema, TableSchema } from '../content/content-schema.ts';
import { schemaDrift } from './schema-drift.ts';

const users = table(
  'users',
  {
    id: ID,
    email: {},
    name: { isNullable: false },
    avatar: {},
    mood: { type: 'mood', family: 'enum', allowedValues: ['good', 'bad'] },
    ref: {},
  },
  { uniqueKeys: [PRIMARY] },
);
const posts = table(
  'posts',
  { id: ID, user_id: ID, title: {} },
  { uniqueKeys: [PRIMARY], foreignKeys: [reference('user_id', 'users')] },
);
const log = table('log', { at: {}, who: {} }, { isPartitioned: true });
const log1 = table('log_1', { at: {}, who: {} }, { parent: 'log' });
const SCHEMA = schemaOf(users, posts, log, log1);
const POLICY = `tables:
  users: { columns: { id: { int: permute }, email: { rule: name, type: text }, name: name, avatar: null, mood: { const: good }, ref: { rule: keep, type: text } } }
  posts: { columns: { id: keep, title: { rule: keep, type: text } } }
  log: { columns: { at: keep, who: name } }
`;

type Change = (schema: ContentSchema) => ContentSchema;

const onTable =
  (name: string, change: (table: TableSchema) => TableSchema): Change =>
  (schema) => ({ ...schema, tables: schema.tables.map((each) => (each.name === name ? change(each) : each)) });
const onColumn = (name: string, column: string, facts: Partial<ColumnSchema>): Change =>
  onTable(name, (of) => ({
    ...of,
    columns: of.columns.map((each) => (each.name === column ? { ...each, ...facts } : each)),
  }));
const addTable =
  (added: TableSchema): Change =>
  (schema) => ({ ...schema, tables: [...schema.tables, added] });

/** What happens to schemas: the difference that is told, and the problem of the policy, where it is one. */
const CHANGES: readonly { change: Change; drift: string; problem?: string }[] = [
  {
    change: onTable('users', (of) => ({
      ...of,
      columns: [...of.columns, { ...of.columns[1]!, name: 'phone', type: 'varchar' }],
    })),
    drift: 'column-added users phone',
    problem: 'column-not-named users phone',
  },
  {
    change: onTable('users', (of) => ({ ...of, columns: of.columns.filter(({ name }) => name !== 'avatar') })),
    drift: 'column-removed users avatar',
    problem: 'column-matches-nothing users avatar',
  },
  {
    change: onColumn('posts', 'title', { name: 'heading' }),
    drift: 'column-renamed posts heading',
    problem: 'column-not-named posts heading',
  },
  {
    change: onColumn('posts', 'title', { type: 'character varying(80)' }),
    drift: 'type-changed posts title',
    problem: 'type-changed posts title',
  },
  {
    change: onColumn('users', 'name', { type: 'bytea', family: 'bytes' }),
    drift: 'type-changed users name',
    problem: 'type-not-accepted users name',
  },
  { change: addTable(table('cards', { pan: {} })), drift: 'table-added cards', problem: 'table-not-named cards' },
  {
    change: (schema) => ({ ...schema, tables: schema.tables.filter(({ name }) => name !== 'posts') }),
    drift: 'table-removed posts',
    problem: 'table-matches-nothing posts',
  },
  {
    change: onColumn('users', 'avatar', { isNullable: false }),
    drift: 'nullability-changed users avatar',
    problem: 'null-not-allowed users avatar',
  },
  {
    change: onTable('users', (of) => ({ ...of, uniqueKeys: [...of.uniqueKeys, unique('email')] })),
    drift: 'unique-key-added users email',
    problem: 'uniqueness-lost users email',
  },
  {
    change: onTable('posts', (of) => ({
      ...of,
      foreignKeys: [...of.foreignKeys, reference('title', 'users', 'name')],
    })),
    drift: 'foreign-key-added posts title',
    problem: 'foreign-key-differs posts title',
  },
  {
    change: onTable('posts', (of) => ({ ...of, foreignKeys: [reference('user_id', 'log', 'at')] })),
    drift: 'foreign-key-retargeted posts user_id',
  },
  {
    change: onTable('posts', (of) => ({ ...of, foreignKeys: [] })),
    drift: 'foreign-key-removed posts user_id',
    problem: 'column-not-named posts user_id',
  },
  { change: onColumn('users', 'mood', { allowedValues: ['good', 'bad', 'new'] }), drift: 'values-changed users mood' },
  {
    change: onColumn('users', 'mood', { allowedValues: ['fine', 'bad'] }),
    drift: 'values-changed users mood',
    problem: 'value-not-allowed users mood',
  },
  {
    change: onColumn('users', 'name', { isGenerated: true }),
    drift: 'generation-changed users name',
    problem: 'generated-column users name',
  },
  { change: addTable(table('log_2', { at: {}, who: {} }, { parent: 'log' })), drift: 'partition-added log_2' },
  {
    change: addTable(table('log_3', { at: {}, who: {}, note: {} }, { parent: 'log' })),
    drift: 'partition-added log_3',
    problem: 'column-not-named log_3 note',
  },
];

const words = (...parts: (string | undefined)[]) => parts.filter((part) => part !== undefined).join(' ');

test('a schema that stayed as it was has no drift, and its policy no problem', () => {
  assert.deepEqual(schemaDrift(SCHEMA, structuredClone(SCHEMA)), []);
  assert.deepEqual(compiled(POLICY, SCHEMA).problems, []);
});

test('every kind of change is told, and stops the variant where the policy does not cover it', () => {
  for (const { change, drift, problem } of CHANGES) {
    const after = change(SCHEMA);
    const told = schemaDrift(SCHEMA, after).map(({ kind, table: name, column }) => words(kind, name, column));
    assert.ok(told.includes(drift), `${drift} is not in ${told.join(', ')}`);
    const problems = compiled(POLICY, after).problems.map(({ code, table: name, column }) => words(code, name, column));
    if (problem === undefined) assert.deepEqual(problems, [], drift);
    else assert.ok(problems.includes(problem), `${problem} is not in ${problems.join(', ')}`);
  }
});

test('a column that stands nowhere in the policy never passes, whatever else changes', () => {
  const change = fc.constantFrom(...CHANGES.map((each) => each.change));
  fc.assert(
    fc.property(
      fc.array(change, { maxLength: 5 }),
      fc.constantFrom('users', 'posts', 'log', 'log_1'),
      (changes, name) => {
        const changed = changes.reduce((schema, each) => each(schema), SCHEMA);
        if (!changed.tables.some((each) => each.name === name)) return;
        const { plan, problems } = compiled(
          POLICY,
          onTable(name, (of) => ({ ...of, columns: [...of.columns, { ...users.columns[1]!, name: 'leak' }] }))(changed),
        );
        assert.equal(plan, undefined);
        assert.ok(
          problems.some(
            ({ code, table: of, column }) => code === 'column-not-named' && of === name && column === 'leak',
          ),
        );
      },
    ),
    { numRuns: 200 },
  );
});
