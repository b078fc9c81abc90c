import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { parsePredicate } from '../predicate/parse-predicate.ts';
import { policyHash } from './canonical-policy.ts';
import { readPolicy } from './read-policy.ts';

const POLICY = {
  version: 1,
  resource: 'shop',
  key: 'env:K',
  epoch: '1',
  variants: {
    masked: { keep: 'full' },
    reduced: { subset: { roots: [{ table: 'users', sample: '1%' }], budget: { max_rows: 10 } } },
  },
  defaults: { new_table: 'fail' },
  domains: { 'p.email': { transform: 'email', normalise: ['lower'], domain: 'example.test' } },
  tables: {
    users: {
      columns: {
        id: 'keep',
        email: 'p.email',
        prefs: { json: { unknown: 'redact', paths: { '$.a.b': 'keep', '$..b': null } } },
        phone: { rule: { digits: { keep: 3, from: 'start' } }, type: 'text' },
      },
      unless: "email like '%@a.example' and id > 3",
      accept: { unless: 'our own staff' },
    },
    logs: 'structure',
  },
  files: { 'a/*.csv': 'keep', '**': 'drop' },
  document: { paths: { '$.x': 'keep', '$.*': 'name' } },
};

const hashOf = (text: string) => policyHash(readPolicy(text, { name: 'test', parsePredicate }));
const HASH = hashOf(JSON.stringify(POLICY));

/** Where the order of members means nothing. */
const ORDERED = new Set(['files', 'paths']);

function shuffled(value: unknown, seed: number, name = ''): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  const entries = Object.entries(value).map(
    ([key, member], index) => [key, shuffled(member, seed + index, key)] as const,
  );
  if (ORDERED.has(name)) return Object.fromEntries(entries);
  return Object.fromEntries(entries.toSorted(([a], [b]) => weight(a, seed) - weight(b, seed)));
}

function weight(name: string, seed: number): number {
  let hash = seed;
  for (const letter of name) hash = Math.imul(hash ^ letter.charCodeAt(0), 0x9e3779b1);
  return hash;
}

test('order, comments, quotes and layout change nothing of the hash', () => {
  fc.assert(
    fc.property(
      fc.integer(),
      fc.constantFrom('PLAIN', 'QUOTE_SINGLE', 'QUOTE_DOUBLE'),
      fc.integer({ min: 1, max: 8 }),
      fc.boolean(),
      fc.constantFrom('', '# a comment\n', '\n\n# two\n# comments\n'),
      (seed, quotes, indent, isFlow, comment) => {
        const text = stringify(shuffled(POLICY, seed), {
          defaultStringType: quotes as 'PLAIN',
          defaultKeyType: quotes as 'PLAIN',
          indent,
          lineWidth: 0,
          collectionStyle: isFlow ? 'flow' : 'block',
        });
        assert.equal(hashOf(comment + text + comment), HASH);
      },
    ),
    { numRuns: 100 },
  );
});

test('two ways to write a rule, a number, a condition or a table are one', () => {
  const text = JSON.stringify(POLICY);
  for (const [one, other] of [
    ['"email":"p.email"', '"email":{"domain":"p.email"}'],
    ['"id":"keep"', '"id":{"keep":{}}'],
    ['"id":"keep"', '"id":{"rule":"keep"}'],
    ['"$..b":null', '"$..b":null'],
    ['"sample":"1%"', '"sample":0.01'],
    ['"max_rows":10', '"max_rows":"10"'],
    ['"epoch":"1"', '"epoch":1'],
    ['"logs":', '"\\"logs\\"":'],
    [' and id > 3', '   AND id>3'],
    ['"type":"text"', '"type":" TEXT "'],
  ] as const) {
    assert.ok(text.includes(one), one);
    assert.equal(hashOf(text.replace(one, other)), HASH, other);
  }
});

test('a change of anything that changes what comes out is another hash', () => {
  const text = JSON.stringify(POLICY);
  const hashes = new Set([HASH]);
  const changes = [
    ['"shop"', '"shop2"'],
    ['env:K', 'env:L'],
    ['"epoch":"1"', '"epoch":"2"'],
    ['"1%"', '"2%"'],
    ['"max_rows":10', '"max_rows":11'],
    ['"new_table":"fail"', '"new_table":"structure"'],
    ['"transform":"email"', '"transform":"hash"'],
    ['"normalise":["lower"]', '"normalise":["lower","trim"]'],
    ['"normalise":["lower"]', '"normalise":["trim","lower"]'],
    ['example.test', 'example.com'],
    ['"id":"keep"', '"id":"hash"'],
    ['"id":"keep"', '"id":null'],
    ['"email":"p.email"', '"email":"email"'],
    ['"unknown":"redact"', '"unknown":"null"'],
    ['"$.a.b":"keep","$..b":null', '"$..b":null,"$.a.b":"keep"'],
    ['"keep":3', '"keep":4'],
    ['id > 3', 'id > 4'],
    ['"logs":"structure"', '"logs":"drop"'],
    ['"a/*.csv":"keep","**":"drop"', '"**":"drop","a/*.csv":"keep"'],
    ['"$.x":"keep","$.*":"name"', '"$.*":"name","$.x":"keep"'],
    ['"type":"text"', '"type":"varchar"'],
  ] as const;
  for (const [one, other] of changes) {
    assert.ok(text.includes(one), one);
    hashes.add(hashOf(text.replace(one, other)));
  }
  assert.equal(hashes.size, changes.length + 1);
});
