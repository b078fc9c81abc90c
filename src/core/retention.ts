import type { RetentionPlan } from './application.ts';
import type { Backup } from './backup.ts';
import { HoldfastError } from './errors.ts';
import type { RetentionRules } from './policy.ts';

/**
 * Decides which backups of one resource a policy keeps, and why; changes nothing.
 *
 * A rule for periods keeps the newest backup of each of the last `count` periods that have one, as restic and borg do; days
 * begin in `timeZone`, weeks are ISO 8601's. Damaged backups are kept where a sound one would be, without taking its place.
 * Backups that claim to be from the future (more than an hour) are kept and count for nothing: a clock that was wrong once
 * must not push good backups out. What a kept backup is built on is kept too.
 *
 * @param backups in any order
 */
export function planRetention(
  backups: readonly Backup[],
  rules: RetentionRules,
  timeZone: string,
  now: Date,
): RetentionPlan {
  const newestFirst = backups.toSorted(byNewest);
  const reasons = new Map<string, string[]>();
  const keep = (backup: Backup, reason: string) => {
    const known = reasons.get(backup.id);
    if (known === undefined) reasons.set(backup.id, [reason]);
    else known.push(reason);
  };
  const latest = now.getTime() + CLOCK_TOLERANCE;
  const counted = newestFirst.filter((backup) => Date.parse(backup.createdAt) <= latest);
  for (const backup of newestFirst) {
    if (Date.parse(backup.createdAt) > latest) keep(backup, 'dated in the future');
    if (backup.held) keep(backup, 'held');
    for (const tag of rules.keepTags ?? []) if (hasTag(backup, tag)) keep(backup, `tag ${tag}`);
  }
  keepLast(counted, rules.keepLast ?? 0, keep);
  for (const period of PERIODS) keepPeriods(counted, rules[period.rule] ?? 0, period, timeZone, keep);
  keepWithin(counted, rules.keepWithinDays ?? 0, now, keep);
  keepBases(newestFirst, reasons, keep);
  return {
    keep: newestFirst.flatMap((backup) => {
      const why = reasons.get(backup.id);
      return why === undefined ? [] : [{ backup, reasons: why }];
    }),
    forget: newestFirst.filter((backup) => !reasons.has(backup.id)),
  };
}

/**
 * @throws HoldfastError `policy-empty` where no rule is set, `policy-invalid` for a count that is no whole number of at least 1
 */
export function requireUsableRules(rules: RetentionRules): void {
  const counts = COUNT_RULES.filter((rule) => rules[rule] !== undefined);
  for (const rule of counts) {
    const count = rules[rule];
    if (Number.isSafeInteger(count) && Number(count) >= 1) continue;
    throw new HoldfastError('invalid', 'policy-invalid', `${rule} must be a whole number of at least 1, not ${count}.`);
  }
  if (counts.length > 0 || (rules.keepTags ?? []).length > 0) return;
  throw new HoldfastError(
    'invalid',
    'policy-empty',
    `The policy has no rule, so it would keep nothing. Set at least one of ${COUNT_RULES.join(', ')} or keepTags.`,
  );
}

/** @throws HoldfastError `time-zone-unknown` (invalid) */
export function requireTimeZone(timeZone: string): void {
  try {
    Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(timeZone);
  } catch (cause) {
    const message = `"${timeZone}" is no time zone. Use a name of the IANA database such as "Europe/Berlin" or "UTC".`;
    throw new HoldfastError('invalid', 'time-zone-unknown', message, { cause });
  }
}

const COUNT_RULES = [
  'keepLast',
  'keepHourly',
  'keepDaily',
  'keepWeekly',
  'keepMonthly',
  'keepYearly',
  'keepWithinDays',
] as const;

type Keep = (backup: Backup, reason: string) => void;

interface Period {
  rule: 'keepHourly' | 'keepDaily' | 'keepWeekly' | 'keepMonthly' | 'keepYearly';
  name: string;
  /** Names the period that a time lies in. */
  of(time: Temporal.ZonedDateTime): string;
}

const PERIODS: readonly Period[] = [
  // With the offset, so that the hour that a change to winter time repeats counts as two.
  { rule: 'keepHourly', name: 'hourly', of: (time) => `${time.toPlainDate()}T${two(time.hour)}${time.offset}` },
  { rule: 'keepDaily', name: 'daily', of: (time) => time.toPlainDate().toString() },
  { rule: 'keepWeekly', name: 'weekly', of: (time) => `${time.yearOfWeek}-W${two(time.weekOfYear ?? 0)}` },
  { rule: 'keepMonthly', name: 'monthly', of: (time) => time.toPlainDate().toPlainYearMonth().toString() },
  { rule: 'keepYearly', name: 'yearly', of: (time) => String(time.year) },
];

const CLOCK_TOLERANCE = 3_600_000;
const DAY = 86_400_000;

function keepLast(newestFirst: readonly Backup[], count: number, keep: Keep): void {
  let sound = 0;
  for (const backup of newestFirst) {
    if (sound >= count) return;
    keep(backup, 'last');
    if (backup.status === 'completed') sound++;
  }
}

function keepPeriods(
  newestFirst: readonly Backup[],
  count: number,
  period: Period,
  timeZone: string,
  keep: Keep,
): void {
  const filled = new Set<string>();
  if (count === 0) return;
  for (const backup of newestFirst) {
    const name = period.of(Temporal.Instant.from(backup.createdAt).toZonedDateTimeISO(timeZone));
    if (filled.has(name)) continue;
    if (filled.size >= count) return;
    keep(backup, `${period.name} ${name}`);
    if (backup.status === 'completed') filled.add(name);
  }
}

function keepWithin(newestFirst: readonly Backup[], days: number, now: Date, keep: Keep): void {
  if (days === 0) return;
  const from = now.getTime() - days * DAY;
  for (const backup of newestFirst) {
    if (Date.parse(backup.createdAt) >= from) keep(backup, `within ${days} ${days === 1 ? 'day' : 'days'}`);
  }
}

/** Only deltas need what they were built on; complete backups name their parent for people. */
function keepBases(newestFirst: readonly Backup[], reasons: ReadonlyMap<string, unknown>, keep: Keep): void {
  const byId = new Map(newestFirst.map((backup) => [backup.id, backup]));
  for (const backup of newestFirst.filter(({ id }) => reasons.has(id))) {
    let base = baseOf(backup, byId);
    while (base !== undefined && !reasons.has(base.id)) {
      keep(base, `base of ${backup.id}`);
      base = baseOf(base, byId);
    }
  }
}

function baseOf(backup: Backup, byId: ReadonlyMap<string, Backup>): Backup | undefined {
  return backup.chainLength > 0 && backup.parentId !== undefined ? byId.get(backup.parentId) : undefined;
}

function hasTag(backup: Backup, tag: string): boolean {
  const equals = tag.indexOf('=');
  if (equals < 0) return Object.hasOwn(backup.metadata.tags, tag);
  const name = tag.slice(0, equals);
  return Object.hasOwn(backup.metadata.tags, name) && backup.metadata.tags[name] === tag.slice(equals + 1);
}

function byNewest(a: Backup, b: Backup): number {
  if (a.createdAt !== b.createdAt) return a.createdAt < b.createdAt ? 1 : -1;
  if (a.id === b.id) return 0;
  return a.id < b.id ? 1 : -1;
}

function two(number: number): string {
  return String(number).padStart(2, '0');
}
