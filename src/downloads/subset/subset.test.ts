import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { HoldfastError } from '../../core/errors.ts';
import type { ColumnSchema, ContentSchema, ForeignKey, TableSchema } from '../content/content-schema.ts';
import type { RowSelection } from '../masking/row-selection.ts';
import { chooseRows } from './closure.ts';
import { compileSubset, indexFingerprint } from './compile-subset.ts';
import type { KeyIndex } from './key-index.ts';
import { KeyIndexBuilder } from './key-index-builder.ts';
import { keyIndexBytes, readKeyIndex } from './key-index-file.ts';
import { selectionOf } from './selection.ts';
import type { SubsetPlan } from './subset-plan.ts';
import type { SubsetPolicy } from './subset-policy.ts';

type Row = Record<string, string | null>;

interface Data {
  schema: ContentSchema;
  rows: Record<string, Row[]>;
}

const POLICY: SubsetPolicy = {
  seed: 'test',
  roots: [],
  follow: [],
  virtualKeys: [],
  nullOut: [],
  unconnected: new Map([['*', 'none']]),
  dangling: 'fail',
  budget: {},
};

test('each reference of a chosen row leads to a chosen row, whatever the references and their cycles', () => {
  fc.assert(
    fc.property(database, fc.double({ min: 0, max: 1, noNaN: true }), ({ data, follow }, sample) => {
      const policy = { ...POLICY, roots: [{ table: 't0', sample }], follow };
      const selection = selected(policy, data);
      for (const table of data.schema.tables)
        for (const [at, row] of (data.rows[table.name] ?? []).entries())
          if (has(selection, table.name, at)) assertWhole(selection, data, table, row);
    }),
    { numRuns: 150 },
  );
});

test('a smaller share lies within a larger one', () => {
  fc.assert(
    fc.property(database, fc.double({ min: 0, max: 0.5, noNaN: true }), ({ data, follow }, sample) => {
      const of = (share: number) => selected({ ...POLICY, roots: [{ table: 't0', sample: share }], follow }, data);
      const [small, large] = [of(sample), of(sample * 2)];
      for (const { name } of data.schema.tables)
        for (const at of (data.rows[name] ?? []).keys())
          assert.ok(!has(small, name, at) || has(large, name, at), `${name} ${at}`);
    }),
    { numRuns: 60 },
  );
});

test('the same rows are chosen in whatever order they come', () => {
  fc.assert(
    fc.property(database, fc.infiniteStream(fc.double({ noNaN: true })), ({ data, follow }, random) => {
      const policy = { ...POLICY, roots: [{ table: 't0', sample: 0.5, limit: 5 }], follow };
      const rows = Object.fromEntries(
        Object.entries(data.rows).map(([name, all]) => {
          const places = new Map(all.map((row) => [row, random.next().value as number]));
          return [name, [...all].sort((one, other) => places.get(one)! - places.get(other)!)];
        }),
      );
      assert.deepEqual(chosenKeys(policy, { ...data, rows }), chosenKeys(policy, data));
    }),
    { numRuns: 40 },
  );
});

test('an index that is stored and read again chooses the same', async () => {
  await fc.assert(
    fc.asyncProperty(database, fc.integer({ min: 1, max: 200 }), async ({ data, follow }, size) => {
      const policy = { ...POLICY, roots: [{ table: 't0', sample: 0.5, newest: { count: 10, by: 'id' } }], follow };
      const plan = planned(policy, data.schema);
      const index = indexed(plan, data);
      const parts: Uint8Array[] = [];
      for await (const part of keyIndexBytes(index)) parts.push(part);
      const bytes = Buffer.concat(parts);
      const again = await readKeyIndex(inPieces(bytes, size));
      assert.deepEqual(
        selectionOf(plan, again, chooseRows(plan, again)),
        selectionOf(plan, index, chooseRows(plan, index)),
      );
      for (const damaged of [bytes.subarray(0, -1), Buffer.concat([bytes, Buffer.from('x')]), Buffer.alloc(3)])
        await assert.rejects(readKeyIndex(inPieces(damaged, size)), { code: 'key-index-damaged' });
    }),
    { numRuns: 30 },
  );
});

test('children are taken along the edges that are followed alone, and no more of each parent than allowed', () => {
  const data = shop();
  const follow = [{ from: 'users', to: 'orders', via: ['user_id'], limitPerParent: 2 }];
  const policy: SubsetPolicy = {
    ...POLICY,
    roots: [{ table: 'users', where: { kind: 'compare', column: 'id', operator: '=', value: 3 } }],
    follow,
  };
  const kept = chosenKeys(policy, data);
  assert.deepEqual(kept.users, ['1', '3']);
  assert.equal(kept.orders?.length, 2);
  assert.deepEqual(kept.items, []);
  const items = chosenKeys(
    { ...policy, follow: [...follow, { from: 'orders', to: 'items', via: ['order_id'] }] },
    data,
  );
  assert.equal(items.items?.length, 4);
});

test('a reference that is cut becomes NULL where its row is not chosen, and stays where it is', () => {
  const data = shop();
  const roots = [{ table: 'users', where: { kind: 'in', column: 'id', values: [3, 4, 5] } as const }];
  const selection = selected({ ...POLICY, roots, nullOut: [{ table: 'users', columns: ['manager_id'] }] }, data);
  const cut = selection.tables.users!.cut;
  assert.equal(cut.length, 1);
  assert.deepEqual(cut[0]?.columns, ['manager_id']);
  // 3 is managed by 1, 4 by 2, 5 by 3, who is chosen.
  const bit = (at: number) => (cut[0]!.rows[at >> 3]! >> (at & 7)) & 1;
  assert.deepEqual([bit(2), bit(3), bit(4)], [1, 1, 0]);
  assert.deepEqual([has(selection, 'users', 0), has(selection, 'users', 1)], [false, false]);
});

test('references that lead nowhere stop the subset, become NULL, take their row along or stay, as the policy says', () => {
  const data = shop();
  data.rows.orders!.push({ id: '99', user_id: '77' });
  data.rows.items!.push({ id: '999', order_id: '99' });
  const roots = [{ table: 'items' }];
  const with_ = (dangling: SubsetPolicy['dangling']) => ({ ...POLICY, roots, dangling });
  assert.throws(() => selected(with_('fail'), data), { code: 'variant-failed', message: /orders \(user_id\) → users/ });
  const ordinal = data.rows.orders!.length - 1;
  const cut = selected(with_('null'), data).tables.orders!.cut[0]!;
  assert.ok((cut.rows[ordinal >> 3]! >> (ordinal & 7)) & 1);
  const dropped = chosenKeys(with_('drop'), data);
  assert.ok(!dropped.orders!.includes('99') && !dropped.items!.includes('999') && dropped.items!.length > 10);
  assert.ok(chosenKeys(with_('keep'), data).orders!.includes('99'));
});

test('rows of partitions are referred to by their partitioned table', () => {
  const column = (name: string): ColumnSchema => ({ ...INTEGER, name });
  const part = (name: string, parent?: string): TableSchema => ({
    ...table(name, [column('id')]),
    ...(parent === undefined ? { isPartitioned: true } : { parent, uniqueKeys: [] }),
  });
  const events = {
    ...table('marks', [column('id'), column('event_id')]),
    foreignKeys: [reference('event_id', 'events')],
  };
  const schema: ContentSchema = {
    dialect: 'postgresql',
    tables: [part('events'), part('events_a', 'events'), part('events_b', 'events'), events],
  };
  const rows = {
    events_b: [{ id: '10' }, { id: '11' }],
    marks: [
      { id: '1', event_id: '11' },
      { id: '2', event_id: '3' },
    ],
    events_a: [{ id: '1' }, { id: '2' }, { id: '3' }],
  };
  const selection = selected({ ...POLICY, roots: [{ table: 'marks' }] }, { schema, rows });
  assert.deepEqual(
    [0, 1].map((at) => has(selection, 'events_b', at)),
    [false, true],
  );
  assert.deepEqual(
    [0, 1, 2].map((at) => has(selection, 'events_a', at)),
    [false, false, true],
  );
});

test('polymorphic references and references within JSON are followed where the policy knows of them', () => {
  const schema: ContentSchema = {
    dialect: 'postgresql',
    tables: [
      table('posts', [INTEGER]),
      table('photos', [INTEGER]),
      table('comments', [
        INTEGER,
        { ...INTEGER, name: 'on_id' },
        { ...TEXT, name: 'on_type' },
        { ...TEXT, name: 'data', family: 'json' },
      ]),
    ],
  };
  const ids = ['1', '2', '9007199254740993'].map((id) => ({ id }));
  const rows = {
    posts: ids,
    photos: ids,
    comments: [
      { id: '1', on_id: '2', on_type: 'Post', data: null },
      { id: '2', on_id: '1', on_type: 'Photo', data: '{"see":{"photo":9007199254740993}}' },
      { id: '3', on_id: '7', on_type: 'Post', data: 'no json' },
    ],
  };
  const key = { table: 'comments', targetColumns: ['id'] };
  const policy: SubsetPolicy = {
    ...POLICY,
    roots: [{ table: 'comments' }],
    virtualKeys: [
      { ...key, columns: ['on_id'], target: 'posts', when: new Map([['on_type', 'Post']]) },
      { ...key, columns: ['on_id'], target: 'photos', when: new Map([['on_type', 'Photo']]) },
      { ...key, columns: ['data'], jsonPath: ['see', 'photo'], target: 'photos' },
    ],
  };
  const kept = chosenKeys(policy, { schema, rows });
  assert.deepEqual([kept.posts, kept.photos], [['2'], ['1', '9007199254740993']]);
});

test('what a policy cannot mean is named: tables, columns, edges, what nothing connects, NULL where it may not be', () => {
  const { schema } = shop();
  const all: SubsetPolicy = {
    ...POLICY,
    roots: [{ table: 'users', sample: 0.1 }, { table: 'user' }, { table: 'orders', newest: { count: 1, by: 'made' } }],
    follow: [{ from: 'users', to: 'items', via: ['order_id'] }],
    nullOut: [
      { table: 'orders', columns: ['user_id'] },
      { table: 'users', columns: ['id'] },
    ],
    unconnected: new Map(),
  };
  const result = compileSubset(all, schema, () => true);
  assert.ok('problems' in result);
  assert.deepEqual(
    result.problems.map(({ code, table: name }) => `${code} ${name}`),
    [
      'subset-cut-impossible orders',
      'subset-edge-missing users',
      'subset-table-missing user',
      'subset-column-missing orders',
      'subset-edge-missing items',
      'subset-unconnected alone',
    ],
  );
  for (const { suggestion } of result.problems) assert.ok(suggestion.length > 10);
});

test('a budget of rows stops a subset that is too large, and says which tables are', () => {
  const policy = { ...POLICY, roots: [{ table: 'items' }], budget: { maxRows: 10 } };
  assert.throws(() => selected(policy, shop()), { code: 'variant-over-budget', message: /items: 30/ });
});

test('shares, limits and budgets need no other index; seeds, conditions and keys do', () => {
  const { schema } = shop();
  const of = (policy: Partial<SubsetPolicy>) =>
    indexFingerprint(planned({ ...POLICY, roots: [{ table: 'users', sample: 0.1 }], ...policy }, schema));
  assert.equal(of({ roots: [{ table: 'users', sample: 0.2, limit: 5 }], budget: { maxRows: 1 } }), of({}));
  assert.equal(of({ nullOut: [{ table: 'users', columns: ['manager_id'] }] }), of({}));
  assert.notEqual(of({ seed: 'other' }), of({}));
  assert.notEqual(of({ roots: [{ table: 'users', sample: 0.1, where: { kind: 'null', column: 'id' } }] }), of({}));
});

test('columns that may hold the same key in another spelling are found as their database finds them', () => {
  const code = (type: string): ColumnSchema => ({ ...TEXT, name: 'code', type });
  const pair = (dialect: ContentSchema['dialect'], type: string, keys: [string, string]) => {
    const countries = { ...table('countries', [code(type)]), uniqueKeys: [primary('code')] };
    const towns = {
      ...table('towns', [INTEGER, code(type)]),
      foreignKeys: [{ ...reference('code', 'countries'), targetColumns: ['code'] }],
    };
    const data: Data = {
      schema: { dialect, tables: [countries, towns] },
      rows: { countries: [{ code: keys[0] }], towns: [{ id: '1', code: keys[1] }] },
    };
    return () => has(selected({ ...POLICY, roots: [{ table: 'towns' }] }, data), 'countries', 0);
  };
  assert.ok(pair('mysql', 'varchar(5)', ['Ä', 'a '])());
  assert.ok(pair('postgresql', 'character(5)', ['ab   ', 'ab'])());
  assert.ok(pair('postgresql', 'public.citext', ['AB', 'ab'])());
  assert.throws(pair('postgresql', 'text', ['AB', 'ab']), { code: 'variant-failed' });
});

const INTEGER: ColumnSchema = { name: 'id', type: 'integer', family: 'integer', isNullable: false, isGenerated: false };
const TEXT: ColumnSchema = { name: 'text', type: 'text', family: 'text', isNullable: true, isGenerated: false };

function primary(...columns: string[]) {
  return { name: 'key', columns, isPrimary: true, isExpression: false };
}

function table(name: string, columns: ColumnSchema[]): TableSchema {
  return { name, columns, uniqueKeys: [primary('id')], foreignKeys: [], isPartitioned: false };
}

function reference(column: string, target: string): ForeignKey {
  return { name: `${column}_key`, columns: [column], target, targetColumns: ['id'] };
}

/** Five users, managed by one before them; three orders of each; two items of each of these; and a table that nothing connects. */
function shop(): Data {
  const nullable = { ...INTEGER, isNullable: true };
  const users = {
    ...table('users', [INTEGER, { ...nullable, name: 'manager_id' }]),
    foreignKeys: [reference('manager_id', 'users')],
  };
  const orders = {
    ...table('orders', [INTEGER, { ...INTEGER, name: 'user_id' }]),
    foreignKeys: [reference('user_id', 'users')],
  };
  const items = {
    ...table('items', [INTEGER, { ...INTEGER, name: 'order_id' }]),
    foreignKeys: [reference('order_id', 'orders')],
  };
  const managers = [null, null, '1', '2', '3'];
  const three = (count: number, make: (at: number) => Row) => Array.from({ length: count }, (_, at) => make(at));
  return {
    schema: { dialect: 'postgresql', tables: [users, orders, items, table('alone', [INTEGER])] },
    rows: {
      users: three(5, (at) => ({ id: `${at + 1}`, manager_id: managers[at]! })),
      orders: three(15, (at) => ({ id: `${at + 1}`, user_id: `${(at % 5) + 1}` })),
      items: three(30, (at) => ({ id: `${at + 1}`, order_id: `${(at % 15) + 1}` })),
      alone: [{ id: '1' }],
    },
  };
}

const database = fc
  .record({
    sizes: fc.array(fc.integer({ min: 1, max: 25 }), { minLength: 1, maxLength: 6 }),
    kinds: fc.infiniteStream(fc.nat()),
  })
  .map(({ sizes, kinds }) => randomDatabase(sizes, () => kinds.next().value as number));

/** Tables t0, t1 …, whose keys are integers, UUIDs or two columns, with references among them that may be NULL or not. */
function randomDatabase(sizes: number[], random: () => number) {
  const keyOf = sizes.map(() => random() % 3);
  const keyColumns = (at: number): ColumnSchema[] =>
    keyOf[at] === 0
      ? [INTEGER]
      : keyOf[at] === 1
        ? [{ ...TEXT, name: 'id' }]
        : [
            { ...TEXT, name: 'id' },
            { ...INTEGER, name: 'part' },
          ];
  const keyValues = (at: number, row: number): string[] => {
    const base = row * (1 + (at % 3)) + (at % 2 === 0 ? 0 : 2 ** 33);
    if (keyOf[at] === 0) return [`${base}`];
    return keyOf[at] === 1
      ? [`0000000${at}-0000-4000-8000-${`${row}`.padStart(12, '0')}`]
      : [`name ${row >> 1}`, `${row & 1}`];
  };
  const rows: Data['rows'] = {};
  const follow: SubsetPolicy['follow'][number][] = [];
  const tables = sizes.map((size, at): TableSchema => {
    const own = keyColumns(at);
    const columns = [...own];
    const foreignKeys: ForeignKey[] = [];
    const all: Row[] = Array.from({ length: size }, (_, row) =>
      Object.fromEntries(own.map(({ name }, part) => [name, keyValues(at, row)[part]!])),
    );
    for (let number = random() % 4; number > 0; number--) {
      const target = random() % sizes.length;
      const targetColumns = keyColumns(target);
      const names = targetColumns.map(({ name }) => `f${number}_${name}`);
      const isNullable = random() % 2 === 0;
      columns.push(...targetColumns.map((column, part) => ({ ...column, name: names[part]!, isNullable })));
      foreignKeys.push({
        name: `f${number}`,
        columns: names,
        target: `t${target}`,
        targetColumns: targetColumns.map(({ name }) => name),
      });
      if (random() % 3 === 0)
        follow.push({
          from: `t${target}`,
          to: `t${at}`,
          via: names,
          ...(random() % 2 === 0 ? { limitPerParent: 2 } : {}),
        });
      for (const row of all) {
        const values = keyValues(target, random() % sizes[target]!);
        const isNull = isNullable && random() % 3 === 0;
        for (const [part, name] of names.entries())
          row[name] = isNull && (part === 0 || random() % 2 === 0) ? null : values[part]!;
      }
    }
    rows[`t${at}`] = all;
    return {
      name: `t${at}`,
      columns,
      uniqueKeys: [primary(...own.map(({ name }) => name))],
      foreignKeys,
      isPartitioned: false,
    };
  });
  const data: Data = { schema: { dialect: 'postgresql', tables }, rows };
  return { data, follow };
}

function planned(policy: SubsetPolicy, schema: ContentSchema): SubsetPlan {
  const result = compileSubset(policy, schema, () => true);
  if ('problems' in result) throw new HoldfastError('invalid', 'problems', JSON.stringify(result.problems));
  return result.plan;
}

function indexed(plan: SubsetPlan, { rows, schema }: Data): KeyIndex {
  const builder = new KeyIndexBuilder(plan);
  for (const [name, all] of Object.entries(rows)) {
    const columns = schema.tables.find((each) => each.name === name)?.columns.map((column) => column.name) ?? ['id'];
    const wanted = builder.begin(name, columns) ?? [];
    for (const [at, row] of all.entries())
      builder.row(
        name,
        at,
        wanted.map((index) => row[columns[index]!] ?? null),
      );
  }
  return builder.finish();
}

function selected(policy: SubsetPolicy, data: Data): RowSelection {
  const plan = planned(policy, data.schema);
  const index = indexed(plan, data);
  return selectionOf(plan, index, chooseRows(plan, index));
}

function has({ tables }: RowSelection, name: string, at: number): boolean {
  return ((tables[name]!.kept[at >> 3]! >> (at & 7)) & 1) === 1;
}

/** The first column of each chosen row, sorted. */
function chosenKeys(policy: SubsetPolicy, data: Data): Record<string, string[]> {
  const selection = selected(policy, data);
  return Object.fromEntries(
    Object.entries(data.rows).map(([name, rows]) => [
      name,
      rows
        .filter((_, at) => has(selection, name, at))
        .map((row) => Object.values(row).join('|'))
        .map((text) => text.split('|').slice(0, 1).join(''))
        .sort(),
    ]),
  );
}

function assertWhole(selection: RowSelection, data: Data, { name, foreignKeys }: TableSchema, row: Row): void {
  for (const { columns, target, targetColumns } of foreignKeys) {
    const values = columns.map((column) => row[column] ?? null);
    if (values.includes(null)) continue;
    const at = data.rows[target]!.findIndex((each) =>
      targetColumns.every((column, part) => each[column] === values[part]),
    );
    assert.ok(has(selection, target, at), `${name} ${JSON.stringify(row)} needs row ${at} of ${target}`);
  }
}

async function* inPieces(bytes: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}
