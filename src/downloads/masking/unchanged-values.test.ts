import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { NO_ROW } from './json/json-masker.ts';
import type { ColumnFacts } from './transformer.ts';
import { TRANSFORMERS } from './transformers.ts';

const TEXT: ColumnFacts = { family: 'text', type: 'text', isNullable: true };

function made(name: string, written: unknown, column = TEXT) {
  const transformer = TRANSFORMERS.get(name) ?? assert.fail();
  const options = transformer.options.parse(written);
  const context = { key: new Uint8Array(32).fill(7), column, indexOf: () => 0, inner: () => undefined };
  const change = transformer.create(options, context);
  return { facts: transformer.facts(options, column), of: (value: string) => change(value, NO_ROW) ?? 'NULL' };
}

function accepts(name: string, written: unknown, column: Partial<ColumnFacts>): boolean {
  const whole = { ...TEXT, ...column };
  const { facts } = made(name, written, whole);
  return facts.accepts === 'all' || facts.accepts.includes(whole.family);
}

describe('values that a rule must not give as they are', () => {
  it('replaces all of a value that has no more letters and digits than are kept, and no two come to the same', () => {
    for (const [name, written, value] of [
      ['digits', { keep: 32 }, '5551234567'],
      ['alnum', { keep: 5 }, 'AB-123'],
      ['zip', { keep: 5 }, '12345'],
      ['phone', { keep: 15 }, '+49 30 1234567'],
      ['card', { keep: 8 }, '4111 114'],
      ['iban', { keep: 12 }, 'NO9386011117947'],
      ['national_id', { keep: 32 }, 'AB123'],
    ] as const)
      assert.notEqual(made(name, written).of(value), value, name);
    const zip = made('zip', { keep: 2 });
    const outputs = Array.from({ length: 100 }, (_, code) => zip.of(String(code).padStart(2, '0')));
    assert.equal(new Set(outputs).size, 100);
    assert.ok(outputs.every((output, code) => Number(output) !== code));
  });

  it('leaves a country code that stands alone, and no number behind one', () => {
    const phone = made('phone', {});
    assert.equal(phone.of('+49'), '+49');
    assert.notEqual(phone.of('+49 1'), '+49 1');
  });

  it('replaces or refuses letters in circles, in squares and of flags, and what no version of Unicode names yet', () => {
    const alnum = made('alnum', {});
    for (const value of ['ⓐⓑ', 'Ⓩ', '\u{1f1e9}\u{1f1ea}']) assert.notEqual(alnum.of(value), value);
    for (const value of ['\u{1f130}', '\u0378', '\ud800', '\u{20000}'])
      assert.throws(() => alnum.of(value), RangeError, value);
  });

  it('refuses to make days, whole numbers and amounts coarser where they are no finer', () => {
    const day = { family: 'date', type: 'date' } as const;
    for (const unit of ['day', 'hour', 'minute']) {
      assert.ok(!accepts('date', { truncate: unit }, day), unit);
      assert.ok(accepts('date', { truncate: unit }, { family: 'timestamp', type: 'timestamp' }), unit);
      assert.throws(() => made('date', { truncate: unit }).of('1985-03-04'), RangeError);
    }
    assert.ok(accepts('date', { truncate: 'week' }, day));
    assert.ok(!accepts('date', { noise: { seconds: 5 } }, day));
    const amount = { family: 'numeric', type: 'numeric(10,2)' } as const;
    assert.ok(!accepts('numeric', { round: 0.01 }, amount));
    assert.ok(!accepts('numeric', { round: 0.001 }, amount));
    assert.ok(accepts('numeric', { round: 0.05 }, amount));
    assert.ok(!accepts('numeric', { round: 1 }, { family: 'integer', type: 'bigint' }));
    assert.ok(accepts('numeric', { round: 10 }, { family: 'integer', type: 'bigint' }));
    assert.ok(!accepts('geo', { jitter: 0.001 }, { family: 'numeric', type: 'numeric(5,2)' }));
  });

  it('moves a place whose degrees are written with fewer decimals than it is moved by', () => {
    const geo = made('geo', { jitter: 0.001 }, { family: 'numeric', type: 'numeric', isNullable: true });
    assert.notEqual(Number(geo.of('52.5')), 52.5);
    assert.notEqual(Number(geo.of('13')), 13);
    const columns = { family: 'numeric', type: 'numeric(9,6)', isNullable: true } as const;
    assert.match(made('geo', {}, columns).of('13.4'), /^13\.\d{1,6}$/);
  });

  it('gives codes of countries in columns that hold no more', () => {
    assert.equal(made('country', {}, { ...TEXT, type: 'character(2)', maxLength: 2 }).facts.maxLength, 2);
    assert.equal(made('country', {}, { ...TEXT, type: 'character(3)', maxLength: 3 }).facts.maxLength, 3);
    assert.equal(made('country', {}).facts.maxLength, 24);
  });
});
