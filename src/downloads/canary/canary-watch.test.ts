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
