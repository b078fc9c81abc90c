import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  chosenKeys,
  type Data,
  has,
  INTEGER,
  POLICY,
  primary,
  reference,
  selected,
  shop,
  TEXT,
  table,
} from '../../../test/subset-rig.ts';
import type { ColumnSchema, ContentSchema, TableSchema } from '../content/content-schema.ts';
import type { SubsetPolicy } from './subset-policy.ts';

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

test('no more children of each parent are taken than allowed where they are in several partitions', () => {
  const column = (name: string): ColumnSchema => ({ ...INTEGER, name });
  const columns = [column('id'), column('user_id')];
  const toUsers = reference('user_id', 'users');
  const rowsFrom = (from: number) => [1, 1, 1, 2, 2].map((user, at) => ({ id: `${from + at}`, user_id: `${user}` }));
  const rows = { users: [{ id: '1' }, { id: '2' }], visits_a: rowsFrom(10), visits_b: rowsFrom(20) };
  const roots = [{ table: 'users' }];
  const follow = [{ from: 'users', to: 'visits', via: ['user_id'], limitPerParent: 2 }];
  for (const isOwn of [false, true]) {
    const keys = { foreignKeys: [toUsers] };
    const ofPart = isOwn ? { foreignKeys: [{ ...toUsers, name: 'own' }] } : keys;
    const part = (name: string) => ({ ...table(name, columns), ...ofPart, parent: 'visits', uniqueKeys: [] });
    const whole: TableSchema = { ...table('visits', columns), ...(isOwn ? {} : keys), isPartitioned: true };
    const tables = [table('users', [column('id')]), whole, part('visits_a'), part('visits_b')];
    const kept = chosenKeys({ ...POLICY, roots, follow }, { schema: { dialect: 'postgresql', tables }, rows });
    assert.equal([...(kept.visits_a ?? []), ...(kept.visits_b ?? [])].length, 4, `${isOwn}`);
  }
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
