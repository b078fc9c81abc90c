import type { ByteValues } from '../masking/byte-values.ts';
import type { CanaryProbe, WatchedColumn } from '../masking/canary-probe.ts';
import { columnFacts } from '../masking/column-facts.ts';
import { transformerOf } from '../masking/inner-rules.ts';
import type { CanaryMemory } from '../masking/masking-run.ts';
import { detectValue, detectWithin } from '../policy/detectors/detect-value.ts';
import type { Impact } from '../policy/detectors/detector.ts';
import { type ColumnPlan, KEEP, type TablePlan, type VariantPlan } from '../variant-plan.ts';
import { CanaryFilter, SHORTEST_TRACED } from './canary-filter.ts';

/** Notes originals of one table in shared memory, and what outputs come to. */
export class WatchingProbe implements CanaryProbe {
  readonly traceable: readonly number[];
  readonly watched: readonly number[];
  readonly #filter: CanaryFilter;
  readonly #columns: readonly (ColumnPlan | undefined)[];
  readonly #impacts: ReadonlySet<Impact>;
  watches = false;
  #seen = new Map<number, SeenColumn>();

  constructor(
    memory: CanaryMemory,
    detectors: VariantPlan['detectors'],
    { plan, columns }: { plan: TablePlan; columns: readonly string[] },
  ) {
    this.#filter = new CanaryFilter(memory);
    this.#impacts = new Set(IMPACTS[detectors]);
    const planned = new Map(plan.columns.map((column) => [column.column, column]));
    this.#columns = columns.map((column) => planned.get(column));
    this.traceable = indexesOf(this.#columns, isTraceable);
    this.watched = indexesOf(this.#columns, ({ family }) => WATCHED.has(family));
  }

  original(value: string): void {
    this.#filter.addTraced(value);
  }

  originals(values: ByteValues): void {
    this.#filter.addAllTraced(values);
  }

  output(value: string, index = PART): void {
    const seen = this.#seenOf(index);
    if (!this.watches || seen.looked >= MOST_VALUES) return;
    seen.looked++;
    const kind = this.#kindOf(seen, value, index);
    if (kind !== null) seen.detected.set(kind, (seen.detected.get(kind) ?? 0) + 1);
  }

  /** As `#look`, but of values that come again and again (names of towns) only once. To know them costs something, too. */
  #kindOf(seen: SeenColumn, value: string, index: number): string | null {
    if (value.length > LONGEST_KNOWN || (seen.looked > MOST_TRIED && seen.known * 4 < seen.looked))
      return this.#look(seen, value, index);
    const before = seen.values.get(value);
    if (before !== undefined) {
      seen.known++;
      return before;
    }
    const kind = this.#look(seen, value, index);
    seen.values.set(value, kind);
    return kind;
  }

  /** The kind of data that a kept column holds all the same; null where it holds none. */
  #look(seen: SeenColumn, value: string, index: number): string | null {
    this.#note(seen, value, 0, value.length);
    if (value.length > SHORTEST_TRACED) this.#noteWords(seen, value);
    const column = this.#columns[index];
    if (column?.rule.transformer !== KEEP || column.allowsDetected === true) return null;
    const found = detectValue(value) ?? detectWithin(value);
    return found !== undefined && this.#impacts.has(found.impact) ? found.name : null;
  }

  take(): readonly WatchedColumn[] {
    const seen = [...this.#seen];
    this.#seen = new Map();
    return seen.map(([index, { looked, hashes, detected }]) => ({
      column: this.#columns[index]?.column ?? 'a part of a value',
      looked,
      hashes: Uint32Array.from(hashes),
      detected: [...detected].map(([kind, count]) => ({ kind, count })),
    }));
  }

  #seenOf(index: number): SeenColumn {
    const known = this.#seen.get(index);
    if (known !== undefined) return known;
    const made: SeenColumn = { looked: 0, hashes: [], detected: new Map(), values: new Map(), known: 0 };
    this.#seen.set(index, made);
    return made;
  }

  /** Those of a value that has several: most values are one word, and most words are too short to be traced. */
  #noteWords(seen: SeenColumn, value: string): void {
    const before = seen.hashes.length;
    const end = Math.min(value.length, LONGEST);
    let start = 0;
    for (let at = 0; at < end; at++) {
      const code = value.charCodeAt(at);
      if (code >= BETWEEN.length) {
        // There are other blanks than those of ASCII.
        seen.hashes.length = before;
        this.#noteAnyWords(seen, value);
        return;
      }
      if (BETWEEN[code] === 0) continue;
      if (at - start >= SHORTEST_TRACED) this.#note(seen, value, start, at);
      start = at + 1;
    }
    if (start > 0 && end - start >= SHORTEST_TRACED) this.#note(seen, value, start, end);
  }

  #noteAnyWords(seen: SeenColumn, value: string): void {
    for (const word of value.slice(0, LONGEST).split(BETWEEN_WORDS))
      if (word.length >= SHORTEST_TRACED && word !== value) this.#note(seen, word, 0, word.length);
  }

  #note(seen: SeenColumn, text: string, start: number, end: number): void {
    if (seen.hashes.length >= MOST_HASHES) return;
    const hash = this.#filter.hashTraced(text, start, end);
    if (hash !== undefined) seen.hashes.push(hash[0], hash[1]);
  }
}

interface SeenColumn {
  looked: number;
  hashes: number[];
  detected: Map<string, number>;
  /** What was found in values that were looked at. */
  values: Map<string, string | null>;
  /** How often one of them came again. */
  known: number;
}

/** Of each column and block. */
const MOST_VALUES = 240;
const MOST_HASHES = 4000;
/** Characters of a value that is remembered for the rest of the block. */
const LONGEST_KNOWN = 64;
/** Values after which a column is known to be of ever other ones. */
const MOST_TRIED = 24;
/** Index of what is no column. */
const PART = -1;
/** Characters of a value that are looked at word by word. */
const LONGEST = 4096;
const BETWEEN_WORDS = /[\s"'<>(),;{}[\]\\|]+/;
/** Which characters of ASCII are. */
const BETWEEN = Uint8Array.from({ length: 128 }, (_, code) => (BETWEEN_WORDS.test(String.fromCharCode(code)) ? 1 : 0));

const IMPACTS: Readonly<Record<VariantPlan['detectors'], readonly Impact[]>> = {
  high: ['high'],
  all: ['high', 'moderate'],
  none: [],
};

const WATCHED = new Set<ColumnPlan['family']>([
  ...(['text', 'json', 'array', 'hstore', 'xml', 'inet', 'mac', 'date', 'other'] as const),
]);

function isTraceable(column: ColumnPlan): boolean {
  if (column.rule.transformer === KEEP) return false;
  return transformerOf(column.rule).facts(column.rule.options, columnFacts(column)).isTraceable;
}

function indexesOf(columns: readonly (ColumnPlan | undefined)[], is: (column: ColumnPlan) => boolean): number[] {
  return columns.flatMap((column, index) => (column !== undefined && is(column) ? [index] : []));
}
