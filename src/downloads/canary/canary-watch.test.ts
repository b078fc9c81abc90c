import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CanaryFilter } from './canary-filter.ts';
import { CanaryWatch } from './canary-watch.ts';

const LEAKING = { code: 'variant-leaks', message: /public\.users\.note holds originals/ };

test('an original is noticed in whichever block of a large table it stands', () => {
  for (const place of [0, 70, 999]) {
    const watch = new CanaryWatch(1 << 20);
    const filter = new CanaryFilter(watch.memory);
    filter.add(filter.hashOf('anna@corp.example'));
    for (let block = 0; block < 1000; block++)
      tell(watch, filter.hashOf(block === place ? 'anna@corp.example' : `word ${block} of nobody`));
    assert.throws(() => watch.require(), LEAKING, `${place}`);
  }
});

test('an original that is only met later is noticed in the blocks that wait', () => {
  const watch = new CanaryWatch(1 << 20);
  const filter = new CanaryFilter(watch.memory);
  tell(watch, filter.hashOf('otto@corp.example'));
  filter.add(filter.hashOf('otto@corp.example'));
  assert.throws(() => watch.require(), LEAKING);
});

test('what is no original is no leak, and is counted', () => {
  const watch = new CanaryWatch(1 << 20);
  const filter = new CanaryFilter(watch.memory);
  filter.add(filter.hashOf('anna@corp.example'));
  for (let block = 0; block < 200; block++) tell(watch, filter.hashOf(`word ${block} of nobody`));
  assert.deepEqual(watch.require(), { looked: 200, originals: 1 });
});

function tell(watch: CanaryWatch, hashes: readonly [number, number]): void {
  watch.told('public.users', [{ column: 'note', looked: 1, hashes: Uint32Array.from(hashes), detected: [] }]);
}

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
