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
      seen.words += hashes.length / 2;
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
    const made = { table, column, looked: 0, words: 0, hits: 0, hashes: [], detected: new Map() };
    this.#columns.set(name, made);
    return made;
  }

  /** Holds a block against the originals that are known by now; those of its own rows are among them. */
  #settle(seen: SeenColumn): void {
    const oldest = seen.hashes.shift();
    if (oldest !== undefined) seen.hits += hitsOf(oldest, new CanaryFilter(this.memory));
  }
}

interface SeenColumn {
  table: string;
  column: string;
  looked: number;
  words: number;
  /** Of blocks that wait no more. */
  hits: number;
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
  const hits = hashes.reduce((sum, pairs) => sum + hitsOf(pairs, filter), settled);
  const expected = words * mistakes;
  if (hits > Math.floor(expected + 5 * Math.sqrt(expected)))
    leaks.push(`${table}.${column} holds originals of columns that are masked (${hits} of ${looked} values looked at)`);
  for (const [kind, count] of detected)
    if (UNMISTAKABLE.has(kind) || count >= Math.max(3, looked * SHARE))
      leaks.push(`${table}.${column}, which is kept, holds what looks like: ${kind} (${count} of ${looked} values)`);
  return leaks;
}

function hitsOf(pairs: Uint32Array, filter: CanaryFilter): number {
  let hits = 0;
  for (let at = 0; at < pairs.length; at += 2) if (filter.has([pairs[at] ?? 0, pairs[at + 1] ?? 0])) hits++;
  return hits;
}

function leaking(leaks: readonly string[]): HoldfastError {
  const more = leaks.length > TOLD ? `; and ${leaks.length - TOLD} more` : '';
  const message = `The variant was withdrawn, because the check of what it would give found what it must not: ${leaks.slice(0, TOLD).join('; ')}${more}. Give these columns rules in the masking policy, or say there why they are harmless (allow_detected).`;
  return new HoldfastError('damaged', 'variant-leaks', message, { details: { leaks } });
}
