import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { HoldfastError } from '../../../core/errors.ts';
import type { JsonPlan, Rule } from '../../variant-plan.ts';
import { JsonMasker } from './json-masker.ts';
import { checkJsonPaths, findShadowedPath, parseJsonPath } from './json-path.ts';
import { jsonTransformer } from './json-transformer.ts';
import type { InnerRule } from './scalar-rule.ts';

/** Rules that say what they met. */
const inner: InnerRule = ({ transformer }, { family }) => {
  if (transformer === 'keep') return (value) => value;
  if (transformer === 'null') return () => null;
  if (transformer === 'mark') return family === 'text' ? (value) => `<${value}>` : undefined;
  if (transformer === 'year') return family === 'date' ? (value) => `${value.slice(0, 4)}-01-01` : undefined;
  if (transformer === 'double') return family === 'integer' ? (value) => String(BigInt(value) * 2n) : undefined;
  if (transformer === 'digits') return family === 'text' ? (value) => value.replaceAll(/\d/g, '0') : undefined;
  if (transformer === 'picky') {
    return (value) => {
      if (value === 'broken') throw new TypeError('broken');
      throw new RangeError(value);
    };
  }
  if (transformer === 'flip') return family === 'boolean' ? (value) => (value === 't' ? 'f' : 't') : undefined;
  throw new Error(transformer);
};

function plan(paths: Record<string, string>, rest: Partial<JsonPlan> = {}): JsonPlan {
  const list = Object.entries(paths).map(([path, transformer]) => ({ path, rule: rule(transformer) }));
  return { unknown: 'redact', onInvalid: 'fail', ...rest, paths: list };
}

function rule(transformer: string): Rule {
  return { transformer, options: {}, domain: transformer, normalise: [] };
}

function mask(text: string, paths: Record<string, string>, rest: Partial<JsonPlan> = {}): string | null {
  return new JsonMasker(plan(paths, rest), inner).mask(text);
}

describe('masking JSON', () => {
  it('replaces what a path names, redacts what none names, and leaves each other character as it is', () => {
    const text =
      ' { "lang" : "de",\n"contact":{"email":"a@b","n":[1e5, -0,true,null]} , "x":12345678901234567890.10 }\t';
    const masked = ' { "lang" : "de",\n"contact":{"email":"<a@b>","n":[0, 0,true,null]} , "x":0 }\t';
    assert.equal(mask(text, { '$.lang': 'keep', '$.contact.email': 'mark' }), masked);
    assert.equal(mask(text, { $: 'keep' }), text);
  });

  it('compares names as they are meant, and masks each of two that are equal', () => {
    const text = String.raw`{"\u0065mail":"x","email":"y","a\"b":"z","a\\b":"w"}`;
    const masked = String.raw`{"\u0065mail":"<x>","email":"<y>","a\"b":"<z>","a\\b":"[redacted]"}`;
    assert.equal(mask(text, { '$.email': 'mark', "$['a\"b']": 'mark' }), masked);
  });

  it('gives rules the meaning of a string, and writes what they give so that it can be read again', () => {
    const text = String.raw`["a\"\u00e9\ud83d\ude00\/","\ud800"]`;
    assert.deepEqual(JSON.parse(mask(text, { '$[*]': 'mark' }) ?? ''), ['<a"é😀/>', '<\ud800>']);
  });

  it('takes the first path that matches, the whole of what lies below it included', () => {
    const text = '{"a":{"b":"1","c":["2",{"d":"3"}]}}';
    assert.equal(mask(text, { '$.a.b': 'keep', '$.a': 'mark' }), '{"a":{"b":"1","c":["<2>",{"d":"<3>"}]}}');
    assert.equal(mask(text, { '$.a': 'mark', '$.a.b': 'keep' }), '{"a":{"b":"<1>","c":["<2>",{"d":"<3>"}]}}');
    assert.equal(mask(text, { '$..d': 'keep', '$.a.*': 'mark' }), '{"a":{"b":"<1>","c":["<2>",{"d":"3"}]}}');
    assert.equal(
      mask(text, { "$.a['b','c'][*].d": 'mark' }),
      '{"a":{"b":"[redacted]","c":["[redacted]",{"d":"<3>"}]}}',
    );
  });

  it('makes null of a whole object or array, but not of what an earlier path keeps in it', () => {
    const text = '{"a":{"b":"1","c":[2,{"d":"3"}]},"e":[]}';
    assert.equal(mask(text, { '$.a': 'null' }), '{"a":null,"e":[]}');
    assert.equal(mask(text, { '$..d': 'keep', '$.a': 'null' }), '{"a":{"b":null,"c":[null,{"d":"3"}]},"e":[]}');
    assert.equal(mask(text, { '$.e': 'keep', '$..c': 'null', '$.a': 'mark' }), '{"a":{"b":"<1>","c":null},"e":[]}');
    assert.equal(mask(text, { $: 'null' }), 'null');
    assert.equal(mask('["x",[1],true]', {}, { unknown: 'null' }), '[null,[null],null]');
  });

  it('keeps the type of a scalar where the rule gives a text of that type', () => {
    const text = '[21,"21",1.5,true,"2026-05-06","soon"]';
    assert.equal(mask(text, { '$[*]': 'double' }), '[42,"42",0,false,"[redacted]","[redacted]"]');
    assert.equal(mask(text, { '$[*]': 'digits' }), '[0,"00",0.0,false,"0000-00-00","soon"]');
    assert.equal(mask(text, { '$[*]': 'mark' }), '["<21>","<21>","<1.5>",false,"<2026-05-06>","<soon>"]');
    assert.equal(mask(text, { '$[*]': 'flip' }), '[0,"[redacted]",0,false,"[redacted]","[redacted]"]');
    assert.equal(mask(text, { '$[*]': 'picky' }), '[0,"[redacted]",0,false,"[redacted]","[redacted]"]');
    assert.throws(() => mask('["broken"]', { '$[*]': 'picky' }), TypeError);
    assert.equal(mask(text, { '$[*]': 'year' }), '[0,"[redacted]",0,false,"2026-01-01","[redacted]"]');
  });

  it('redacts names that look personal unless a path keeps what is around them', () => {
    const text = '{"a@b.example":{"x":1},"c@d.example":{"+49 30 1234567":2},"__proto__":{"e\\u0040f":3}}';
    const masked = '{"[redacted]":{"x":0},"[redacted 2]":{"[redacted]":0},"__proto__":{"[redacted]":0}}';
    assert.equal(mask(text, {}), masked);
    assert.equal(mask(text, { $: 'keep' }), text);
    assert.equal(mask('{"a@b.example":"x"}', { "$['a@b.example']": 'mark' }), '{"a@b.example":"<x>"}');
    assert.throws(() => mask(text, {}, { names: 'fail' }), isFailure);
  });

  it('fails or gives NULL for what is no JSON, and shows nothing of it', () => {
    const texts = [
      '',
      ' ',
      '{',
      '[1,]',
      '{"a":1,}',
      '{a:1}',
      '01',
      '1.',
      '-',
      '+1',
      '.5',
      'tru',
      'nul',
      'NaN',
      '"a',
      '"\t"',
      '"\\x"',
      '"\\u12"',
    ];
    texts.push(
      '[1 2]',
      '{"a" 1}',
      '{"a":1 "b":2}',
      '[1]]',
      '1 2',
      '\ufeff1',
      '{,}',
      '[,]',
      '"a""b"',
      '\u00a01',
      '[1}',
      '{"a":1]',
      "{'a':1}",
    );
    texts.push('['.repeat(1001) + ']'.repeat(1001), '['.repeat(100_000));
    for (const text of texts) {
      assert.throws(() => mask(text, {}), isFailure, text.slice(0, 20));
      assert.equal(mask(text, {}, { onInvalid: 'null' }), null);
    }
    assert.equal(mask('['.repeat(1000) + ']'.repeat(1000), {}), '['.repeat(1000) + ']'.repeat(1000));
    assert.throws(() => mask('[1]', {}, { unknown: 'fail' }), isFailure);
  });

  it('accepts exactly what JSON.parse accepts', () => {
    const masker = new JsonMasker(plan({}, { unknown: 'keep', names: 'keep', onInvalid: 'null' }), inner);
    const broken = fc
      .tuple(fc.json(), fc.nat(), fc.constantFrom('', '"', '\\', ',', '{', ']', '0', '-', '.', 'e', '\u0001', ' ', 'u'))
      .map(
        ([text, at, piece]) => text.slice(0, at % (text.length + 1)) + piece + text.slice((at % (text.length + 1)) + 1),
      );
    fc.assert(
      fc.property(fc.oneof(fc.json(), broken), (text) => {
        assert.equal(masker.mask(text), isJson(text) ? text : null);
      }),
      { numRuns: 3000 },
    );
  });

  it('masks what a parser would, on any document', () => {
    const masker = new JsonMasker(plan({ '$..a': 'mark', '$.b[*]': 'keep', '$.c': 'null' }), inner);
    fc.assert(
      fc.property(fc.tuple(documents, fc.constantFrom(undefined, 1, '\t')), ([document, space]) => {
        const masked = masker.mask(JSON.stringify(document, undefined, space)) as string;
        assert.equal(masked, JSON.stringify(expected(document, 'unknown', true), undefined, space));
      }),
      { numRuns: 1000 },
    );
  });

  it('gives the same whatever the pieces a document comes in', () => {
    const masker = new JsonMasker(plan({ '$..a': 'mark', '$.b[*]': 'keep', '$.c': 'null' }), inner);
    fc.assert(
      fc.property(
        fc.json(),
        documents,
        fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1 }),
        (json, document, sizes) => {
          for (const text of [
            json,
            JSON.stringify(document, undefined, 1),
            '-12.5e+3',
            ' [true , "\\u00e9\\n", {"c":{"a":1}} ] ',
          ]) {
            assert.equal(inPieces(masker, text, sizes), masker.mask(text));
          }
        },
      ),
      { numRuns: 1000 },
    );
  });

  it('refuses in pieces what it refuses as a whole', () => {
    const masker = new JsonMasker(plan({}, { onInvalid: 'null' }), inner);
    for (const text of ['', '1.', '-x', 'trux', '"\\u12', '"\\u1x', '[1,]', '{"a":1', '"a', '1e+', '[1]]']) {
      assert.throws(() => inPieces(masker, text, [1]), isFailure, text);
    }
  });
});

describe('paths in JSON', () => {
  it('refuses what cannot be followed, and what is no path', () => {
    for (const path of [
      '',
      'a',
      '$.',
      '$[0]',
      '$[1:2]',
      '$[?@.a]',
      '$.a b',
      `$.${'a'.repeat(1000)}`,
      `$${'.a'.repeat(33)}`,
    ]) {
      assert.throws(
        () => parseJsonPath(path),
        (error) => error instanceof HoldfastError && error.code === 'json-path-invalid',
        path,
      );
    }
  });

  it('finds a path that an earlier one leaves nothing of', () => {
    const shadowed = (...paths: string[]) => findShadowedPath(paths.map(parseJsonPath));
    assert.deepEqual(shadowed('$.a', '$.b', '$.a.c'), { shadowed: 2, by: 0 });
    assert.deepEqual(shadowed('$..c', '$.a.c'), { shadowed: 1, by: 0 });
    assert.deepEqual(shadowed('$..c', '$..a.*.c[*]'), { shadowed: 1, by: 0 });
    assert.deepEqual(shadowed('$.a[*]', "$.a['x','y']"), { shadowed: 1, by: 0 });
    assert.equal(shadowed('$.a.c', '$..c', '$.a', '$.*.b', '$..d.e.x', "$['b','c']"), undefined);
  });

  it('says which path hides another, and what is too much', () => {
    assert.throws(() => checkJsonPaths(['$.a', '$.a.b']), /\$\.a\.b can never count.*put it before \$\.a\./);
    assert.throws(() => checkJsonPaths(Array.from({ length: 501 }, (_, index) => `$.a${index}`)), /more than 500/);
    checkJsonPaths(['$.a.b', '$.a']);
    const message = jsonTransformer.options.safeParse({ paths: { $: 'keep', '$.a': 'email' } }).error?.issues[0]
      ?.message;
    assert.match(message ?? '', /\$\.a can never count/);
  });

  it('follows paths that would make very many states without keeping them all', () => {
    const paths = { [`$..a${'.*'.repeat(20)}`]: 'mark', '$..b': 'keep' };
    const text = Array.from({ length: 500 }, (_, index) => `{"${index % 3 === 0 ? 'a' : 'c'}":`).join('');
    assert.ok(mask(`${text}"x"${'}'.repeat(500)}`, paths)?.includes('<x>'));
  });
});

const documents = fc.letrec<{ any: unknown }>((tie) => ({
  any: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.oneof(
      fc.string(),
      fc.integer(),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.boolean(),
      fc.constant(null),
    ),
    fc.array(tie('any'), { maxLength: 4 }),
    fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd', 'ä"'), tie('any'), { maxKeys: 4 }),
  ),
})).any;

/** The plan of the tests above, done on what JSON.parse gives. */
function expected(value: unknown, fate: string, isRoot = false): unknown {
  if (Array.isArray(value)) return value.map((element) => expected(element, fate));
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).map(([name, member]) => {
      if (name === 'a') return [name, expected(member, 'mark')];
      if (fate !== 'unknown' || !isRoot) return [name, expected(member, fate)];
      if (name === 'b' && typeof member === 'object' && member !== null) return [name, below(member)];
      return [name, expected(member, name === 'c' ? 'null' : fate)];
    });
    return Object.fromEntries(members);
  }
  if (value === null || fate === 'keep') return value;
  if (fate === 'null') return null;
  if (typeof value === 'string') return fate === 'mark' ? `<${value}>` : '[redacted]';
  if (typeof value === 'number') return fate === 'mark' ? `<${JSON.stringify(value)}>` : 0;
  return fate === 'mark' ? false : value;
}

function below(value: object): unknown {
  if (Array.isArray(value)) return value.map((element) => expected(element, 'keep'));
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, expected(member, name === 'a' ? 'mark' : 'keep')]),
  );
}

function inPieces(masker: JsonMasker, text: string, sizes: readonly number[]): string {
  masker.begin();
  let out = '';
  let at = 0;
  for (let piece = 0; at < text.length; piece++) {
    const size = sizes[piece % sizes.length] as number;
    out += masker.push(text.slice(at, at + size), false);
    at += size;
  }
  return out + masker.push('', true);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function isFailure(error: unknown): boolean {
  return error instanceof HoldfastError && error.code === 'variant-failed' && !/[[{"]/.test(error.message);
}
