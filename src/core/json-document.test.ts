import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { canonicalText } from './canonical-json.ts';
import type { HoldfastError } from './errors.ts';
import { DEEPEST_DOCUMENT, readCanonicalText, readJsonDocument } from './json-document.ts';
import { isExactInDouble } from './json-scan.ts';
import { isExactNumber, type JsonValue, jsonEquals } from './json-value.ts';

const LIMITS = { limitBytes: 1 << 20, depthLimit: 100 };

function read(text: string | Uint8Array): JsonValue {
  return readJsonDocument(typeof text === 'string' ? Buffer.from(text) : text, LIMITS);
}

function roundTrip(text: string): string {
  return Buffer.from(canonicalText(read(text))).toString();
}

function refusal(text: string | Uint8Array, limits = LIMITS): HoldfastError {
  try {
    readJsonDocument(typeof text === 'string' ? Buffer.from(text) : text, limits);
  } catch (error) {
    return error as HoldfastError;
  }
  throw new assert.AssertionError({ message: `was read: ${text}` });
}

describe('readJsonDocument', () => {
  it('reads what JSON.parse reads', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        fc.pre(Buffer.from(text).toString() === text && !/\\ud[89a-f]/i.test(text));
        assert.deepEqual(read(text), JSON.parse(text));
      }),
    );
  });

  it('refuses every text that JSON.parse refuses, with its place and without its content', () => {
    fc.assert(
      fc.property(
        fc.json(),
        fc.nat(),
        fc.constantFrom('', '{', '}', ']', ',', '"', ':', 'x', '\u0001'),
        (text, at, noise) => {
          const place = at % (text.length + 1);
          const damaged = text.slice(0, place) + noise + text.slice(place + 1);
          fc.pre(Buffer.from(damaged).toString() === damaged && damaged.trim() !== '' && !isJson(damaged));
          const error = refusal(damaged);
          assert.ok(
            ['document-syntax', 'document-duplicate-key', 'document-lone-surrogate'].includes(error.code),
            error.code,
          );
          assert.equal(typeof error.details.position, 'number');
        },
      ),
    );
  });

  it('says line, column and byte of a syntax error and shows no value', () => {
    const error = refusal('{"password": "hunter2",\n "é": hunter3}');
    assert.equal(error.kind, 'invalid');
    assert.equal(error.code, 'document-syntax');
    assert.deepEqual([error.details.line, error.details.column, error.details.position], [2, 7, 31]);
    assert.doesNotMatch(error.message, /hunter/);
  });

  it('names a key that occurs twice and where', () => {
    const error = refusal('{"rows": [{"a/b": {"id": 1, "x": 2, "\\u0069d": 3}}]}');
    assert.equal(error.code, 'document-duplicate-key');
    assert.equal(error.details.key, 'id');
    assert.equal(error.details.pointer, '/rows/0/a~1b/id');
    assert.equal(error.details.position, 36);
    assert.equal(refusal('{"__proto__": 1, "__proto__": 1}').code, 'document-duplicate-key');
  });

  it('is not confused by colons, braces and quotes inside strings', () => {
    assert.deepEqual(read('{"a:b{\\"[": "::\\\\", "c": ["}:"]}'), { 'a:b{"[': '::\\', c: ['}:'] });
  });

  it('refuses nesting above the limit before parsing, at any size', () => {
    const error = refusal(`${'['.repeat(101)}${']'.repeat(101)}`);
    assert.equal(error.code, 'document-too-deep');
    assert.equal(error.details.position, 100);
    assert.doesNotThrow(() => read(`${'['.repeat(100)}${']'.repeat(100)}`));
    assert.equal(refusal('{"a":'.repeat(200_000)).code, 'document-too-deep');
  });

  it('reads, writes and diagnoses the deepest nesting that it ever allows', () => {
    const limits = { limitBytes: 1 << 20, depthLimit: Number.MAX_SAFE_INTEGER };
    const deep = (core: string, levels: number) => '{"a":['.repeat(levels / 2) + core + ']}'.repeat(levels / 2);
    const text = deep('1e400', DEEPEST_DOCUMENT);
    assert.equal(Buffer.from(canonicalText(readJsonDocument(Buffer.from(text), limits))).toString(), text);
    assert.equal(refusal(deep('tru', DEEPEST_DOCUMENT), limits).code, 'document-syntax');
    assert.equal(refusal(deep('1', DEEPEST_DOCUMENT + 2), limits).code, 'document-too-deep');
  });

  it('refuses what is too large', () => {
    const error = refusal('[1,2,3,4]', { limitBytes: 8, depthLimit: 5 });
    assert.deepEqual([error.kind, error.code, error.details.limitBytes], ['too-large', 'document-too-large', 8]);
    assert.doesNotThrow(() => readJsonDocument(Buffer.from('[1,2,34]'), { limitBytes: 8, depthLimit: 5 }));
  });

  it('refuses empty texts, byte order marks, other encodings, trailing text and half surrogate pairs by name', () => {
    assert.equal(refusal('').code, 'document-empty');
    assert.equal(refusal(' \r\n\t').code, 'document-empty');
    assert.equal(refusal('\ufeff{}').code, 'document-byte-order-mark');
    assert.equal(refusal(Buffer.from('{"a":1}', 'utf16le')).code, 'document-syntax');
    assert.equal(refusal(Buffer.from([0x22, 0xe9, 0x22])).code, 'document-not-utf-8');
    assert.equal(refusal(Buffer.from([0x22, 0xed, 0xa0, 0x80, 0x22])).code, 'document-not-utf-8');
    assert.match(refusal('{} {}').message, /more text follows.*\(byte 3\)/);
    assert.equal(refusal('["\\ud83d"]').code, 'document-lone-surrogate');
    assert.equal(refusal('{"\\uDE00\\ud83d":1}').code, 'document-lone-surrogate');
    assert.equal(read('"\\ud83d\\uDE00"'), '😀');
    assert.equal(read('"\\\\ud83d"'), '\\ud83d');
  });

  it('keeps __proto__, constructor and their like as plain members and pollutes nothing', () => {
    const text =
      '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"hasOwnProperty":1,"toJSON":2}';
    const value = read(text) as object;
    assert.ok(Object.hasOwn(value, '__proto__'));
    assert.equal(Object.getPrototypeOf(value), Object.prototype);
    assert.equal(({} as { polluted?: number }).polluted, undefined);
    assert.equal(roundTrip(text), text);
    const exact = '{"__proto__":{"a":1e400},"constructor":[1e400]}';
    assert.equal(roundTrip(exact), exact);
  });

  it('keeps a number that a double cannot hold as it was written, and only such a number', () => {
    for (const literal of [
      '12345678901234567890',
      '1e400',
      '-1E+400',
      '0.1000000000000000055511151231257827',
      '1e-400',
      '9007199254740993',
    ]) {
      const value = (read(`[${literal}]`) as JsonValue[])[0];
      assert.ok(isExactNumber(value), literal);
      assert.equal(roundTrip(`[${literal}]`), `[${literal}]`);
      assert.equal(isExactInDouble(literal), false);
    }
    for (const [literal, written] of [
      ['1.0', '1'],
      ['1E2', '100'],
      ['0.1', '0.1'],
      ['-0', '0'],
      ['0e99999', '0'],
      ['5e-324', '5e-324'],
      ['1e21', '1e+21'],
      ['100000000000000000000', '100000000000000000000'],
      ['0.30000000000000004', '0.30000000000000004'],
      ['1.7976931348623157e308', '1.7976931348623157e+308'],
    ] as const) {
      assert.equal(isExactInDouble(literal), true, literal);
      assert.equal(roundTrip(literal), written);
    }
  });

  it('reads names with escape sequences rightly, whatever was read before', () => {
    const names = (text: string) => Object.keys(read(text) as object);
    JSON.parse('{"p":0,"\\\\":1}');
    assert.deepEqual(names('{"p":0,"\\\\":1}'), ['p', '\\']);
    assert.deepEqual(names('{"p":0,"\\"":1}'), ['p', '"']);
    assert.deepEqual(names('{"p":0,"\\n":1}'), ['p', '\n']);
    assert.deepEqual(names('{"p":0,"\\"":1e400}'), ['p', '"']);
    assert.equal(roundTrip('{"p":0,"\\"":{"p":0,"\\"":1}}'), '{"\\"":{"\\"":1,"p":0},"p":0}');
  });

  it('takes linear time over a very long number', () => {
    const literal = `1${'0'.repeat(500_000)}1`;
    assert.equal(roundTrip(`[${literal}]`), `[${literal}]`);
  });
});

describe('canonicalText', () => {
  it('writes the example of RFC 8785', () => {
    const text =
      '{"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],"string": "\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/","literals": [null, true, false]}';
    const expected =
      '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}';
    assert.equal(Buffer.from(canonicalText(JSON.parse(text))).toString(), expected);
  });

  it('orders members by UTF-16 code units, whole numbers among them', () => {
    const text = '{"\\u20ac":1,"\\r":2,"\\ufb33":3,"1":4,"\\ud83d\\ude00":5,"\\u0080":6,"\\u00f6":7,"10":8,"2":9}';
    assert.equal(roundTrip(text), '{"\\r":2,"1":4,"10":8,"2":9,"\u0080":6,"ö":7,"€":1,"😀":5,"\ufb33":3}');
  });

  it('gives equal bytes exactly for equal values, and reads back what it wrote', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (left, right) => {
        const a = canonicalText(left as JsonValue);
        const b = canonicalText(right as JsonValue);
        assert.ok(jsonEquals(readCanonicalText(a), left as JsonValue));
        assert.equal(Buffer.compare(a, b) === 0, jsonEquals(left as JsonValue, right as JsonValue));
        assert.deepEqual(canonicalText(JSON.parse(reversedMembers(left))), a);
      }),
    );
  });

  it('writes texts that are longer than its pieces', () => {
    const value = Array.from({ length: 20_000 }, (_, index) => ({ index, text: 'é😀'.repeat(5) }));
    assert.equal(Buffer.from(canonicalText(value)).toString(), JSON.stringify(value));
  });
});

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function reversedMembers(value: unknown): string {
  return JSON.stringify(value, (_, item) =>
    typeof item === 'object' && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).reverse())
      : item,
  );
}
