import { hash } from 'node:crypto';
import { mixed } from '../mixed.ts';

/**
 * What of a row a sample goes by: 32 bits of SHA-256 over the table and the row's key. It knows of no seed, so that it can be kept with a backup
 * for every policy.
 */
export function rowMark(table: string, key: readonly (string | null)[]): number {
  return firstBits(JSON.stringify([table, key]));
}

/**
 * Where a row stands in the order that samples and limits go by. A row has the same place in each backup, so that 1 % lies within 2 % and
 * tomorrow's sample is like today's; another seed shuffles all. Each seed is a permutation of the 32 bits: two keyed rounds, each of which can be undone.
 */
export function samplePlaces(seed: string): (mark: number) => number {
  const [before, between] = [firstBits(`before ${seed}`), firstBits(`between ${seed}`)];
  return (mark) => mixed(mixed(mark ^ before) ^ between);
}

/** Places below this one are in a sample of a share, 0 to 1. */
export function sampleBound(share: number): number {
  return Math.round(share * 2 ** 32);
}

function firstBits(text: string): number {
  return Number.parseInt(hash('sha256', text, 'hex').slice(0, 8), 16);
}
