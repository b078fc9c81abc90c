import assert from 'node:assert/strict';
import { test } from 'node:test';
import { remembered } from './remembered.ts';
import type { RowValues } from './transformer.ts';

test('gives what the function gives, however often values come and however many there are', () => {
  let calls = 0;
  const row: RowValues = { original: () => null, masked: () => null };
  const change = remembered((value) => {
    calls++;
    return `${value.toUpperCase()}!`;
  });
  const upper = (value: string) => change(value, row);
  for (let at = 0; at < 100_000; at++) assert.equal(upper(`town ${at % 50}`), `TOWN ${at % 50}!`);
  assert.equal(calls, 50);
  for (let at = 0; at < 100_000; at++) assert.equal(upper(`person ${at}`), `PERSON ${at}!`);
  assert.equal(upper('x'.repeat(1000)), `${'X'.repeat(1000)}!`);
});
