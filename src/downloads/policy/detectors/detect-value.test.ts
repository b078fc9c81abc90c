import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parse } from 'yaml';
import { TRANSFORMERS } from '../../masking/transformers.ts';
import { KEEP } from '../../variant-plan.ts';
import { readRule } from '../read-rule.ts';
import { ColumnSampler } from './column-sampler.ts';
import { detectName } from './detect-name.ts';
import { detectValue, detectWithin } from './detect-value.ts';
import { DATA_KINDS } from './detector.ts';

test('values are known by what they look like', () => {
  for (const [value, kind] of [
    ['ada@example.org', 'email'],
    ['Ada.Lovelace+x@mail.example.co.uk', 'email'],
    ['+44 20 7946 0958', 'phone number'],
    ['+491701234567', 'phone number'],
    ['(030) 901820-11', 'phone number'],
    ['4111 1111 1111 1111', 'payment card'],
    ['378282246310005', 'payment card'],
    ['DE89 3704 0044 0532 0130 00', 'IBAN'],
    ['GB82WEST12345698765432', 'IBAN'],
    ['192.0.2.17', 'IP address'],
    ['2001:db8::1/64', 'IP address'],
    ['00:1b:44:11:3a:b7', 'hardware address'],
    ['eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.', 'JSON web token'],
    ['-----BEGIN RSA PRIVATE KEY-----\nMIIE', 'private key'],
    ['AKIAIOSFODNN7EXAMPLE', 'secret'],
    ['$2b$10$N9qo8uLOickgx2ZMRZoMyeIjZAgcfl7p92ldGxad68LJZdL17lhWy', 'password'],
    ['123e4567-e89b-12d3-a456-426614174000', 'UUID'],
    ['1984-06-30', 'day of birth'],
    ['Ada Lovelace', 'name of a person'],
    ['Juan de la Cruz', 'name of a person'],
    ['Łukasz Żółw', 'name of a person'],
    ['52.5200, 13.4050', 'place on the earth'],
  ] as const)
    assert.equal(detectValue(value)?.name, kind, value);
});

test('what only looks alike is not taken for it', () => {
  for (const value of [
    ...[
      '',
      'x',
      'hello world',
      '42',
      '4111111111111112',
      'DE89370400440532013001',
      '1.2.3',
      '300.1.1.1',
      'a@b',
      '@example.org',
    ],
    ...[
      '2026-01-31',
      '1984-13-01',
      '1234567890123',
      '20260131123456',
      'ABC-123',
      'order 4711',
      '00:1b:44:11:3a',
      '123456789',
      'NULL',
    ],
  ])
    assert.equal(detectValue(value), undefined, value);
});

test('what stands within a text is found', () => {
  assert.equal(detectWithin('please write to <ada@example.org>, thank you')?.name, 'email');
  assert.equal(detectWithin('call +491701234567.')?.name, 'phone number');
  assert.equal(detectWithin('card 4111111111111111!')?.name, 'payment card');
  assert.equal(detectWithin('nothing to see here, order 4711 of 2026-01-31'), undefined);
});

test('names of columns are known by their words', () => {
  for (const [name, kind] of [
    ['email', 'email'],
    ['billingEmail2', 'email'],
    ['customer_e_mail', 'email'],
    ['PhoneNumber', 'phone number'],
    ['dob', 'day of birth'],
    ['password_hash', 'password'],
    ['apiKey', 'secret'],
    ['first_name', 'first name'],
    ['lastIp', 'IP address'],
    ['iban', 'IBAN'],
    ['notes', 'free text'],
  ] as const)
    assert.equal(detectName(name)?.name, kind, name);
  for (const name of ['id', 'created_at', 'compass', 'emailed', 'ship', 'platform', 'pinned', 'name'])
    assert.equal(detectName(name), undefined, name);
  assert.equal(detectName('name', 'public.users')?.name, 'name of a person');
});

test('no value makes the detectors slow, and none makes them fail', () => {
  const started = process.cpuUsage().user;
  for (const piece of ['a@', 'eyJ', 'A ', 'Aa ', '1 ', '+1', '-', '00:', 'a.', '(', 'AKIA', ':', '$2b$', '\ud800'])
    for (const value of [piece.repeat(100_000), `x@${piece.repeat(2000)}`, `eyJ${piece.repeat(2000)}`]) {
      detectValue(value);
      detectWithin(value);
      detectName(value, value);
    }
  assert.ok(process.cpuUsage().user - started < 5_000_000);
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (value) => {
      detectValue(value);
      detectWithin(value);
      detectName(value, value);
    }),
  );
});

test('a sample is bounded, the same each time, and of all the values', () => {
  const sampled = (count: number) => {
    const sampler = new ColumnSampler('t.c', 100);
    for (let index = 0; index < count; index++) sampler.add(index % 10 === 0 ? null : String(index));
    return sampler.sample;
  };
  const { values, seen, nulls } = sampled(10_000);
  assert.equal(values.length, 100);
  assert.deepEqual([seen, nulls], [9000, 1000]);
  assert.deepEqual(sampled(10_000).values, values);
  assert.equal(new Set(values).size, 100);
  const mean = values.reduce((sum, value) => sum + Number(value), 0) / 100;
  assert.ok(mean > 3500 && mean < 6500, `the mean is ${mean}`);
  assert.equal(sampled(50).values.length, 45);
});

test('each rule that is proposed for a kind of data is one that can be written', () => {
  for (const { name, rules } of Object.values(DATA_KINDS))
    for (const rule of rules.filter((each) => each !== KEEP)) {
      const policy = readRule(parse(rule), new Set());
      assert.equal(policy.kind, 'transformer');
      const column = { family: 'text', type: 'text', isNullable: true } as const;
      const transformer = TRANSFORMERS.get(policy.transformer);
      const { options = {} } = policy;
      const shorthand = transformer?.shorthand;
      const forms = [options, ...(shorthand === undefined ? [] : [{ [shorthand]: options }])];
      const parsed = forms.map((form) => transformer?.options.safeParse(form)).find((result) => result?.success);
      assert.ok(parsed?.data !== undefined && transformer !== undefined, `${name}: ${rule}`);
      assert.ok(transformer.facts(parsed.data, column), `${name}: ${rule}`);
    }
});
