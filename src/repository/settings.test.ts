import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { errorOf, mutationsOf, RUNS } from '../../test/mutated-bytes.ts';
import { decodeSettings, encodeSettings, newSettings } from './settings.ts';

const settings = newSettings({}, new Date('2026-11-21T00:00:00Z'));
const text = (changes: object): Buffer => Buffer.from(JSON.stringify({ ...settings, ...changes }));

describe('the settings of a repository', () => {
  test('come back as they were written', () => {
    assert.deepEqual(decodeSettings(encodeSettings(settings)), settings);
  });

  test('of a newer format are unsupported, whatever they look like', () => {
    const newer = [
      text({ formatVersion: 2 }),
      text({ formatVersion: 2, features: { needs: ['moon'] } }),
      Buffer.from('{"format":"holdfast-repository","formatVersion":3}'),
      text({ features: { ...settings.features, incompatibleRead: ['new-packs'] } }),
      text({ features: { ...settings.features, incompatibleWrite: ['new-index'] } }),
    ];
    for (const bytes of newer) {
      const error = errorOf(() => decodeSettings(bytes));
      assert.equal(error?.code, 'format-newer');
      assert.equal(error?.kind, 'unsupported');
    }
  });

  test('may name features that can be ignored, and fields that are not known', () => {
    const bytes = text({ features: { ...settings.features, compatible: ['statistics'] }, colour: 'blue' });
    assert.equal(decodeSettings(bytes).repositoryId, settings.repositoryId);
  });

  test('that list millions of wrong things are refused without a look at each', () => {
    const endless = text({ features: { ...settings.features, compatible: Array(100_000).fill(0) } });
    const error = errorOf(() => decodeSettings(endless));
    assert.equal(error?.code, 'config-damaged');
    assert.ok(error.cause instanceof RangeError);
  });

  test('that are anything else are damaged, never a crash', () => {
    for (const bytes of [
      Buffer.alloc(0),
      Buffer.from([0xff]),
      Buffer.from('null'),
      text({ format: 'restic' }),
      text({ cipher: 'rot13' }),
    ])
      assert.equal(errorOf(() => decodeSettings(bytes))?.code, 'config-damaged');
    fc.assert(
      fc.property(mutationsOf(encodeSettings(settings)), (bytes) => {
        assert.match(errorOf(() => decodeSettings(bytes))?.kind ?? 'damaged', /^(damaged|unsupported)$/);
      }),
      RUNS,
    );
  });
});
