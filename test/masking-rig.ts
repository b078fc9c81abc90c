import { createHash } from 'node:crypto';
import type { ContentSchema } from '../src/downloads/content/content-schema.ts';
import type { MaskingRun } from '../src/downloads/masking/masking-run.ts';
import type { RowSelection, TableSelection } from '../src/downloads/masking/row-selection.ts';
import { TRANSFORMERS } from '../src/downloads/masking/transformers.ts';
import { KEEP, type Rule, type TablePlan } from '../src/downloads/variant-plan.ts';

export interface WantedTable {
  fate?: TablePlan['fate'];
  /** The transformers of columns; others are kept. */
  rules?: Readonly<Record<string, Rule>>;
}

/** A rule as a policy's compiler makes it. */
export function rule(transformer: string, options: Record<string, unknown> = {}, domain = transformer): Rule {
  const found = TRANSFORMERS.get(transformer);
  if (found === undefined && transformer !== KEEP) throw new Error(`There is no transformer ${transformer}.`);
  const parsed = (found?.options.parse(options) ?? {}) as Record<string, unknown>;
  return { transformer, options: parsed, domain, normalise: [] };
}

/** A plan that keeps everything but what is said. */
export function plansFor(schema: ContentSchema, wanted: Readonly<Record<string, WantedTable>> = {}): TablePlan[] {
  for (const name of Object.keys(wanted))
    if (!schema.tables.some((table) => table.name === name)) throw new Error(`There is no table ${name}.`);
  return schema.tables.map(({ name, columns }) => ({
    table: name,
    fate: wanted[name]?.fate ?? 'rows',
    columns: columns.map(({ name: column, family, type, isNullable, maxLength, allowedValues }) => ({
      column,
      family,
      type,
      isNullable,
      ...(maxLength === undefined ? {} : { maxLength }),
      ...(allowedValues === undefined ? {} : { allowedValues }),
      rule: wanted[name]?.rules?.[column] ?? rule(KEEP),
    })),
  }));
}

export function runOf(
  tables: readonly TablePlan[],
  {
    selection,
    threads = 1,
    signal = new AbortController().signal,
    key = 'a',
  }: {
    selection?: RowSelection;
    threads?: number;
    signal?: AbortSignal;
    key?: string;
  } = {},
): MaskingRun {
  return {
    plan: { variant: 'masked', policyHash: '', epoch: '1', content: { kind: 'tables', tables }, detectors: 'none' },
    key: createHash('sha256').update(key).digest(),
    ...(selection === undefined ? {} : { selection }),
    threads,
    signal,
    counts: { tables: new Map() },
  };
}

/** Keeps the rows whose ordinals are given; `cut`: columns that become NULL in some of them. */
export function selectionOf(
  rows: number,
  kept: readonly number[],
  cut: readonly { columns: readonly string[]; rows: readonly number[] }[] = [],
): TableSelection {
  return {
    rows,
    kept: bitsOf(rows, kept),
    cut: cut.map((each) => ({ columns: each.columns, rows: bitsOf(rows, each.rows) })),
  };
}

/** All rows of tables that have so many. */
export function allOf(rows: Readonly<Record<string, number>>): RowSelection['tables'] {
  const selected = Object.entries(rows).map(
    ([table, count]) =>
      [
        table,
        selectionOf(
          count,
          Array.from({ length: count }, (_, at) => at),
        ),
      ] as const,
  );
  return Object.fromEntries(selected);
}

function bitsOf(rows: number, ordinals: readonly number[]): Uint8Array<SharedArrayBuffer> {
  const bits = new Uint8Array(new SharedArrayBuffer(Math.ceil(rows / 8)));
  for (const ordinal of ordinals) bits[ordinal >> 3] = (bits[ordinal >> 3] ?? 0) | (1 << (ordinal & 7));
  return bits;
}

/** Bytes in pieces of some sizes, again and again. */
export async function* piecesOf(bytes: Uint8Array, ...sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? bytes.length;
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

export async function bytesOf(pieces: AsyncIterable<Uint8Array>): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(pieces));
}
