import { HoldfastError } from '../../core/errors.ts';
import type { WatchedColumn } from '../masking/canary-probe.ts';
import type { Canary, CanaryCounts, CanaryMemory } from '../masking/masking-run.ts';
import { CanaryFilter, createCanaryMemory } from './canary-filter.ts';

/** What was noticed in one production, and whether that lets it be given. */
export class CanaryWatch implements Canary {
  readonly memory: CanaryMemory;
  readonly #columns = new Map<string, SeenColumn>();
  readonly #elsewhere = { looked: 0, originals: 0 };

  /** @param size bytes of the content, if that is known */
  constructor(size: number | undefined) {
    this.memory = createCanaryMemory(size);
  }

  told(table: string, watched: readonly WatchedColumn[]): void {
    for (const { column, looked, hashes, detected } of watched) {
      const seen = this.#seenOf(table, column);
      seen.looked += looked;
      seen.hashes.push(hashes);
      if (seen.hashes.length > MOST_BLOCKS) this.#settle(seen);
      for (const { kind, count } of detected) seen.detected.set(kind, (seen.detected.get(kind) ?? 0) + count);
    }
  }

  foundNothing({ looked, originals }: CanaryCounts): void {
    this.#elsewhere.looked += looked;
    this.#elsewhere.originals += originals;
  }

  /** @throws HoldfastError `variant-leaks` (damaged) naming tables and columns, never a value */
  require(): CanaryCounts {
    const { looked, originals } = this.#elsewhere;
    const columns = [...this.#columns.values()];
    // Nothing was masked; to read memory that nobody wrote would make it real.
    if (columns.length === 0) return { looked, originals };
    const filter = new CanaryFilter(this.memory);
    const { count, mistakes } = filter.fill();
    const leaks = columns.flatMap((seen) => leaksOf(seen, filter, mistakes));
    if (leaks.length > 0) throw leaking(leaks);
    return {
      looked: columns.reduce((sum, column) => sum + column.looked, looked),
      originals: originals + count,
    };
  }

  #seenOf(table: string, column: string): SeenColumn {
    const name = JSON.stringify([table, column]);
    const known = this.#columns.get(name);
    if (known !== undefined) return known;
    const made = { table, column, looked: 0, words: 0, hits: new Set<number>(), hashes: [], detected: new Map() };
    this.#columns.set(name, made);
    return made;
  }

  /** Holds a block against the originals that are known by now; those of its own rows are among them. */
  #settle(seen: SeenColumn): void {
    const oldest = seen.hashes.shift();
    if (oldest === undefined) return;
    for (const hit of hitsOf(oldest, new CanaryFilter(this.memory))) seen.hits.add(hit);
    seen.words += distinct([oldest]);
  }
}

interface SeenColumn {
  table: string;
  column: string;
  looked: number;
  /** Of blocks that wait no more: their words, each counted once for each block, and those of them that were known. */
  words: number;
  hits: Set<number>;
  /** Of blocks that wait for all originals. */
  hashes: Uint32Array[];
  detected: Map<string, number>;
}

/** That wait, of each column: what they hold stays in memory. */
const MOST_BLOCKS = 64;
const TOLD = 5;
/** What hardly anything else looks like: one is enough. Of other kinds there must be some, since numbers of other things look alike. */
const UNMISTAKABLE = new Set(['email', 'private key', 'JSON web token', 'secret', 'password', 'IBAN']);
const SHARE = 0.1;

function leaksOf(
  { table, column, looked, words, hits: settled, hashes, detected }: SeenColumn,
  filter: CanaryFilter,
  mistakes: number,
): string[] {
  const leaks: string[] = [];
  const hits = new Set([...settled, ...hashes.flatMap((pairs) => hitsOf(pairs, filter))]);
  if (hits.size > 0 && chanceOf(hits.size, (words + distinct(hashes)) * mistakes) < BELIEVED_CHANCE)
    leaks.push(
      `${table}.${column} holds originals of columns that are masked (${hits.size} different ones in ${looked} values looked at)`,
    );
  for (const [kind, count] of detected)
    if (UNMISTAKABLE.has(kind) || count >= Math.max(3, looked * SHARE))
      leaks.push(`${table}.${column}, which is kept, holds what looks like: ${kind} (${count} of ${looked} values)`);
  return leaks;
}

/** Below this, so many hits are no accident. A content has hundreds of columns, and none of them must withdraw a good variant. */
const BELIEVED_CHANCE = 1e-7;

/** At most how likely it is that so many different words or more are found by mistake: Chernoff's bound for Poisson's distribution. */
function chanceOf(hits: number, expected: number): number {
  return hits <= expected ? 1 : Math.exp(hits - expected + hits * Math.log(expected / hits));
}

/** The words that the filter knows, as numbers. A word that stands in each row counts once: a mistake about it is one mistake. */
function hitsOf(pairs: Uint32Array, filter: CanaryFilter): number[] {
  const hits: number[] = [];
  for (let at = 0; at < pairs.length; at += 2)
    if (filter.has([pairs[at] ?? 0, pairs[at + 1] ?? 0])) hits.push(wordAt(pairs, at));
  return hits;
}

function distinct(hashes: readonly Uint32Array[]): number {
  const words = new Set<number>();
  for (const pairs of hashes) for (let at = 0; at < pairs.length; at += 2) words.add(wordAt(pairs, at));
  return words.size;
}

/** 53 bits of the two numbers. */
function wordAt(pairs: Uint32Array, at: number): number {
  return (pairs[at] ?? 0) * 2 ** 21 + ((pairs[at + 1] ?? 0) >>> 11);
}

function leaking(leaks: readonly string[]): HoldfastError {
  const more = leaks.length > TOLD ? `; and ${leaks.length - TOLD} more` : '';
  const message = `The variant was withdrawn, because the check of what it would give found what it must not: ${leaks.slice(0, TOLD).join('; ')}${more}. Give these columns rules in the masking policy, or say there why they are harmless (allow_detected).`;
  return new HoldfastError('damaged', 'variant-leaks', message, { details: { leaks } });
}
