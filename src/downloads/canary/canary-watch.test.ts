import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CanaryFilter } from './canary-filter.ts';
import { CanaryWatch } from './canary-watch.ts';

const ORIGINALS = 20_000;

function watching(): {
  watch: CanaryWatch;
  filter: CanaryFilter;
  tell(column: string, values: readonly string[]): void;
} {
  const watch = new CanaryWatch(1);
  const filter = new CanaryFilter(watch.memory);
  for (let at = 0; at < ORIGINALS; at++) filter.add(filter.hashOf(`person${at}@corp.example`));
  const tell = (column: string, values: readonly string[]) => {
    const hashes = Uint32Array.from(values.flatMap((value) => filter.hashOf(value)));
    watch.told('public.users', [{ column, looked: values.length, hashes, detected: [] }]);
  };
  return { watch, filter, tell };
}

test('does not withdraw a variant for what it takes for originals by mistake, in however many columns', () => {
  const { watch, filter, tell } = watching();
  let mistakes = 0;
  for (let column = 0; column < 1000; column++) {
    const values = Array.from({ length: 1000 }, (_, at) => `harmless ${column} ${at}`);
    mistakes += values.filter((value) => filter.has(filter.hashOf(value))).length;
    tell(`column_${column}`, values);
  }
  assert.ok(mistakes > 20, `${mistakes}`);
  watch.require();
});

test('takes a word that stands in each row for one word', () => {
  const { watch, filter, tell } = watching();
  const found = Array.from({ length: 1_000_000 }, (_, at) => `harmless ${at}`).find((value) =>
    filter.has(filter.hashOf(value)),
  );
  assert.ok(found !== undefined);
  tell('note', [...new Array<string>(1000).fill(found), ...Array.from({ length: 1000 }, (_, at) => `other ${at}`)]);
  watch.require();
});

test('withdraws a variant for a few originals among many other values', () => {
  const { watch, tell } = watching();
  const values = Array.from({ length: 1000 }, (_, at) => `harmless ${at}`);
  tell('note', [...values, ...Array.from({ length: 8 }, (_, at) => `person${at * 7}@corp.example`)]);
  assert.throws(() => watch.require(), { code: 'variant-leaks', message: /users\.note/ });
});
