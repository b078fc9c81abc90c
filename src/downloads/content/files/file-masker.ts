import { HoldfastError } from '../../../core/errors.ts';
import { type ContentPart, countsOf, type OpenMaskingPool, openMaskingPool } from '../../masking/masking-pool.ts';
import type { MaskingRun } from '../../masking/masking-run.ts';
import type { RowSource } from '../../masking/row-format.ts';
import { fitsPath } from '../../policy/name-pattern.ts';
import type { FilePlan, JsonPlan, TablePlan } from '../../variant-plan.ts';
import { documentTable, jsonParts, jsonRows } from '../document/mask-document.ts';
import { type CsvPlan, csvParts, csvRows } from './csv-parts.ts';
import { recordBlocks } from './record-blocks.ts';

/** The plans of a run for files. */
export function filePlans({ plan: { content } }: MaskingRun): readonly FilePlan[] {
  if (content.kind === 'files') return content.files;
  throw new HoldfastError('internal', 'variant-plan-of-other-content', 'The plan is not one for files.');
}

/** The plan of a file: the first whose pattern means its path. */
export function filePlanOf(plans: readonly FilePlan[], path: string): FilePlan | undefined {
  return plans.find(({ pattern }) => fitsPath(pattern, path));
}

/** Masks files one after another. Threads are started when the first block comes; `close` ends them. */
export class FileMasker {
  readonly #run: MaskingRun;
  /** The pools' own counts: those of the file at hand, so that rows are counted from its beginning. */
  readonly #counts: MaskingRun['counts'] = { tables: new Map() };
  readonly #sources = new Map<string, RowSource>();
  readonly #tables: readonly TablePlan[];
  #rows: OpenMaskingPool | undefined;
  #documents: OpenMaskingPool | undefined;

  constructor(run: MaskingRun) {
    this.#run = run;
    this.#tables = filePlans(run).flatMap(({ pattern, csv, json }) => {
      if (csv !== undefined) return [csv.table];
      return json === undefined ? [] : [documentTable(pattern)];
    });
  }

  /**
   * @param path for errors, and to tell JSON from lines of JSON
   * @throws HoldfastError `variant-failed` (invalid) naming the file, never a value
   */
  async *mask(bytes: AsyncIterable<Uint8Array>, plan: FilePlan, path: string): AsyncGenerator<Uint8Array> {
    try {
      yield* this.#masked(bytes, plan, path);
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.code !== 'variant-failed') throw error;
      const message = `The file ${JSON.stringify(path)} cannot be masked. ${error.message}`;
      throw new HoldfastError(error.kind, error.code, message, { details: { ...error.details, file: path } });
    }
    this.#addCounts(plan.pattern);
  }

  async close(): Promise<void> {
    await Promise.all([this.#rows?.close(), this.#documents?.close()]);
  }

  #masked(bytes: AsyncIterable<Uint8Array>, plan: FilePlan, path: string): AsyncGenerator<Uint8Array> {
    const { pattern, csv, json } = plan;
    if (csv !== undefined) return this.#rowPool().inOrder(this.#csv(bytes, csv));
    if (json === undefined) throw new HoldfastError('internal', 'file-plan-without-rules', 'A file has no rules.');
    if (/\.(?:jsonl|ndjson)$/i.test(path)) return this.#rowPool().inOrder(this.#lines(bytes, json, pattern));
    const rows = this.#source(`json ${pattern}`, () => jsonRows(json, pattern, 'json-pieces', this.#run.key));
    return this.#documentPool().inOrder(jsonParts(bytes, rows));
  }

  #csv(bytes: AsyncIterable<Uint8Array>, plan: CsvPlan): AsyncGenerator<ContentPart> {
    return csvParts(bytes, plan, (columns) =>
      this.#source(`csv ${JSON.stringify([plan.table.table, columns])}`, () => csvRows(plan, columns)),
    );
  }

  async *#lines(bytes: AsyncIterable<Uint8Array>, json: JsonPlan, pattern: string): AsyncGenerator<ContentPart> {
    const rows = this.#source(`lines ${pattern}`, () => jsonRows(json, pattern, 'json-lines', this.#run.key));
    for await (const block of recordBlocks(bytes, undefined)) yield { rows, bytes: block };
  }

  #source(name: string, make: () => RowSource): RowSource {
    const known = this.#sources.get(name);
    if (known !== undefined) return known;
    const made = make();
    this.#sources.set(name, made);
    return made;
  }

  #rowPool(): OpenMaskingPool {
    this.#rows ??= openMaskingPool(this.#poolRun(this.#run.threads));
    return this.#rows;
  }

  /** A document is one thing: another thread could not go on where one has stopped. */
  #documentPool(): OpenMaskingPool {
    this.#documents ??= openMaskingPool(this.#poolRun(1));
    return this.#documents;
  }

  #poolRun(threads: number): MaskingRun {
    // A policy for files selects no rows.
    const { selection: _, ...run } = this.#run;
    return {
      ...run,
      threads,
      counts: this.#counts,
      plan: { ...run.plan, content: { kind: 'tables', tables: this.#tables } },
    };
  }

  #addCounts(pattern: string): void {
    const { rowsIn, rowsOut } = countsOf({ counts: this.#counts }, pattern);
    const all = countsOf(this.#run, pattern);
    all.rowsIn += rowsIn;
    all.rowsOut += rowsOut;
    this.#counts.tables.clear();
  }
}
