import type { CheckBudget } from '../../core/ports/repository-check.ts';
import { packIdOf } from '../pack-format.ts';
import type { VerificationLedger } from './verification-ledger.ts';

/**
 * The packs that a check is to read, in order: never verified ones first, then those that were verified longest ago, within the
 * budget's age and bytes. At least one is given if any is due, so that a small budget comes to its end, too.
 *
 * @param sizes of packs by key
 */
export function schedulePacks(
  sizes: ReadonlyMap<string, number>,
  level: 3 | 4,
  ledger: VerificationLedger,
  budget: CheckBudget | undefined,
  now: Date,
): string[] {
  const verifiedAt = (key: string): number => ledger.verifiedAt(packIdOf(key) ?? '', level) ?? 0;
  const sorted = [...sizes.keys()]
    .map((key) => ({ key, time: verifiedAt(key) }))
    .sort((a, b) => a.time - b.time || (a.key < b.key ? -1 : 1));
  if (budget === undefined) return sorted.map(({ key }) => key);
  const { maxAgeMilliseconds = 0, maxBytes = Number.POSITIVE_INFINITY, maxFraction = 1 } = budget;
  const total = [...sizes.values()].reduce((sum, size) => sum + size, 0);
  const most = Math.min(maxBytes, maxFraction * total);
  // A time that is still to come was written by a clock that went wrong: it says nothing.
  const isDue = (time: number): boolean => time <= now.getTime() - maxAgeMilliseconds || time > now.getTime();
  const chosen: string[] = [];
  let bytes = 0;
  for (const { key, time } of sorted) {
    if (!isDue(time)) continue;
    bytes += sizes.get(key) ?? 0;
    if (chosen.length > 0 && bytes > most) break;
    chosen.push(key);
  }
  return chosen;
}
