import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { ColumnFacts, RowValues, TransformerFacts, ValueFunction } from './transformer.ts';
import { charactersOf } from './transformers/filler.ts';
import { TRANSFORMERS } from './transformers.ts';
import { VECTORS } from './transformers.vectors.ts';
import { MASKING_VERSION } from './variant-keys.ts';

const KEY = Buffer.from('holdfast masking test key 000000');
const EMPTY_ROW: RowValues = { original: () => null, masked: () => null };

interface Case {
  name: string;
  options?: Record<string, unknown>;
  column?: Partial<ColumnFacts>;
  key?: Uint8Array;
}

function made({ name, options = {}, column = {}, key = KEY }: Case): {
  mask: (value: string, row?: RowValues) => string | null;
  facts: TransformerFacts;
} {
  const transformer = TRANSFORMERS.get(name);
  assert.ok(transformer, `there is no transformer ${name}`);
  const parsed = transformer.options.parse(options);
  const facts: ColumnFacts = { family: 'text', type: 'text', isNullable: true, ...column };
  const indexOf = (read: string) => ['id', 'first', 'last'].indexOf(read);
  const mask: ValueFunction = transformer.create(parsed, { key, column: facts, indexOf, inner: () => undefined });
  return { mask: (value, row = EMPTY_ROW) => mask(value, row), facts: transformer.facts(parsed, facts) };
}

test('outputs are those of this MASKING_VERSION, so that the pseudonyms of yesterday are those of tomorrow', () => {
  assert.equal(MASKING_VERSION, 1);
  for (const { name, options, column, outputs } of VECTORS) {
    const { mask } = made({ name, options, column });
    for (const [value, expected] of outputs) {
      assert.equal(mask(value), expected, `${name} ${JSON.stringify(options)} of ${value}`);
    }
  }
  const tested = new Set(VECTORS.map(({ name }) => name));
  assert.deepEqual(
    [...TRANSFORMERS.keys()].filter((name) => !tested.has(name) && OWN.has(name)),
    [],
  );
});

/** Those of this folder's `transformers/`; the others have tests of their own. */
const OWN = new Set(
  'null default const hash token uuid email username url name first_name last_name company street city zip country phone digits alnum card iban national_id ip mac user_agent int numeric date bool choice enum geo lorem redact bytes template'.split(
    ' ',
  ),
);

test('every transformer that the documentation names is there, with a sentence of what it does', () => {
  for (const name of OWN) assert.match(TRANSFORMERS.get(name)?.description ?? '', /\.$/, name);
});

test('options that are not known are refused, and so are two ways at once', () => {
  for (const transformer of TRANSFORMERS.values()) {
    assert.equal(transformer.options.safeParse({ no_such_option: 1 }).success, false, transformer.name);
  }
  const refused: [string, object][] = [
    ['int', {}],
    ['int', { noise: 1, bucket: 2 }],
    ['numeric', { noise: 1, round: 2 }],
    ['date', { truncate: 'century' }],
    ['date', { noise: { days: 1, seconds: 1 } }],
    ['email', { domain: 'a b' }],
    ['template', { text: '{first' }],
    ['template', { text: '{first|reverse}' }],
    ['redact', { fill: 'ab' }],
    ['choice', { values: [] }],
    ['choice', { values: {} }],
  ];
  for (const [name, options] of refused) {
    assert.equal(
      TRANSFORMERS.get(name)?.options.safeParse(options).success,
      false,
      `${name} ${JSON.stringify(options)}`,
    );
  }
});

/** Each with values of what it is for; of texts, any. */
const text = fc.string({ unit: 'binary', maxLength: 40 });
const digits = fc.stringMatching(/^[0-9 ()-]{0,40}$/);
const integer = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }).map(String);
const isoDate = fc
  .date({ min: new Date('0001-02-01T00:00:00Z'), max: new Date('9999-11-30T00:00:00Z'), noInvalidDate: true })
  .map((date) => date.toISOString().slice(0, 10));
const address = fc.oneof(fc.ipV4(), fc.ipV6());
const mac = fc.stringMatching(/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/);
const latin = fc.stringMatching(/^[A-Za-z0-9 .:-]{0,40}$/);

const SAMPLES: readonly (Case & { values: fc.Arbitrary<string> })[] = [
  ...[
    'hash',
    'token',
    'uuid',
    'email',
    'username',
    'url',
    'name',
    'first_name',
    'last_name',
    'company',
    'street',
    'city',
  ].map((name) => ({ name, values: text })),
  ...['country', 'user_agent', 'lorem', 'redact', 'default', 'null'].map((name) => ({ name, values: text })),
  { name: 'redact', options: { fill: 'ö' }, values: text },
  { name: 'const', options: { value: 'x' }, values: text },
  { name: 'choice', options: { values: { one: 1, three: 3 } }, values: text },
  { name: 'template', options: { text: '{$token}!' }, values: text },
  { name: 'digits', values: digits },
  { name: 'digits', options: { keep: 3 }, values: digits },
  { name: 'zip', values: latin },
  { name: 'alnum', values: latin },
  { name: 'alnum', options: { keep: 2 }, values: latin },
  { name: 'phone', values: digits },
  { name: 'phone', values: fc.stringMatching(/^(\+|00)?[0-9]{0,5}[0-9 ]{0,6}$/) },
  { name: 'card', values: fc.stringMatching(/^[0-9]{12,19}$/) },
  { name: 'card', options: { keep: 6 }, values: fc.stringMatching(/^[0-9]{4}( [0-9]{4}){3}$/) },
  { name: 'iban', values: fc.stringMatching(/^[A-Z]{2}[0-9]{2}[A-Z0-9]{11,30}$/) },
  { name: 'national_id', values: latin },
  { name: 'national_id', options: { check: 'luhn' }, values: fc.stringMatching(/^[0-9]{6}-[0-9]{4}$/) },
  { name: 'national_id', options: { check: 'mod97' }, values: fc.stringMatching(/^[0-9]{15}$/) },
  {
    name: 'national_id',
    options: { check: 'mod23' },
    values: fc.stringMatching(/^[0-9]{8}[TRWAGMYFPDXBNJZSQVHLCKE]$/),
  },
  { name: 'ip', column: { family: 'inet' }, values: address },
  { name: 'mac', column: { family: 'mac' }, values: mac },
  { name: 'int', options: { mode: 'permute' }, column: { family: 'integer' }, values: integer },
  { name: 'int', options: { noise: 1000 }, column: { family: 'integer' }, values: integer },
  { name: 'int', options: { bucket: 1000 }, column: { family: 'integer' }, values: integer },
  { name: 'numeric', options: { noise: 5 }, column: { family: 'numeric' }, values: fc.double().map(String) },
  { name: 'numeric', options: { round: 10 }, column: { family: 'numeric' }, values: fc.double().map(String) },
  { name: 'date', options: { truncate: 'week' }, column: { family: 'date' }, values: isoDate },
  { name: 'date', options: { noise: { days: 400 } }, column: { family: 'date' }, values: isoDate },
  { name: 'geo', column: { family: 'numeric' }, values: fc.double({ min: -180, max: 180, noNaN: true }).map(String) },
  {
    name: 'bytes',
    column: { family: 'bytes' },
    values: fc.uint8Array().map((bytes) => `\\x${Buffer.from(bytes).toString('hex')}`),
  },
];

for (const sample of SAMPLES) {
  test(`${sample.name} ${JSON.stringify(sample.options ?? {})} keeps what its facts promise`, () => {
    const { mask, facts } = made(sample);
    const again = made(sample);
    fc.assert(
      fc.property(fc.uniqueArray(sample.values, { minLength: 1, maxLength: 30 }), (values) => {
        const outputs = values.map((value) => {
          const output = mask(value);
          assert.equal(again.mask(value), output, 'another thread gives another output');
          if (output === null) {
            assert.equal(facts.mayGiveNull, true);
            return null;
          }
          if (facts.maxLength === 'same')
            assert.ok(charactersOf(output) <= charactersOf(value), 'longer than its input');
          else if (facts.maxLength !== undefined)
            assert.ok(charactersOf(output) <= facts.maxLength, 'longer than promised');
          if (facts.isTraceable && value !== '') assert.notEqual(output, value);
          return output;
        });
        // Spellings of one address are one address.
        const different = sample.name === 'ip' ? new Set(values.map(canonical)).size : values.length;
        if (facts.isInjective) assert.ok(new Set(outputs).size >= different, 'two values come to the same');
      }),
      { numRuns: 60 },
    );
  });
}

function canonical(ip: string): string {
  return ip.includes(':') ? new URL(`http://[${ip}]/`).host : ip;
}
