import assert from 'node:assert/strict';
import test from 'node:test';
import type { Snapshot } from './download.ts';
import type { DeclaredVariant } from './ports/variant-maker.ts';
import { requireChoosable } from './variant-choice.ts';

const SNAPSHOT: Snapshot = {
  ...{ id: 'backup-1', resourceId: 'shop', resourceType: 'database', origin: 'repository' },
  ...{ createdAt: '2026-01-01T00:00:00Z', completedAt: '2026-01-01T00:00:00Z', formats: ['sql'] },
};
const MASKED: DeclaredVariant = { name: 'dev', kind: 'masked', produce: 'ahead', verifiesByLoading: false };

test('parts of a kept copy are refused before anything is begun where it is known that there are none', () => {
  const refused = { code: 'download-choice-invalid' };
  for (const made of [
    { ...MASKED, kind: 'reduced' as const },
    { ...MASKED, verifiesByLoading: true },
  ]) {
    requireChoosable(made, SNAPSHOT, {});
    requireChoosable(made, SNAPSHOT, { tables: ['users'] });
    requireChoosable(made, { ...SNAPSHOT, dialect: 'postgresql' }, { tables: ['users'] });
    assert.throws(() => requireChoosable(made, { ...SNAPSHOT, dialect: 'mysql' }, { tables: ['users'] }), refused);
    assert.throws(() => requireChoosable(made, { ...SNAPSHOT, formats: ['sqlite'] }, { tables: ['users'] }), refused);
    assert.throws(() => requireChoosable(made, SNAPSHOT, { paths: ['users'] }), refused);
  }
  requireChoosable(MASKED, SNAPSHOT, { paths: ['docs'] });
});
