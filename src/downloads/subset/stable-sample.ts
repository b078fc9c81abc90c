import { hash } from 'node:crypto';

/**
 * Where a row stands in the order that samples and limits go by: 32 bits of SHA-256 over the seed, the table and the row's key. A row
 * has the same place in each backup, so that 1 % lies within 2 % and tomorrow's sample is like today's.
 */
export function samplePlace(seed: string, table: string, key: readonly (string | null)[]): number {
  const text = JSON.stringify([seed, table, key]);
  return Number.parseInt(hash('sha256', text, 'hex').slice(0, 8), 16);
}

/** Places below this one are in a sample of a share, 0 to 1. */
export function sampleBound(share: number): number {
  return Math.round(share * 2 ** 32);
}
