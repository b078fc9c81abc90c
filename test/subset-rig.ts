import assert from 'node:assert/strict';
import fc from 'fast-check';
import { HoldfastError } from '../src/core/errors.ts';
import type { ColumnSchema, ContentSchema, ForeignKey, TableSchema } from '../src/downloads/content/content-schema.ts';
import type { RowSelection } from '../src/downloads/masking/row-selection.ts';
import { chooseRows } from '../src/downloads/subset/closure.ts';
import { compileSubset } from '../src/downloads/subset/compile-subset.ts';
import type { SubsetIndex } from '../src/downloads/subset/key-index.ts';
import { KeyIndexBuilder } from '../src/downloads/subset/key-index-builder.ts';
import { selectionOf } from '../src/downloads/subset/selection.ts';
import type { SubsetPlan } from '../src/downloads/subset/subset-plan.ts';
import type { SubsetPolicy } from '../src/downloads/subset/subset-policy.ts';

/* What the tests of subsets choose of. */

export type Row = Record<string, string | null>;

export interface Data {
  schema: ContentSchema;
  rows: Record<string, Row[]>;
}

export const POLICY: SubsetPolicy = {
  seed: 'test',
  roots: [],
  follow: [],
  virtualKeys: [],
  nullOut: [],
  unconnected: new Map([['*', 'none']]),
  dangling: 'fail',
  budget: {},
};

export const INTEGER: ColumnSchema = {
  name: 'id',
  type: 'integer',
  family: 'integer',
  isNullable: false,
  isGenerated: false,
};
export const TEXT: ColumnSchema = { name: 'text', type: 'text', family: 'text', isNullable: true, isGenerated: false };

export function primary(...columns: string[]) {
  return { name: 'key', columns, isPrimary: true, isExpression: false };
}

export function table(name: string, columns: ColumnSchema[]): TableSchema {
  return { name, columns, uniqueKeys: [primary('id')], foreignKeys: [], isPartitioned: false };
}

export function reference(column: string, target: string): ForeignKey {
  return { name: `${column}_key`, columns: [column], target, targetColumns: ['id'] };
}

/** Five users, managed by one before them; three orders of each; two items of each of these; and a table that nothing connects. */
export function shop(): Data {
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

export const database = fc
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

export function planned(policy: SubsetPolicy, schema: ContentSchema): SubsetPlan {
  const result = compileSubset(policy, schema, () => true);
  if ('problems' in result) throw new HoldfastError('invalid', 'problems', JSON.stringify(result.problems));
  return result.plan;
}

/** The whole index by default. */
export function indexed(plan: SubsetPlan, { rows, schema }: Data): SubsetIndex {
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
  for (const [name, all] of Object.entries(rows)) builder.end(name, all.length);
  const { keys, facts } = builder.finish();
  if (keys === undefined || facts === undefined) throw new Error('a part is missing');
  return { ...keys, ...facts };
}

export function selected(policy: SubsetPolicy, data: Data): RowSelection {
  const plan = planned(policy, data.schema);
  const index = indexed(plan, data);
  return selectionOf(plan, index, chooseRows(plan, index));
}

export function has({ tables }: RowSelection, name: string, at: number): boolean {
  return ((tables[name]!.kept[at >> 3]! >> (at & 7)) & 1) === 1;
}

/** The first column of each chosen row, sorted. */
export function chosenKeys(policy: SubsetPolicy, data: Data): Record<string, string[]> {
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

export function assertWhole(selection: RowSelection, data: Data, { name, foreignKeys }: TableSchema, row: Row): void {
  for (const { columns, target, targetColumns } of foreignKeys) {
    const values = columns.map((column) => row[column] ?? null);
    if (values.includes(null)) continue;
    const at = data.rows[target]!.findIndex((each) =>
      targetColumns.every((column, part) => each[column] === values[part]),
    );
    assert.ok(has(selection, target, at), `${name} ${JSON.stringify(row)} needs row ${at} of ${target}`);
  }
}
