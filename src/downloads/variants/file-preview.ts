import type { PreviewedTable, PreviewRequest } from '../../core/ports/policy-workshop.ts';
import type { VariantContent } from '../../core/ports/variant-maker.ts';
import { shownPath } from '../content/files/archive-fault.ts';
import { markLength } from '../content/files/csv-header.ts';
import { quoteByte } from '../content/files/csv-parts.ts';
import { CsvFault, CsvRecords } from '../content/files/csv-syntax.ts';
import { FileMasker, filePlanOf, filePlans } from '../content/files/file-masker.ts';
import { STREAM } from '../content/files/mask-files.ts';
import { recordBlocks } from '../content/files/record-blocks.ts';
import { tarEntries } from '../content/files/tar-entries.ts';
import type { MaskingRun } from '../masking/masking-run.ts';
import type { FilePlan, VariantPlan } from '../variant-plan.ts';
import { withContent } from './content-reading.ts';

/** Files that are shown where nobody names some. */
const MOST_FILES = 20;

type CsvPlan = NonNullable<FilePlan['csv']>;

/** The first rows of the CSV files of a variant. */
export async function previewedFiles({
  content,
  plan,
  key,
  request,
  signal,
}: {
  content: VariantContent;
  plan: VariantPlan;
  /** Of the variant, 32 bytes. */
  key: Uint8Array;
  request: PreviewRequest;
  signal: AbortSignal;
}): Promise<PreviewedTable[]> {
  const run: MaskingRun = { plan, key, threads: 1, signal, counts: { tables: new Map() } };
  const masker = new FileMasker(run);
  const shown: PreviewedTable[] = [];
  const most = request.tables?.length ?? MOST_FILES;
  try {
    await withContent(content, { schemaOnly: false, signal }, async ({ material }) => {
      for await (const { path, bytes } of filesOf(content.format, material.bytes(), signal)) {
        if (shown.length >= most) return;
        const filePlan = filePlanOf(filePlans(run), path);
        if (filePlan?.csv === undefined || request.tables?.includes(path) === false) continue;
        const first = firstRecords(bytes, filePlan.csv, request.rows);
        const masked = Buffer.concat(await Array.fromAsync(masker.mask(first, filePlan, path)));
        shown.push({ table: path, fate: 'rows', ...rowsOf(masked, filePlan.csv) });
      }
    });
  } finally {
    await masker.close();
  }
  return shown;
}

async function* filesOf(
  format: string,
  bytes: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<{ path: string; bytes: AsyncIterable<Uint8Array> }> {
  if (format !== 'tar') {
    yield { path: STREAM, bytes };
    return;
  }
  for await (const entry of tarEntries(bytes, signal))
    if (entry.kind === 'file') yield { path: shownPath(entry.name), bytes: entry.bytes };
}

/** Header and rows, as they are. What is no CSV goes on to whoever masks it, and says so. */
async function* firstRecords(bytes: AsyncIterable<Uint8Array>, csv: CsvPlan, rows: number): AsyncGenerator<Uint8Array> {
  let wanted = rows + (csv.hasHeader ? 1 : 0);
  let isFirst = true;
  for await (const block of recordBlocks(bytes, quoteByte(csv), 1)) {
    const mark = isFirst ? markLength(block) : 0;
    isFirst = false;
    const records = new CsvRecords(block.toString('latin1', mark), csv);
    try {
      while (wanted > 0 && records.read()) wanted--;
    } catch (error) {
      if (!(error instanceof CsvFault)) throw error;
      yield block;
      return;
    }
    yield block.subarray(0, mark + records.next);
    if (wanted === 0) return;
  }
}

function rowsOf(masked: Buffer, csv: CsvPlan): Pick<PreviewedTable, 'columns' | 'rows'> {
  const records = new CsvRecords(masked.toString('latin1', markLength(masked)), csv);
  const rows: string[][] = [];
  while (records.read()) rows.push(Array.from({ length: records.fields }, (_, field) => records.value(field)));
  const header = csv.hasHeader ? rows.shift() : csv.table.columns.map(({ column }) => column);
  return { columns: header ?? [], rows };
}
