import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { canonicalText } from '../../core/canonical-json.ts';
import type { HoldfastError } from '../../core/errors.ts';
import { readCanonicalText } from '../../core/json-document.ts';
import { exactNumber, isExactNumber, type JsonValue, jsonEquals } from '../../core/json-value.ts';
import { applyDelta, parseDelta } from './apply-delta.ts';
import { computeDelta, type DocumentDelta } from './delta.ts';

describe('computeDelta', () => {
  it('gives exactly the delta of the documented example', () => {
    const base = json('{"users": [{"id": 1, "name": "Alice"}], "settings": {"theme": "dark"}}');
    const current = json(
      '{"users": [{"id": 1, "name": "Alice"}, {"id": 2, "name": "Bob"}], "settings": {"theme": "light"}}',
    );
    assert.deepEqual(computeDelta(base, current), {
      changes: [{ key: 'settings', oldValue: { theme: 'dark' }, newValue: { theme: 'light' } }],
      additions: [{ key: 'users[1]', value: { id: 2, name: 'Bob' } }],
      deletions: [],
    });
  });

  it('is empty for equal documents, whatever the order of their members', () => {
    assert.deepEqual(computeDelta(json('{"a":{"x":1,"y":[2]},"b":-0}'), json('{"b":0,"a":{"y":[2],"x":1}}')), {
      changes: [],
      additions: [],
      deletions: [],
    });
  });

  it('goes into nested objects and arrays to where they differ', () => {
    const row = (id: number) => ({ id, name: `row ${id}`, tags: ['a', 'b'] });
    const rows = Array.from({ length: 100 }, (_, id) => row(id));
    const changed = rows.with(50, { ...row(50), tags: ['a', 'c'] });
    assert.deepEqual(computeDelta({ tables: { rows } }, { tables: { rows: changed } }), {
      changes: [{ key: 'tables.rows[50].tags[1]', oldValue: 'b', newValue: 'c' }],
      additions: [],
      deletions: [],
    });
  });

  it('replaces a small record as a whole and goes into a large one', () => {
    assert.deepEqual(computeDelta({ a: { x: 1, y: 2 } }, { a: { x: 1, z: 3 } }).changes, [
      { key: 'a', oldValue: { x: 1, y: 2 }, newValue: { x: 1, z: 3 } },
    ]);
    const text = 'long '.repeat(50);
    assert.deepEqual(computeDelta({ a: { x: 1, text } }, { a: { x: 2, text } }).changes, [
      { key: 'a.x', oldValue: 1, newValue: 2 },
    ]);
  });

  it('never replaces the root where its kind stays', () => {
    assert.deepEqual(computeDelta({ a: 1 }, { b: 2 }), {
      changes: [],
      additions: [{ key: 'b', value: 2 }],
      deletions: [{ key: 'a', oldValue: 1 }],
    });
    assert.deepEqual(computeDelta([1], { 0: 1 }).changes, [{ key: '', oldValue: [1], newValue: { 0: 1 } }]);
  });

  it('replaces what has hardly anything left in common', () => {
    const digits = Array.from({ length: 50 }, (_, index) => index);
    const delta = computeDelta({ list: digits }, { list: digits.map((digit) => digit + 1) });
    assert.deepEqual(
      delta.changes.map(({ key }) => key),
      ['list'],
    );
  });

  it('needs little memory for many differences with very long keys, and replaces what holds them', () => {
    const deep = (shift: number) => {
      let document: JsonValue = Array.from({ length: 50_000 }, (_, index) => index + shift);
      for (let level = 0; level < 900; level++) document = { ['long name '.repeat(10)]: document };
      return { list: document };
    };
    const delta = computeDelta(deep(0), deep(1));
    assert.equal(delta.changes.length, 1);
    assert.ok(canonicalText(delta).length < 2_000_000);
  });

  it('takes shrinking arrays from the end, listed in ascending order', () => {
    const long = ['one', 'two', 'three'].map((word) => word.repeat(20));
    assert.deepEqual(
      computeDelta({ list: long }, { list: long.slice(0, 1) }).deletions.map(({ key }) => key),
      ['list[1]', 'list[2]'],
    );
  });
});

describe('applyDelta', () => {
  it('turns the base into the other document, for every pair of JSON values', () => {
    fc.assert(fc.property(documents, documents, assertRoundTrip), { numRuns: 1000 });
  });

  it('turns the base into an edited copy of itself', () => {
    fc.assert(
      fc.property(documents, fc.array(fc.tuple(fc.nat(), documents)), (base, edits) => {
        let current = base;
        for (const [place, value] of edits) current = edited(current, place, value);
        assertRoundTrip(base, current);
      }),
      { numRuns: 1000 },
    );
  });

  it('handles roots, types, arrays and exact numbers that change', () => {
    const values: JsonValue[] = [
      null,
      true,
      false,
      0,
      1.5,
      '',
      'a',
      [],
      {},
      [null],
      [[]],
      [{}],
      { '': {} },
      { a: [] },
      [1, 2, 3],
      [3],
    ];
    const exact: JsonValue[] = [exactNumber('1e400'), [exactNumber('1e400')], { a: exactNumber('1e401') }];
    for (const base of [...values, ...exact]) {
      for (const current of [...values, ...exact]) assertRoundTrip(base, current);
    }
  });

  it('was tried with hostile keys among the generated ones', () => {
    const texts = fc.sample(documents, 300).map((value) => Buffer.from(canonicalText(value)).toString());
    assert.ok(texts.some((text) => text.includes('"__proto__":')));
    assert.ok(texts.some((text) => text.includes('"a.b":')));
  });

  it('treats __proto__, constructor and their like as members and pollutes nothing', () => {
    const texts = [
      '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}',
      '{"__proto__":{"polluted":[2]},"constructor":{"prototype":{"polluted":2}},"toString":[1,"long enough to matter"]}',
      '{"a":{"__proto__":{"a":{"__proto__":[1]}}}}',
      '{"__proto__":null}',
      '{}',
    ];
    for (const base of texts) {
      for (const current of texts) assertRoundTrip(json(base), json(current));
    }
    assert.equal(({} as { polluted?: unknown }).polluted, undefined);
  });

  it('refuses a base that holds something else, and names the place', () => {
    const delta = (text: string) => parseDelta(json(text));
    const changes = '{"changes":[{"key":"a.b","oldValue":[1],"newValue":2}],"additions":[],"deletions":[]}';
    assertDiffers({ a: { b: [2] } }, delta(changes), 'a.b');
    assertDiffers({ a: 1 }, delta(changes), 'a.b');
    assertDiffers({}, delta(changes), 'a.b');
    assertDiffers({}, delta(changes.replace('a.b', '__proto__.b')), '__proto__.b');
    const additions = (key: string) => delta(`{"changes":[],"additions":[{"key":"${key}","value":1}],"deletions":[]}`);
    assertDiffers({ a: 1 }, additions('a'), 'a');
    assertDiffers({ a: [] }, additions('a[1]'), 'a[1]');
    assertDiffers({ a: [0] }, additions('a[0]'), 'a[0]');
    assertDiffers({ a: [0] }, additions('a.b'), 'a.b');
    assertDiffers({ a: [0] }, additions('a.length'), 'a.length');
    assertDiffers([], additions(''), '');
    const deletions = (key: string) =>
      delta(`{"changes":[],"additions":[],"deletions":[{"key":"${key}","oldValue":1}]}`);
    assertDiffers({ a: [1, 1] }, deletions('a[0]'), 'a[0]');
    assertDiffers({ a: [2] }, deletions('a[0]'), 'a[0]');
    assertDiffers({}, deletions('a'), 'a');
  });

  it('refuses a delta that leaves no document, or one that is nested too deeply to be read or written', () => {
    const malformed = { code: 'delta-malformed', kind: 'damaged' };
    const none: DocumentDelta = { changes: [], additions: [], deletions: [{ key: '', oldValue: { a: [] } }] };
    assert.throws(() => applyDelta({ a: [] }, none), malformed);
    let deep: JsonValue = 1;
    for (let depth = 0; depth < 999; depth++) deep = [deep];
    const deeper = (key: string): DocumentDelta => ({
      changes: [],
      additions: [{ key, value: structuredClone(deep) }],
      deletions: [],
    });
    const applied = applyDelta({ a: [] }, deeper('b'));
    assert.throws(() => applyDelta(applied, deeper('a[0]')), malformed);
    assert.throws(() => applyDelta(applied, deeper(`b${'[0]'.repeat(900)}[1]`)), malformed);
  });

  it('follows a chain of documents back and forth, delta by delta', () => {
    fc.assert(
      fc.property(fc.array(documents, { minLength: 2, maxLength: 6 }), (versions) => {
        let forward = copy(versions[0]!);
        let backward = copy(versions.at(-1)!);
        for (let index = 1; index < versions.length; index++) {
          const [before, after] = [versions[index - 1]!, versions[index]!];
          forward = applyDelta(forward, computeDelta(copy(before), copy(after)));
          assert.ok(jsonEquals(forward, after));
          const [later, earlier] = [versions.at(-index)!, versions.at(-index - 1)!];
          backward = applyDelta(backward, computeDelta(copy(later), copy(earlier)));
          assert.ok(jsonEquals(backward, earlier));
        }
      }),
      { numRuns: 300 },
    );
  });

  it('refuses a delta that is none', () => {
    for (const text of ['null', '[]', '{}', '{"changes":[],"additions":[{"key":"a"}],"deletions":[]}']) {
      assert.throws(() => parseDelta(json(text)), { code: 'delta-malformed', kind: 'damaged' });
    }
    const delta: DocumentDelta = { changes: [], additions: [{ key: 'a[', value: 1 }], deletions: [] };
    assert.throws(() => applyDelta({}, delta), { code: 'delta-malformed', kind: 'damaged' });
  });
});

const key = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom('a', 'b', 'c', '0', '1') },
  fc.constantFrom('', '.', 'a.b', 'a[0]', '[', ']', '"', '\\', "'", '["a"]', '\n', '\u0000', 'rawJSON'),
  fc.constantFrom(
    '__proto__',
    'constructor',
    'prototype',
    'hasOwnProperty',
    'toString',
    'toJSON',
    'length',
    'document',
  ),
  fc.string(),
);

const { documents } = fc.letrec<{ documents: JsonValue }>((tie) => ({
  documents: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    fc.oneof(
      fc.constantFrom(null, true, false, 0, 1, '', 'a', 'text that is longer than a key'),
      fc.constantFrom('1e400', '12345678901234567890').map(exactNumber),
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.string(),
      fc.jsonValue().map((value) => value as JsonValue),
    ),
    fc.array(tie('documents'), { maxLength: 6 }),
    fc.dictionary(key, tie('documents'), { maxKeys: 6 }),
  ),
}));

/** Puts `value` somewhere into a copy of `document`, the place picked by `place`. */
function edited(document: JsonValue, place: number, value: JsonValue): JsonValue {
  const result = copy(document);
  if (typeof result !== 'object' || result === null || isExactNumber(result) || place % 7 === 0) return value;
  const names = Object.keys(result);
  const name = names[place % (names.length || 1)];
  const container = result as Record<string, JsonValue>;
  if (name === undefined) return value;
  const next = place % 3 === 0 ? value : edited(container[name] as JsonValue, Math.floor(place / 3), value);
  Object.defineProperty(container, name, { value: next, enumerable: true, configurable: true, writable: true });
  if (Array.isArray(result) && place % 5 === 0) result.pop();
  if (Array.isArray(result) && place % 5 === 1) result.unshift(value);
  return result;
}

function assertRoundTrip(base: JsonValue, current: JsonValue): void {
  const text = canonicalText(computeDelta(copy(base), copy(current)));
  const delta = parseDelta(readCanonicalText(text));
  assert.deepEqual(canonicalText(delta), text);
  const result = applyDelta(copy(base), delta);
  assert.ok(jsonEquals(result, current));
  assert.deepEqual(canonicalText(result), canonicalText(current));
}

function assertDiffers(base: JsonValue, delta: DocumentDelta, where: string): void {
  assert.throws(
    () => applyDelta(base, delta),
    (error: HoldfastError) =>
      error.code === 'delta-base-differs' && error.kind === 'damaged' && error.details.key === where,
  );
}

function copy(value: JsonValue): JsonValue {
  return readCanonicalText(canonicalText(value));
}

function json(text: string): JsonValue {
  return readCanonicalText(Buffer.from(text));
}
