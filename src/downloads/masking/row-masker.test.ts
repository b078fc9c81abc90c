import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HoldfastError } from '../../core/errors.ts';
import type { ColumnPlan, Rule, TablePlan } from '../variant-plan.ts';
import { RowMasker } from './row-masker.ts';
import { TRANSFORMERS } from './transformers.ts';
import { variantKey } from './variant-keys.ts';

const KEY = variantKey(Buffer.alloc(32, 1), { resource: 'shop', variant: 'masked', epoch: '2026' });

function rule(transformer: string, options: Record<string, unknown> = {}, rest: Partial<Rule> = {}): Rule {
  const parsed = TRANSFORMERS.get(transformer)?.options.parse(options) ?? {};
  return { transformer, options: parsed, domain: transformer, normalise: [], ...rest };
}

function column(name: string, columnRule: Rule, rest: Partial<ColumnPlan> = {}): ColumnPlan {
  return { column: name, rule: columnRule, family: 'text', isNullable: true, ...rest };
}

function plan(columns: readonly ColumnPlan[], rest: Partial<TablePlan> = {}): TablePlan {
  return { table: 'public.users', fate: 'rows', columns, ...rest };
}

function masked(table: TablePlan, values: (string | null)[], key = KEY): (string | null)[] {
  const row = [...values];
  new RowMasker(
    table,
    table.columns.map(({ column: name }) => name),
    key,
  ).mask(row);
  return row;
}

function failure(run: () => unknown): HoldfastError {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof HoldfastError, String(error));
    return error;
  }
  return assert.fail('nothing was thrown');
}

const users = plan([
  column('id', rule('keep'), { family: 'integer' }),
  column('email', rule('email')),
  column('name', rule('name')),
  column('note', rule('null')),
]);

test('what is kept stays, what has a rule is replaced, NULL stays NULL and an empty text stays empty', () => {
  const [id, email, name, note] = masked(users, ['7', 'anna@example.com', 'Anna', 'secret']);
  assert.equal(id, '7');
  assert.match(email ?? '', /^[0-9a-z]{26}@example\.test$/);
  assert.match(name ?? '', /^[A-Z][a-z]+ [A-Z][a-z]+$/);
  assert.equal(note, null);
  assert.deepEqual(masked(users, ['8', null, '', null]), ['8', null, '', null]);
});

test('only the columns with a rule are changed, and only what rules and conditions read is needed', () => {
  const table = plan(
    [
      column('id', rule('keep')),
      column('born', rule('date', { shift: { by: 'id', days: 30 } }), { family: 'date' }),
      column('first', rule('first_name')),
      column('kind', rule('keep')),
      column('plan', rule('keep')),
      column('login', rule('template', { text: '{first}.{plan}' })),
    ],
    { unless: { kind: 'compare', column: 'kind', operator: '=', value: 'staff' } },
  );
  const masker = new RowMasker(table, ['login', 'plan', 'kind', 'first', 'born', 'id'], KEY);
  assert.deepEqual(masker.changed, [0, 3, 4]);
  assert.deepEqual(masker.needed, [0, 1, 2, 3, 4, 5]);
  const nothing = new RowMasker(plan([column('id', rule('keep'))]), ['id'], KEY);
  assert.deepEqual([nothing.changed, nothing.needed], [[], []]);
});

test('a template is made of columns as they are masked, whatever the order, also through another template', () => {
  const table = plan([
    column('address', rule('template', { text: '<{login|lower}>' })),
    column('login', rule('template', { text: '{first}_{kept}' })),
    column('first', rule('first_name')),
    column('kept', rule('keep')),
  ]);
  const [address, login, first] = masked(table, ['a@b.c', 'anna', 'Anna', 'K']);
  assert.equal(login, `${first}_K`);
  assert.notEqual(first, 'Anna');
  assert.equal(address, `<${first?.toLowerCase()}_k>`);
  assert.equal(masked(table, ['a@b.c', 'anna', null, 'K'])[1], '_K');
});

test('templates that read each other are refused, and so is one that reads itself', () => {
  const pair = plan([column('a', rule('template', { text: '{b}' })), column('b', rule('template', { text: '{a}' }))]);
  assert.match(failure(() => new RowMasker(pair, ['a', 'b'], KEY)).message, /own output/);
  const self = plan([column('a', rule('template', { text: '{a}' }))]);
  assert.match(failure(() => new RowMasker(self, ['a'], KEY)).message, /own output/);
});

test('dates of one entity are shifted by the same days, those of others by other ones', () => {
  const shift = rule('date', { shift: { by: 'patient', days: 300 } });
  const table = plan([
    column('patient', rule('uuid')),
    column('from', shift, { family: 'date' }),
    column('to', shift, { family: 'timestamp' }),
  ]);
  const days = (text: string | null) => Date.parse(`${(text ?? '').slice(0, 10)}T00:00:00Z`) / 86_400_000;
  const shifts = ['p1', 'p1', 'p2', 'p3', 'p4'].map((patient) => {
    const [, from = null, to = null] = masked(table, [patient, '2026-01-31', '2026-03-02 10:00:00.5+01']);
    assert.equal(days(to) - days(from), 30);
    assert.match(to ?? '', / 10:00:00\.5\+01$/);
    return days(from) - days('2026-01-31');
  });
  assert.equal(shifts[0], shifts[1]);
  assert.ok(new Set(shifts).size > 2);
  assert.ok(shifts.every((shifted) => shifted !== 0 && Math.abs(shifted) <= 300));
});

test('rows that `unless` names are given as they are, and the masker says so', () => {
  const table = plan([column('email', rule('email'))], {
    unless: { kind: 'like', column: 'email', pattern: '%@corp.example', ignoresCase: false },
  });
  const masker = new RowMasker(table, ['email'], KEY);
  const staff = ['eve@corp.example'];
  assert.equal(masker.mask(staff), false);
  assert.deepEqual(staff, ['eve@corp.example']);
  const other = ['eve@corp.example.com'];
  assert.equal(masker.mask(other), true);
  assert.match(other[0] ?? '', /@example\.test$/);
});

test('equal values of one domain come to the same across tables and spellings; other domains, epochs and variants have others', () => {
  const email = rule('email', {}, { domain: 'person', normalise: ['trim', 'lower'] });
  const one = masked(plan([column('email', email)]), ['Anna@Example.com'])[0];
  const contact = plan([column('contact', email)], { table: 'public.orders' });
  assert.equal(masked(contact, ['  anna@example.COM '])[0], one);
  const others = [
    masked(plan([column('email', rule('email'))]), ['anna@example.com'])[0],
    ...[
      { resource: 'shop', variant: 'masked', epoch: '2027' },
      { resource: 'shop', variant: 'reduced', epoch: '2026' },
      { resource: 'shop-2', variant: 'masked', epoch: '2026' },
    ].map(
      (names) =>
        masked(plan([column('email', email)]), ['anna@example.com'], variantKey(Buffer.alloc(32, 1), names))[0],
    ),
  ];
  assert.equal(new Set([one, ...others]).size, 5);
});

const SECRET = 'Secret-Value-é';

test('no error holds a value: it names table, column and rule', () => {
  const faults: [ColumnPlan, RegExp][] = [
    [column('email', rule('date', { truncate: 'year' })), /not of the form/],
    [column('email', rule('null'), { isNullable: false }), /takes none/],
    [column('email', rule('email'), { maxLength: 12 }), /longer/],
    [column('email', rule('alnum'), { allowedValues: ['one'] }), /does not allow/],
    [column('email', rule('int', { mode: 'permute' })), /not of the form/],
  ];
  for (const [faulty, expected] of faults) {
    const error = failure(() => masked(plan([faulty]), [SECRET]));
    assert.deepEqual([error.kind, error.code], ['invalid', 'variant-failed']);
    assert.match(error.message, expected);
    assert.deepEqual(error.details, { table: 'public.users', column: 'email', rule: faulty.rule.transformer });
    assert.equal(error.cause, undefined);
    assert.ok(!`${error.stack}${JSON.stringify(error.details)}`.includes('Secret'));
  }
});

test('characters are counted as databases count them', () => {
  const table = plan([column('a', rule('redact', { fill: '😀' }), { maxLength: 3 })]);
  assert.deepEqual(masked(table, ['abc']), ['😀😀😀']);
  assert.match(failure(() => masked(table, ['abcd'])).message, /longer/);
  assert.deepEqual(masked(plan([column('a', rule('bytes'), { family: 'bytes', maxLength: 2 })]), ['\\x0102']), [
    '\\x0000',
  ]);
});

test('columns that the policy does not speak of, and columns that are read and not there, are refused', () => {
  assert.match(
    failure(() => new RowMasker(users, ['id', 'email', 'name', 'note', 'added'], KEY)).message,
    /added .*nothing of it/,
  );
  const shifted = plan([column('a', rule('date', { shift: { by: 'gone' } }), { family: 'date' })]);
  assert.match(failure(() => new RowMasker(shifted, ['a'], KEY)).message, /gone .*do not have it/);
  const unknown = plan([column('a', { transformer: 'no-such', options: {}, domain: 'x', normalise: [] })]);
  assert.match(failure(() => new RowMasker(unknown, ['a'], KEY)).message, /no transformer/);
});

test('a row that fails in its second column does not leave the first one masked and the rest not', () => {
  const table = plan([column('a', rule('email')), column('b', rule('date', { truncate: 'year' }), { family: 'date' })]);
  const row: (string | null)[] = ['a@b.c', 'no date'];
  failure(() => new RowMasker(table, ['a', 'b'], KEY).mask(row));
  assert.deepEqual(row, ['a@b.c', 'no date']);
});
