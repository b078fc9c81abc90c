import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { z } from 'zod';
import {
  assertionFields,
  type Expectation,
  expectationFields,
  expectationText,
  expectsSomething,
  judgeValue,
  parseAssertionList,
  valueText,
} from './assertion.ts';

describe('values that are compared with what is expected', () => {
  const outcome = (found: unknown, expectation: Expectation) => judgeValue(found, expectation).outcome;

  test('are equal as JSON is, and numbers that were written as text are numbers where one is expected', () => {
    for (const [found, equals] of [
      [5, 5],
      ['5', 5],
      [5n, 5],
      ['12.50', 12.5],
      ['5', '5'],
      [null, null],
      [true, true],
      [{ a: [1, { b: null }] }, { a: [1, { b: null }] }],
      ['9007199254740993', '9007199254740993'],
    ] as const)
      assert.equal(outcome(found, { equals }), 'passed', `${found} = ${equals}`);
    for (const [found, equals] of [
      [5, '5'],
      ['5 ', 5],
      ['', 0],
      [null, 0],
      [false, 0],
      ['0x10', 16],
      [undefined, null],
      [{ a: 1 }, { a: 1, b: 2 }],
      [
        [1, 2],
        [2, 1],
      ],
    ] as const)
      assert.equal(outcome(found, { equals }), 'failed', `${found} = ${equals}`);
  });

  test('lie between bounds that belong to them, and only if they are numbers', () => {
    for (const found of [1, 2, '1.5', 2n]) assert.equal(outcome(found, { atLeast: 1, atMost: 2 }), 'passed');
    for (const found of [0.99, 3, 'many', null, undefined, true, [1], Number.NaN])
      assert.equal(outcome(found, { atLeast: 1, atMost: 2 }), 'failed', String(found));
  });

  test('are told of shortly', () => {
    assert.equal(valueText('x'), '"x"');
    assert.equal(valueText(5n), '5');
    assert.equal(valueText(undefined), 'undefined');
    assert.match(valueText('x'.repeat(10_000)), /^"x{499}… \(10002 characters\)$/);
    assert.equal(expectationText({ atLeast: 1, atMost: 2 }), 'at least 1 and at most 2');
    assert.equal(expectationText({ equals: null }), 'null');
  });
});

describe('lists of assertions', () => {
  const schema = z
    .strictObject({ ...assertionFields, ...expectationFields })
    .refine(expectsSomething, 'expects nothing');
  const parse = (...assertions: unknown[]) => parseAssertionList(schema, assertions);

  test('get their defaults', () => {
    assert.deepEqual(parse({ equals: null }, { atMost: 3, timeoutSeconds: 5, name: 'few' }), [
      { equals: null, timeoutSeconds: 60 },
      { atMost: 3, timeoutSeconds: 5, name: 'few' },
    ]);
  });

  test('are refused where one would always hold, never hold or is misspelt, with its place', () => {
    const refused = (message: RegExp, ...assertions: unknown[]) =>
      assert.throws(() => parse(...assertions), { code: 'assertions-invalid', message });
    refused(/`assertions.1` is not valid: expects nothing/, { equals: 1 }, {});
    refused(/expects nothing/, { atLeast: 2, atMost: 1 });
    refused(/expects nothing/, { equals: 1, atLeast: 1 });
    refused(/`assertions.0.atLeast` is not valid: expected number, received string\./, { atLeast: '2' });
    refused(/assertions\.0/, { equal: 1 });
    refused(/assertions\.0\.timeoutSeconds/, { equals: 1, timeoutSeconds: 0 });
    refused(/at most/, ...Array(201).fill({ equals: 1 }));
  });
});
