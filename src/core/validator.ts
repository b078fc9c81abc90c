import type { Backup } from './backup.ts';

/** What a validation found, in the shape of the seed's example. */
export interface ValidationResult {
  valid: boolean;
  errors: string[];
  warnings: string[];
  checksumValid: boolean;
  structureValid: boolean;
  dataIntegrity: boolean;
}

const WARN_DAYS = 7;
const DAY = 86_400_000;

/** «Backup expires in 5 days» and its like: what a user should know before relying on a backup for long. */
export function expiryWarnings(backup: Pick<Backup, 'expiresAt'>, now: Date): string[] {
  if (backup.expiresAt === undefined) return [];
  const left = Date.parse(backup.expiresAt) - now.getTime();
  if (left <= 0) return ['Backup has expired'];
  const days = Math.ceil(left / DAY);
  if (days > WARN_DAYS) return [];
  return [`Backup expires in ${days} ${days === 1 ? 'day' : 'days'}`];
}
