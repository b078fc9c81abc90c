import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { viewed } from '../masking/byte-values.ts';
import { CanaryFilter, createCanaryMemory, tracedForm } from './canary-filter.ts';

test('finds every original that was added, whatever its characters', () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: 'binary' })), (values) => {
      const filter = new CanaryFilter(createCanaryMemory(1000));
      for (const value of values) filter.add(filter.hashOf(value));
      for (const value of values) assert.ok(filter.has(filter.hashOf(value)));
    }),
  );
});

test('finds originals that were added as they are, whatever their case, blanks and length', () => {
  const blanks = fc.string({ unit: fc.constantFrom(' ', '\t', '\n', '\u00a0', '\ufeff', '\0') });
  const text = fc.oneof(
    fc.string({ maxLength: 30 }),
    fc.string({ unit: 'binary', maxLength: 30 }).map((text) => text.toWellFormed()),
    fc.constantFrom('Ä'.repeat(1000), 'Ab'.repeat(500), 'Ab'.repeat(501), '1'.repeat(14), '1'.repeat(15), 'İİİİİİİ'),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(blanks, text, blanks).map((parts) => parts.join(''))), (values) => {
      const memories = [createCanaryMemory(1000), createCanaryMemory(1000), createCanaryMemory(1000)] as const;
      for (const { secret } of memories) secret.set(memories[0].secret);
      const [added, atOnce, built] = memories.map((memory) => new CanaryFilter(memory));
      for (const value of values) {
        added!.addTraced(value);
        const form = tracedForm(value);
        if (form !== undefined) built!.add(built!.hashOf(form));
      }
      const bytes = Buffer.from(values.join(''));
      const ends = Int32Array.from(values, (_, index) => Buffer.byteLength(values.slice(0, index + 1).join('')));
      const starts = ends.map((_, index) => (index === 0 ? 0 : ends[index - 1]!));
      atOnce!.addAllTraced({ ...viewed(bytes), starts, ends, count: values.length });
      assert.deepEqual(memories[0].originals, memories[2].originals);
      assert.deepEqual(memories[1].originals, memories[2].originals);
    }),
  );
});

test('takes others for originals no more often than it says', () => {
  const filter = new CanaryFilter(createCanaryMemory(1));
  for (let at = 0; at < 40_000; at++) filter.add(filter.hashOf(`person${at}@corp.example`));
  let found = 0;
  for (let at = 0; at < 100_000; at++) if (filter.has(filter.hashOf(`user-${at}@example.test`))) found++;
  const expected = filter.fill().mistakes * 100_000;
  assert.ok(expected > 100 && expected < 5000, `${expected}`);
  assert.ok(Math.abs(found - expected) < expected * 0.3, `${found} of ${expected} expected`);
});

test('two productions have nothing in common by which their filters could be compared', () => {
  const [one, other] = [createCanaryMemory(1), createCanaryMemory(1)].map((memory) => new CanaryFilter(memory));
  assert.notDeepEqual(one!.hashOf('person@corp.example'), other!.hashOf('person@corp.example'));
});

test('what may come up by itself is not traced; case and blanks around a value do not hide it', () => {
  assert.deepEqual(
    ['Paris', '12345678', '2026-01-31', '', ' Fred@Corp.example ', 'DE02120300000000202051', 'x'.repeat(1001)].map(
      tracedForm,
    ),
    [undefined, undefined, undefined, undefined, 'fred@corp.example', 'de02120300000000202051', undefined],
  );
});
