import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compiled, schemaOf, table } from '../../../../test/policy-rig.ts';
import { checkKeptColumns } from './check-kept-columns.ts';
import type { SchemaSamples } from './column-groups.ts';

const SCHEMA = schemaOf(table('t', { note: {}, name: {}, code: {} }));

const samples = (values: Readonly<Record<string, readonly string[]>>): SchemaSamples =>
  new Map([
    ['t', new Map(Object.entries(values).map(([name, each]) => [name, { values: each, seen: each.length, nulls: 0 }]))],
  ]);

function found(columns: string, values: Readonly<Record<string, readonly string[]>>, checks = '') {
  const { plan } = compiled(`${checks}tables: { t: { columns: { ${columns} } } }`, SCHEMA);
  assert.ok(plan !== undefined);
  return checkKeptColumns(plan, samples(values));
}

test('personal data in a kept column is a problem that names no value, unless there is a reason', () => {
  const values = { note: ['call me', 'at ada@example.org'], name: ['ada@example.org'], code: ['A1'] };
  const problems = found('note: keep, name: name, code: keep', values);
  assert.deepEqual(
    problems.map(({ code, column }) => [code, column]),
    [['personal-data-kept', 'note']],
  );
  assert.doesNotMatch(JSON.stringify(problems), /ada/);
  assert.deepEqual(
    found('note: { rule: keep, allow_detected: "addresses of our own shops" }, name: name, code: keep', values),
    [],
  );
});

test('what has less impact is looked for where the policy says so', () => {
  const values = { code: ['Ada Lovelace', 'Alan Turing'] };
  assert.deepEqual(found('note: keep, name: keep, code: keep', values), []);
  assert.equal(found('note: keep, name: keep, code: keep', values, 'checks: { detectors: all }\n').length, 1);
  assert.deepEqual(
    found('note: keep, name: keep, code: keep', { note: ['a@b.example'] }, 'checks: { detectors: none }\n'),
    [],
  );
});
