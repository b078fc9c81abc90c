import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Backup } from './backup.ts';
import type { RetentionRules } from './policy.ts';
import { planRetention, requireTimeZone, requireUsableRules } from './retention.ts';

const NOW = new Date('2026-03-31T12:00:00.000Z');

test('keepDaily keeps the newest backup of each of the last days that have one, gaps not counted', () => {
  const backups = [
    made('2026-03-31T10:00:00.000Z'),
    made('2026-03-31T09:00:00.000Z'),
    made('2026-03-20T23:00:00.000Z'),
    made('2026-03-20T01:00:00.000Z'),
    made('2026-03-01T01:00:00.000Z'),
  ];
  const plan = planRetention(backups, { keepDaily: 2 }, 'UTC', NOW);
  assert.deepEqual(kept(plan), ['2026-03-31T10:00:00.000Z', '2026-03-20T23:00:00.000Z']);
  assert.deepEqual(plan.keep[0]?.reasons, ['daily 2026-03-31']);
  assert.equal(plan.forget.length, 3);
});

test('days begin where the policy says: one instant belongs to different days in different zones', () => {
  const backups = [made('2026-03-30T22:30:00.000Z'), made('2026-03-30T21:30:00.000Z')];
  assert.equal(planRetention(backups, { keepDaily: 5 }, 'UTC', NOW).keep.length, 1);
  assert.equal(planRetention(backups, { keepDaily: 5 }, 'Europe/Berlin', NOW).keep.length, 2);
});

test('weeks are those of ISO 8601, across the end of a year', () => {
  const backups = [
    made('2026-01-01T00:00:00.000Z'),
    made('2025-12-29T00:00:00.000Z'),
    made('2025-12-28T00:00:00.000Z'),
  ];
  const plan = planRetention(backups, { keepWeekly: 2 }, 'UTC', NOW);
  assert.deepEqual(kept(plan), ['2026-01-01T00:00:00.000Z', '2025-12-28T00:00:00.000Z']);
  assert.deepEqual(plan.keep[0]?.reasons, ['weekly 2026-W01']);
});

test('the hour that comes twice when summer time ends counts as two', () => {
  const backups = [made('2025-10-26T00:30:00.000Z'), made('2025-10-26T01:30:00.000Z')];
  assert.equal(planRetention(backups, { keepHourly: 5 }, 'Europe/Berlin', NOW).keep.length, 2);
});

test('a backup from the future is kept but pushes nothing out', () => {
  const backups = [
    made('2031-01-01T00:00:00.000Z'),
    made('2026-03-31T11:00:00.000Z'),
    made('2026-03-01T00:00:00.000Z'),
  ];
  const plan = planRetention(backups, { keepLast: 1 }, 'UTC', NOW);
  assert.deepEqual(kept(plan), ['2031-01-01T00:00:00.000Z', '2026-03-31T11:00:00.000Z']);
});

test('a damaged backup never takes the place of a sound one', () => {
  const backups = [made('2026-03-31T11:00:00.000Z', { status: 'damaged' }), made('2026-03-31T10:00:00.000Z')];
  for (const rules of [{ keepLast: 1 }, { keepDaily: 1 }, { keepYearly: 1 }]) {
    assert.equal(planRetention(backups, rules, 'UTC', NOW).forget.length, 0);
  }
});

test('tags are kept by name, or by name and value', () => {
  const backups = [
    made('2026-03-03T00:00:00.000Z', { metadata: { tags: { release: '1=2' } } }),
    made('2026-03-02T00:00:00.000Z', { metadata: { tags: { release: '3' } } }),
    made('2026-03-01T00:00:00.000Z', { metadata: { tags: {} } }),
  ];
  assert.equal(planRetention(backups, { keepTags: ['release'] }, 'UTC', NOW).keep.length, 2);
  assert.equal(planRetention(backups, { keepTags: ['release=1=2'] }, 'UTC', NOW).keep.length, 1);
  assert.equal(planRetention(backups, { keepTags: ['toString'] }, 'UTC', NOW).keep.length, 0);
});

test('a policy without a rule, and counts that are no whole numbers of at least 1, are refused', () => {
  assert.throws(() => requireUsableRules({}), { code: 'policy-empty' });
  assert.throws(() => requireUsableRules({ keepTags: [] }), { code: 'policy-empty' });
  for (const count of [0, -1, 1.5, Number.NaN]) {
    assert.throws(() => requireUsableRules({ keepLast: count }), { code: 'policy-invalid' });
  }
  assert.throws(() => requireTimeZone('Mars/Olympus'), { code: 'time-zone-unknown' });
  assert.doesNotThrow(() => requireTimeZone('America/New_York'));
});

test('whatever the backups: each is either kept or forgotten, the newest sound one stays, chains stay whole, held ones stay', () => {
  fc.assert(
    fc.property(chains, anyRules, (backups, rules) => {
      const plan = planRetention(backups, rules, 'Europe/Berlin', NOW);
      const keptIds = new Set(plan.keep.map(({ backup }) => backup.id));
      assert.equal(keptIds.size + plan.forget.length, backups.length);
      for (const { backup, reasons } of plan.keep) {
        assert.notEqual(reasons.length, 0);
        if (backup.chainLength > 0) assert.ok(keptIds.has(backup.parentId ?? ''), 'the base of a kept delta is kept');
      }
      for (const backup of plan.forget) assert.ok(!backup.held && !keptIds.has(backup.id));
      if (rules.keepLast !== undefined && backups.length > 0) assert.notEqual(plan.keep.length, 0);
    }),
  );
});

test('applying a plan twice at the same moment forgets nothing more', () => {
  fc.assert(
    fc.property(chains, anyRules, (backups, rules) => {
      const once = planRetention(backups, rules, 'UTC', NOW).keep.map(({ backup }) => backup);
      assert.deepEqual(planRetention(once, rules, 'UTC', NOW).forget, []);
    }),
  );
});

const anyRules: fc.Arbitrary<RetentionRules> = fc.record(
  {
    keepLast: fc.integer({ min: 1, max: 5 }),
    keepHourly: fc.integer({ min: 1, max: 5 }),
    keepDaily: fc.integer({ min: 1, max: 5 }),
    keepWeekly: fc.integer({ min: 1, max: 5 }),
    keepMonthly: fc.integer({ min: 1, max: 5 }),
    keepYearly: fc.integer({ min: 1, max: 5 }),
    keepWithinDays: fc.integer({ min: 1, max: 400 }),
  },
  { requiredKeys: [] },
);

/** Backups of one resource over two years, some of them deltas on the one before. */
const chains: fc.Arbitrary<Backup[]> = fc
  .array(
    fc.record({
      hoursAgo: fc.integer({ min: -100, max: 20_000 }),
      delta: fc.boolean(),
      held: fc.boolean(),
      damaged: fc.boolean(),
    }),
    { maxLength: 40 },
  )
  .map((parts) => {
    const backups: Backup[] = [];
    for (const { hoursAgo, delta, held, damaged } of parts.toSorted((a, b) => b.hoursAgo - a.hoursAgo)) {
      const before = backups.at(-1);
      const chain =
        delta && before !== undefined
          ? { parentId: before.id, chainLength: before.chainLength + 1 }
          : { chainLength: 0 };
      const status = damaged ? 'damaged' : 'completed';
      const createdAt = new Date(NOW.getTime() - hoursAgo * 3_600_000).toISOString();
      backups.push(made(createdAt, { ...chain, held, status }));
    }
    return backups;
  });

let sequence = 0;

function made(createdAt: string, change: Partial<Backup> = {}): Backup {
  sequence++;
  return {
    id: `backup-${String(sequence).padStart(8, '0')}`,
    resourceId: 'shop',
    resourceType: 'database',
    service: 'document',
    type: 'full',
    status: 'completed',
    contentKind: 'document',
    size: 1,
    compressedSize: 1,
    encrypted: true,
    checksum: 'sha256:00',
    chainLength: 0,
    metadata: { tags: {} },
    warnings: [],
    warningCount: 0,
    statistics: { sourceBytes: 1, readBytes: 1, newBytes: 1, storedBytes: 1, durationMilliseconds: 1 },
    repositoryId: 'default',
    createdAt,
    completedAt: createdAt,
    held: false,
    ...change,
  };
}

function kept(plan: ReturnType<typeof planRetention>): string[] {
  return plan.keep.map(({ backup }) => backup.createdAt);
}
