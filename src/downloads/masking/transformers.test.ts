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
  assert.equal(MASKING_VERSION, 2);
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
  { name: 'phone', values: fc.stringMatching(/^ ?(\+|00) ?[0-9a]{0,2}[0-9 ]{0,2}$/) },
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

const LONG = 1_000_000;

/** Shapes that make a careless regular expression or loop go on for hours. */
const HOSTILE: readonly string[] = [
  '1'.repeat(LONG),
  'a'.repeat(LONG),
  'aB1'.repeat(LONG / 3),
  ' '.repeat(LONG),
  '-'.repeat(LONG),
  '+00'.repeat(LONG / 3),
  `${'0'.repeat(LONG)}!`,
  '\u00e9'.repeat(LONG),
  '\u{1f600}'.repeat(LONG / 2),
  `\\x${'0'.repeat(LONG)}`,
  '1:'.repeat(LONG / 2),
  `1${'.0'.repeat(LONG / 2)}`,
  '\ud800'.repeat(LONG),
];

const HOSTILE_OPTIONS: Record<string, Record<string, unknown>> = {
  const: { value: 'x' },
  int: { mode: 'permute' },
  numeric: { round: 10 },
  date: { truncate: 'year' },
  choice: { values: ['a'] },
  template: { text: '{first|plain}{$token}' },
};

for (const name of OWN) {
  test(`${name} takes values of a megabyte of any shape, or says that they are not for it`, {
    timeout: 300_000,
  }, () => {
    const column: Partial<ColumnFacts> = { allowedValues: ['a', 'b'] };
    const { mask, facts } = made({ name, options: HOSTILE_OPTIONS[name] ?? {}, column });
    const reads =
      facts.reads?.masked === undefined ? EMPTY_ROW : { original: () => 'x', masked: () => 'Anna '.repeat(100_000) };
    // Format-preserving encryption takes seconds for a megabyte: one test does that, the others a twentieth.
    const values =
      facts.isInjective && facts.maxLength === 'same' ? HOSTILE.map((value) => value.slice(0, LONG / 20)) : HOSTILE;
    for (const value of values) {
      try {
        const output = mask(value, reads);
        if (facts.maxLength === 'same') assert.ok((output ?? '').length <= value.length);
      } catch (error) {
        assert.ok(error instanceof RangeError, `${name}: ${String(error)}`);
        assert.ok(error.message.length < 200);
      }
    }
  });
}

test('a megabyte of letters and digits is permuted in parts', { timeout: 300_000 }, () => {
  const value = 'aB1'.repeat(LONG / 3);
  assert.match(made({ name: 'alnum' }).mask(value) ?? '', /^(?:[a-z][A-Z]\d){333333}$/);
});

test('what a transformer does not understand is an error, never passed on', () => {
  const refused: readonly [Case, readonly string[]][] = [
    [
      { name: 'date', options: { truncate: 'year' } },
      [
        'yesterday',
        '2026-13-01',
        '2026-02-30',
        '31.01.2026',
        '2026-01-31 25:00',
        '20260131',
        '1767225600',
        ' 2026-01-31',
      ],
    ],
    [{ name: 'date', options: { noise: { days: 3 } } }, ['2026-00-00', '2026-05-00']],
    [{ name: 'date', options: { noise: { seconds: 3 } } }, ['2026-01-31']],
    [
      { name: 'int', options: { mode: 'permute' } },
      ['', '1.5', 'x', '1e3', '18446744073709551616', '-9223372036854775809000', '0x10'],
    ],
    [{ name: 'int', options: { noise: 3 } }, ['', 'x', '99999999999999999999']],
    [{ name: 'int', options: { bucket: 3 } }, ['', 'x']],
    [{ name: 'numeric', options: { round: 10 } }, ['1,000.00', '$5', 'x', '.', '1e9999', '--1']],
    [{ name: 'digits' }, ['Anna 12', 'é', '12a']],
    [{ name: 'card' }, ['Anna Smith', '4111x', '4111 1111 1111 111 ?']],
    [{ name: 'iban' }, ['none', 'DE8937040044053201300\n', '12DE']],
    [{ name: 'national_id', options: { check: 'luhn' } }, ['811228-987X', 'x', ' ']],
    [{ name: 'ip' }, ['localhost', '1.2.3', '1.2.3.4/33', '::1/129', '1.2.3.256', 'fe80::1%eth0', '1.2.3.4,5.6.7.8']],
    [{ name: 'mac' }, ['08:00:2b', 'zz:00:2b:01:02:03']],
    [{ name: 'bool' }, ['maybe', '', '2']],
    [{ name: 'uuid', column: { family: 'bytes' } }, ['\\x', '\\x00', 'abc']],
    [{ name: 'ip', column: { family: 'bytes' } }, ['\\x00', '1.2.3.4']],
    [{ name: 'bytes' }, ['abc', '\\x0', '\\xzz']],
    [{ name: 'geo' }, ['north', '181', '(1,2,3)', '(1,)', 'NaN']],
    [{ name: 'alnum' }, ['\ud800', '½']],
  ];
  for (const [unfit, values] of refused) {
    const { mask } = made(unfit);
    for (const value of values)
      assert.throws(() => mask(value), RangeError, `${unfit.name} of ${JSON.stringify(value)}`);
  }
});

test('integers keep their sign, and what fits a type still fits it', () => {
  const { mask } = made({ name: 'int', options: { mode: 'permute' }, column: { family: 'integer' } });
  const noisy = made({ name: 'int', options: { noise: 2 ** 31 }, column: { family: 'integer' } });
  const ends = [7, 8, 15, 16, 23, 24, 31, 32, 63, 64].map((bits) => 2n ** BigInt(bits));
  fc.assert(
    fc.property(integer, (value) => {
      for (const output of [BigInt(mask(value) ?? ''), BigInt(noisy.mask(value) ?? '')]) {
        if (BigInt(value) > 0n) assert.ok(output >= 0n);
        if (BigInt(value) < 0n) assert.ok(output <= 0n);
        for (const end of ends) {
          if (BigInt(value) < end) assert.ok(output < end);
          if (BigInt(value) >= -end) assert.ok(output >= -end);
        }
      }
    }),
  );
  const bytes = Array.from({ length: 255 }, (_, index) => mask(String(index + 1)));
  assert.equal(new Set(bytes).size, 255);
  assert.ok(!bytes.includes('0'));
});

test('a number of a card stays valid by Luhn or stays invalid, and an IBAN likewise by its check digits', () => {
  const card = made({ name: 'card' });
  const iban = made({ name: 'iban' });
  for (let index = 0; index < 50; index++) {
    const body = String(4_000_000_000_000_00 + index * 7_919);
    const valid = `${body}${luhnDigit(body)}`;
    const masked = card.mask(valid) ?? '';
    assert.equal(luhnDigit(masked.slice(0, -1)), masked.slice(-1));
    const invalid = `${body}${(Number(luhnDigit(body)) + 1) % 10}`;
    const stillInvalid = card.mask(invalid) ?? '';
    assert.notEqual(luhnDigit(stillInvalid.slice(0, -1)), stillInvalid.slice(-1));
  }
  for (const valid of [
    'DE89370400440532013000',
    'GB82 WEST 1234 5698 7654 32',
    'NO9386011117947',
    'MT84MALT011000012345MTLCAST001S',
  ]) {
    assert.equal(ibanRemainder(valid), 1n);
    assert.equal(ibanRemainder(iban.mask(valid) ?? ''), 1n);
  }
});

function luhnDigit(body: string): string {
  const sum = [...body]
    .reverse()
    .reduce(
      (total, digit, index) =>
        total + [...String(Number(digit) * (index % 2 === 0 ? 2 : 1))].map(Number).reduce((a, b) => a + b),
      0,
    );
  return String((10 - (sum % 10)) % 10);
}

function ibanRemainder(iban: string): bigint {
  const text = iban.replaceAll(' ', '');
  const turned = [...text.slice(4), ...text.slice(0, 4)].map((character) => Number.parseInt(character, 36)).join('');
  return BigInt(turned) % 97n;
}

test('weights say how often a value is chosen, and a boolean is true as often as its share', () => {
  const choice = made({ name: 'choice', options: { values: { often: 9, seldom: 1 } } });
  const chosen = Array.from({ length: 2000 }, (_, index) => choice.mask(`value ${index}`));
  const seldom = chosen.filter((value) => value === 'seldom').length;
  assert.ok(seldom > 120 && seldom < 300, String(seldom));
  const bool = made({ name: 'bool', options: { share: 0.25, by: 'id' }, column: { family: 'boolean' } });
  const yes = Array.from({ length: 2000 }, (_, index) =>
    bool.mask('t', { original: () => String(index), masked: () => null }),
  ).filter((value) => value === 't').length;
  assert.ok(yes > 400 && yes < 600, String(yes));
});

test('another key gives other outputs', () => {
  for (const { name, options, column, outputs } of VECTORS) {
    const { facts } = made({ name, options, column });
    if (!facts.isInjective) continue;
    const other = made({ name, options, column, key: Buffer.alloc(32, 8) });
    const values = outputs.filter(([value]) => value.length > 5);
    for (const [value, output] of values) assert.notEqual(other.mask(value), output, name);
  }
});
