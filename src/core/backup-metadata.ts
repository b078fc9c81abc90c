import type { BackupMetadata } from './backup.ts';
import { HoldfastError } from './errors.ts';

const MOST_DAYS = 36_500;

/** A backup's labels: what the resource gives each of its backups, and over that what was asked for this one. */
export function combineMetadata(
  defaults: Partial<BackupMetadata> | undefined,
  asked: Partial<BackupMetadata> | undefined,
): BackupMetadata {
  const combined = { ...defaults, ...asked, tags: { ...defaults?.tags, ...asked?.tags } };
  if (combined.retentionDays !== undefined) requireRetentionDays(combined.retentionDays);
  return combined;
}

/** @throws HoldfastError `retention-days-invalid` (invalid) */
export function requireRetentionDays(days: number): void {
  if (Number.isSafeInteger(days) && days >= 1 && days <= MOST_DAYS) return;
  throw new HoldfastError(
    'invalid',
    'retention-days-invalid',
    `retentionDays must be a whole number from 1 to ${MOST_DAYS}, not ${days}. Leave it out to keep a backup until it is deleted.`,
    { details: { field: 'retentionDays' } },
  );
}
