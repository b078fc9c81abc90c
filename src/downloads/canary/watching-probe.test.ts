import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { TablePlan } from '../variant-plan.ts';
import { CanaryFilter, createCanaryMemory, tracedForm } from './canary-filter.ts';
import { WatchingProbe } from './watching-probe.ts';

const PLAN: TablePlan = {
  table: 't',
  fate: 'rows',
  columns: [
    {
      ...{ column: 'note', family: 'text', isNullable: true },
      rule: { transformer: 'keep', options: {}, domain: 'keep', normalise: [] },
    },
  ],
};

const piece = fc.oneof(
  fc.constantFrom(' ', '\t', '"', '(', ',', '|', '\\', '\u00a0', '\u2003', 'ä', '中', '\0'),
  fc.constantFrom('Anna@Corp.example', 'abcdefg', 'abcdefgh', '12345678', '123456789012345', 'x'.repeat(1001)),
  fc.string({ maxLength: 12 }),
);
const text = fc.oneof(
  fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join('')),
  fc.constantFrom(`${' '.repeat(4090)}Anna@Corp.example`, `${'y'.repeat(4095)} Anna@Corp.example`),
);

/** The value as a whole, then each of its words, as the canary traces them. */
function wordsOf(value: string): string[] {
  const words = value.slice(0, 4096).split(/[\s"'<>(),;{}[\]\\|]+/);
  return [value, ...words.filter((word) => word !== value)].flatMap((word) => tracedForm(word) ?? []);
}

test('notes each watched value and its words, in whatever alphabet and between whatever blanks', () => {
  const memory = createCanaryMemory(1000);
  const probe = new WatchingProbe(memory, 'none', { plan: PLAN, columns: ['note'] });
  const filter = new CanaryFilter(memory);
  probe.watches = true;
  fc.assert(
    fc.property(text, (value) => {
      probe.output(value, 0);
      const [seen] = probe.take();
      assert.deepEqual(
        seen?.hashes ?? new Uint32Array(0),
        Uint32Array.from(wordsOf(value).flatMap((word) => filter.hashOf(word))),
      );
    }),
    { numRuns: 2000 },
  );
});
