import type { CanaryProbe, WatchedColumn } from '../masking/canary-probe.ts';
import { transformerOf } from '../masking/inner-rules.ts';
import type { CanaryMemory } from '../masking/masking-run.ts';
import { detectValue, detectWithin } from '../policy/detectors/detect-value.ts';
import type { Impact } from '../policy/detectors/detector.ts';
import { type ColumnPlan, KEEP, type TablePlan, type VariantPlan } from '../variant-plan.ts';
import { CanaryFilter, tracedForm } from './canary-filter.ts';

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

  output(value: string, index = PART): void {
    const seen = this.#seenOf(index);
    if (!this.watches || seen.looked >= MOST_VALUES) return;
    seen.looked++;
    this.#note(seen, value);
    for (const word of value.slice(0, LONGEST).split(BETWEEN_WORDS)) if (word !== value) this.#note(seen, word);
    const column = this.#columns[index];
    if (column?.rule.transformer === KEEP && column.allowsDetected !== true) this.#detect(seen, value);
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
    const made: SeenColumn = { looked: 0, hashes: [], detected: new Map() };
    this.#seen.set(index, made);
    return made;
  }

  #note(seen: SeenColumn, text: string): void {
    const form = tracedForm(text);
    if (form !== undefined && seen.hashes.length < MOST_HASHES) seen.hashes.push(...this.#filter.hashOf(form));
  }

  #detect(seen: SeenColumn, value: string): void {
    const found = detectValue(value) ?? detectWithin(value);
    if (found === undefined || !this.#impacts.has(found.impact)) return;
    seen.detected.set(found.name, (seen.detected.get(found.name) ?? 0) + 1);
  }
}

interface SeenColumn {
  looked: number;
  hashes: number[];
  detected: Map<string, number>;
}

/** Of each column and block. */
const MOST_VALUES = 240;
const MOST_HASHES = 4000;
/** Index of what is no column. */
const PART = -1;
/** Characters of a value that are looked at word by word. */
const LONGEST = 4096;
const BETWEEN_WORDS = /[\s"'<>(),;{}[\]\\|]+/;

const IMPACTS: Readonly<Record<VariantPlan['detectors'], readonly Impact[]>> = {
  high: ['high'],
  all: ['high', 'moderate'],
  none: [],
};

const WATCHED = new Set<ColumnPlan['family']>([
  ...(['text', 'json', 'array', 'hstore', 'xml', 'inet', 'mac', 'date', 'other'] as const),
]);

function isTraceable({ rule, family, type, isNullable, maxLength, allowedValues }: ColumnPlan): boolean {
  if (rule.transformer === KEEP) return false;
  const facts = transformerOf(rule).facts(rule.options, {
    ...{ family, type: type ?? '', isNullable },
    ...(maxLength === undefined ? {} : { maxLength }),
    ...(allowedValues === undefined ? {} : { allowedValues }),
  });
  return facts.isTraceable;
}

function indexesOf(columns: readonly (ColumnPlan | undefined)[], is: (column: ColumnPlan) => boolean): number[] {
  return columns.flatMap((column, index) => (column !== undefined && is(column) ? [index] : []));
}
