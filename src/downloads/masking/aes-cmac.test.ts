import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import fc from 'fast-check';
import { AesCmac, TAG_BYTES } from './aes-cmac.ts';
import { viewed } from './byte-values.ts';

/** NIST, examples of SP 800-38B for AES-256. */
const KEY = Buffer.from('603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4', 'hex');
const MESSAGE = Buffer.from(
  '6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710',
  'hex',
);
const TAGS: readonly (readonly [length: number, tag: string])[] = [
  [0, '028962f61b7bf89efc6b551f4667d983'],
  [16, '28a7023f452e8f82bd4bf28d8c37c35c'],
  [20, '156727dc0878944a023c1fe03bad6d93'],
  [40, 'aaf3d8f1de5640c232f5b169b9c911e6'],
  [64, 'e1992190549f6ed5696a2c056c315410'],
];

function tagsOf(cmac: AesCmac, values: readonly Uint8Array[]): string[] {
  const bytes = Buffer.concat(values);
  const ends = Int32Array.from(values.map((_, index) => Buffer.concat(values.slice(0, index + 1)).length));
  const starts = ends.map((end, index) => end - values[index]!.length);
  const out = Buffer.alloc(values.length * TAG_BYTES);
  cmac.tags({ ...viewed(bytes), starts, ends, count: values.length }, out);
  return values.map((_, index) => out.toString('hex', index * TAG_BYTES, (index + 1) * TAG_BYTES));
}

function tagOf(cmac: AesCmac, value: Uint8Array): string {
  const out = Buffer.alloc(TAG_BYTES + 1, 1);
  const bytes = Buffer.concat([Buffer.from('x'), value, Buffer.from('y')]);
  cmac.tag(bytes, 1, 1 + value.length, out, 1);
  assert.deepEqual(bytes.subarray(1, -1), Buffer.from(value));
  return out.toString('hex', 1);
}

test("the tags are those of NIST's examples, of one value after the other and of all at once", () => {
  const cmac = new AesCmac(KEY);
  const values = TAGS.map(([length]) => MESSAGE.subarray(0, length));
  const expected = TAGS.map(([, tag]) => tag);
  assert.deepEqual(
    values.map((value) => tagOf(cmac, value)),
    expected,
  );
  assert.deepEqual(tagsOf(cmac, values), expected);
  assert.deepEqual(tagsOf(cmac, []), []);
});

test('a tag is the same whatever was asked for before it and beside it', () => {
  const cmac = new AesCmac(KEY);
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ size: 'large', maxLength: 300 })), (values) => {
      assert.deepEqual(
        tagsOf(cmac, values),
        values.map((value) => tagOf(new AesCmac(KEY), value)),
      );
      for (const value of values) assert.equal(tagOf(cmac, value), tagOf(new AesCmac(KEY), value));
    }),
  );
});

test('values of any length have the tag that OpenSSL gives them', () => {
  const cmac = new AesCmac(KEY);
  for (const length of [255, 256, 257, 272, 65_535, 65_536, 65_537, 65_792, 65_793, 200_000]) {
    const value = Buffer.alloc(length, MESSAGE);
    const commandLine = ['mac', '-cipher', 'AES-256-CBC', '-macopt', `hexkey:${KEY.toString('hex')}`, 'CMAC'];
    const expected = execFileSync('openssl', commandLine, { input: value, encoding: 'utf8' }).trim().toLowerCase();
    assert.equal(tagOf(cmac, value), expected, String(length));
    assert.deepEqual(tagsOf(cmac, [value, value]), [expected, expected]);
  }
});
