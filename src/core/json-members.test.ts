import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { HoldfastError } from './errors.ts';
import { readJsonDocument } from './json-document.ts';
import { readJsonMembers } from './json-members.ts';

const LIMITS = { limitBytes: 1 << 20, depthLimit: 100 };

function split(text: string): Record<string, string> {
  const members = readJsonMembers(Buffer.from(text), LIMITS);
  return Object.fromEntries([...members].map(([name, bytes]) => [name, Buffer.from(bytes).toString()]));
}

function codeOf(text: string): string {
  try {
    split(text);
  } catch (error) {
    return (error as HoldfastError).code;
  }
  throw new assert.AssertionError({ message: `was split: ${text}` });
}

describe('readJsonMembers', () => {
  it('gives each member as the bytes that were sent', () => {
    const text = ' { "data" : {"b": [1, "}"], "a":"\\"" } ,\n"type":"full","encrypt":true , "n":1e400} ';
    assert.deepEqual(split(text), {
      data: '{"b": [1, "}"], "a":"\\"" }',
      type: '"full"',
      encrypt: 'true',
      n: '1e400',
    });
    assert.deepEqual(split('{ }'), {});
  });

  it('agrees with the reader of whole documents on every object', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.nat(3), (object, indent) => {
        const members = readJsonMembers(Buffer.from(JSON.stringify(object, undefined, indent)), LIMITS);
        assert.deepEqual([...members.keys()].sort(), Object.keys(object).sort());
        for (const [name, bytes] of members) {
          assert.deepEqual(readJsonDocument(bytes, LIMITS), JSON.parse(JSON.stringify(object[name])));
        }
      }),
    );
  });

  it('refuses what is no object, not whole, or has a name twice, with the code that the whole text deserves', () => {
    assert.equal(codeOf('[1]'), 'document-not-an-object');
    assert.equal(codeOf('nonsense'), 'document-syntax');
    assert.equal(codeOf(''), 'document-empty');
    assert.equal(codeOf('{"a":1} x'), 'document-syntax');
    assert.equal(codeOf('{"a":1,}'), 'document-syntax');
    assert.equal(codeOf('{"a" 1}'), 'document-syntax');
    assert.equal(codeOf('{"a":}'), 'document-syntax');
    assert.equal(codeOf('{"a":[1}'), 'document-syntax');
    assert.equal(codeOf('{"a":"b'), 'document-syntax');
    assert.equal(codeOf('{"a'), 'document-syntax');
    assert.equal(codeOf('{"a":1,"\\u0061":2}'), 'document-duplicate-key');
    assert.equal(codeOf('{"\\ud800":1}'), 'document-lone-surrogate');
  });
});
