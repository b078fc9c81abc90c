import { HoldfastError } from '../../core/errors.ts';
import { nearestName } from '../../core/nearest-name.ts';
import type { PreviewedTable, PreviewRequest, VariantPreview } from '../../core/ports/policy-workshop.ts';
import type { VariantContent } from '../../core/ports/variant-maker.ts';
import type { ContentDialect } from '../content/content-schema.ts';
import { maskDocument } from '../content/document/mask-document.ts';
import { tableContent } from '../content/table-contents.ts';
import { RowFault } from '../masking/row-fault.ts';
import { RowMasker } from '../masking/row-masker.ts';
import type { RowSelection } from '../masking/row-selection.ts';
import { TableMasker } from '../masking/table-masker.ts';
import { chooseRows } from '../subset/closure.ts';
import { countBits } from '../subset/row-bits.ts';
import { chosenCounts, selectionOf } from '../subset/selection.ts';
import type { SubsetPlan } from '../subset/subset-plan.ts';
import { DERIVE, type TablePlan, type VariantPlan } from '../variant-plan.ts';
import { subsetIndex } from './chosen-rows.ts';
import type { PolicyContent } from './compile-variant.ts';
import { type ContentShape, withContent } from './content-reading.ts';
import { previewedFiles } from './file-preview.ts';

export interface PreviewOptions {
  content: VariantContent;
  shape: ContentShape;
  held: PolicyContent;
  plan: VariantPlan;
  subset?: SubsetPlan;
  kind: VariantPreview['kind'];
  key: Uint8Array;
  request: PreviewRequest;
  signal: AbortSignal;
}

/** Characters of a value that are shown at most. */
const LONGEST_VALUE = 1000;
/** Characters of a document. */
const LONGEST_DOCUMENT = 4000;

/** The beginning of a variant, as somebody would get it. Reads no more of the content than that takes, and keeps nothing. */
export async function variantPreview(options: PreviewOptions): Promise<VariantPreview> {
  const { plan, shape, kind } = options;
  const { variant } = plan;
  if (shape.kind === 'document') return { variant, kind, tables: [], document: await documentBeginning(options) };
  if (shape.kind !== 'tables' || plan.content.kind !== 'tables') {
    const files = await previewedFiles(options);
    const known = files.map(({ table }) => table);
    for (const name of options.request.tables ?? []) if (!known.includes(name)) throw tableMissing(name, known);
    return { variant, kind, tables: files };
  }
  const tables = wantedTables(plan.content.tables, options.request.tables);
  return { variant, kind, tables: await previewedTables(tables, shape.dialect, options) };
}

function wantedTables(tables: readonly TablePlan[], wanted: readonly string[] | undefined): readonly TablePlan[] {
  const known = new Set(tables.map(({ table }) => table));
  for (const name of wanted ?? []) if (!known.has(name)) throw tableMissing(name, [...known]);
  return wanted === undefined ? tables : tables.filter(({ table }) => wanted.includes(table));
}

function tableMissing(name: string, known: readonly string[]): HoldfastError {
  const near = nearestName(name, known);
  const message = `There is no table or CSV file ${name}${near === undefined ? '' : `; the nearest name is ${near}`}. Name it as the policy does.`;
  return new HoldfastError('not-found', 'preview-table-missing', message);
}

async function previewedTables(
  tables: readonly TablePlan[],
  dialect: ContentDialect,
  options: PreviewOptions,
): Promise<PreviewedTable[]> {
  const { content, subset: plan, signal } = options;
  let selection: RowSelection | undefined;
  const sizes = new Map<string, { rows: number; of: number }>();
  if (plan !== undefined) {
    const { keys, facts } = await subsetIndex(content, { dialect, plan, signal });
    const index = { ...keys, ...facts };
    const chosen = chooseRows(plan, index);
    selection = selectionOf(plan, index, chosen);
    for (const { table, ...size } of chosenCounts(plan, chosen)) sizes.set(table, size);
    // Partitions apart.
    for (const [table, { rows, kept }] of Object.entries(selection.tables))
      if (!sizes.has(table)) sizes.set(table, { rows: countBits(kept), of: rows });
  }
  const shown = new Map(tables.map((table) => [table.table, new ShownRows(table, options, selection)]));
  await scanUntilShown(shown, dialect, options);
  return tables.map((planned) => {
    const { table, fate } = planned;
    const size = sizes.get(table);
    const { columns, rows } = shown.get(table) ?? { columns: [], rows: [] };
    const derived = fate === 'rows' ? derivedOf(planned) : [];
    const isFilled = derived.length > 0 ? { derived } : {};
    return { table, fate, columns, rows, ...isFilled, ...(size === undefined || fate !== 'rows' ? {} : { size }) };
  });
}

async function scanUntilShown(
  shown: ReadonlyMap<string, ShownRows>,
  dialect: ContentDialect,
  { content, signal }: PreviewOptions,
): Promise<void> {
  const waiting = new Set([...shown].filter(([, rows]) => !rows.areEnough).map(([table]) => table));
  if (waiting.size === 0) return;
  const enough = new AbortController();
  const either = AbortSignal.any([signal, enough.signal]);
  const reader = await tableContent(dialect);
  try {
    await withContent(content, { schemaOnly: false, signal: either }, ({ material }) =>
      reader.scan(
        material.bytes(),
        {
          begin: (table, columns) => (waiting.has(table) ? shown.get(table)?.begin(columns) : undefined),
          row: (table, ordinal, values) => {
            if (!waiting.has(table)) return;
            const rows = shown.get(table);
            rows?.add(ordinal, values);
            if (rows?.areEnough === true) waiting.delete(table);
            if (waiting.size === 0) enough.abort();
          },
        },
        either,
      ),
    );
  } catch (error) {
    signal.throwIfAborted();
    if (!enough.signal.aborted) throw error;
  }
}

/** The first rows of one table that a variant has. */
class ShownRows {
  columns: readonly string[] = [];
  readonly rows: (string | null | undefined)[][] = [];
  readonly #table: TablePlan;
  readonly #options: PreviewOptions;
  readonly #selection: RowSelection | undefined;
  readonly #computed: ReadonlySet<string>;
  #masker: TableMasker | undefined;
  readonly #wanted: number;

  constructor(table: TablePlan, options: PreviewOptions, selection: RowSelection | undefined) {
    this.#table = table;
    this.#options = options;
    this.#selection = selection;
    this.columns = table.columns.map(({ column }) => column);
    const { held, request } = options;
    const schema = held === 'document' ? undefined : held.tables.find(({ name }) => name === table.table);
    const computed = schema?.columns.filter(({ isGenerated }) => isGenerated) ?? [];
    this.#computed = new Set([...computed.map(({ name }) => name), ...derivedOf(table)]);
    const chosen = selection?.tables[table.table];
    const there = selection === undefined ? Number.POSITIVE_INFINITY : countBits(chosen?.kept ?? new Uint8Array());
    this.#wanted = table.fate === 'rows' ? Math.min(request.rows, there) : 0;
  }

  get areEnough(): boolean {
    return this.rows.length >= this.#wanted;
  }

  begin(columns: readonly string[]): readonly number[] {
    this.columns = columns;
    this.#masker = new TableMasker({
      columns,
      values: new RowMasker(this.#table, columns, this.#options.key),
      selection: this.#selection?.tables[this.#table.table],
    });
    return columns.map((_, index) => index);
  }

  add(ordinal: number, values: readonly (string | null)[]): void {
    try {
      if (this.areEnough || this.#masker?.isKept(ordinal) !== true) return;
      const row = [...values];
      this.#masker.mask(row, ordinal);
      // What a database computes may be made of originals, and is computed anew of what takes their place.
      this.rows.push(
        row.map((value, index) => (this.#computed.has(this.columns[index] ?? '') ? undefined : cut(value))),
      );
    } catch (error) {
      throw error instanceof RowFault ? faulty(this.#table.table, ordinal) : error;
    }
  }
}

function derivedOf({ columns }: TablePlan): string[] {
  return columns.filter(({ rule }) => rule.transformer === DERIVE).map(({ column }) => column);
}

function cut(value: string | null): string | null {
  return value === null || value.length <= LONGEST_VALUE ? value : `${value.slice(0, LONGEST_VALUE)}…`;
}

function faulty(table: string, ordinal: number): HoldfastError {
  const message = `Row ${ordinal + 1} of table ${table} is not one that the selection was made of.`;
  return new HoldfastError('invalid', 'variant-failed', message, { details: { table } });
}

async function documentBeginning({ content, plan, key, signal }: PreviewOptions): Promise<string> {
  const run = { plan, key, threads: 1, signal, counts: { tables: new Map() } };
  return withContent(content, { schemaOnly: false, signal }, async ({ material }) => {
    const parts: Uint8Array[] = [];
    let length = 0;
    for await (const part of maskDocument(material.bytes(), run)) {
      parts.push(part);
      length += part.length;
      if (length >= LONGEST_DOCUMENT * 4) break;
    }
    const text = Buffer.concat(parts).toString();
    return text.length <= LONGEST_DOCUMENT ? text : `${text.slice(0, LONGEST_DOCUMENT)}…`;
  });
}
