import { HoldfastError } from '../../../core/errors.ts';
import { detectName } from '../../policy/detectors/detect-name.ts';
import type { TableSchema } from '../content-schema.ts';
import { shownPath } from './archive-fault.ts';
import { readHeader } from './csv-header.ts';
import { quoteByte } from './csv-parts.ts';
import type { CsvSyntax } from './csv-syntax.ts';
import { recordBlocks } from './record-blocks.ts';
import { tarEntries } from './tar-entries.ts';

/** What a policy says of CSV files unless it says otherwise. */
const USUAL: CsvSyntax = { delimiter: ',', quote: '"' };
/** More files are not drafted one by one. */
const MOST_FILES = 500;
const COLUMN_NAME = /^[\p{L}_][\p{L}\p{N}_.-]{0,62}$/u;

/**
 * The CSV files of an archive whose first line is surely one of names, for a draft. A line of which no name is known may be a row of data, of which nothing must be told.
 * @returns `others`: how many files of the archive are not among `tables`
 * @throws HoldfastError `variant-content-unreadable` (damaged)
 */
export async function csvFilesOf(
  archive: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): Promise<{ tables: readonly TableSchema[]; others: number }> {
  const tables: TableSchema[] = [];
  let others = 0;
  for await (const entry of tarEntries(archive, signal)) {
    if (entry.kind === 'directory') continue;
    const path = shownPath(entry.name);
    const isCandidate = entry.kind === 'file' && /\.csv$/i.test(path) && tables.length < MOST_FILES;
    const columns = isCandidate ? await namesIn(entry.bytes, path) : undefined;
    if (columns === undefined) others++;
    else tables.push(tableOf(path, columns));
  }
  return { tables, others };
}

async function namesIn(bytes: AsyncIterable<Uint8Array>, path: string): Promise<readonly string[] | undefined> {
  try {
    for await (const block of recordBlocks(bytes, quoteByte(USUAL), 1)) {
      const { columns } = readHeader(block, USUAL);
      const areNames = columns.every((column) => COLUMN_NAME.test(column)) && new Set(columns).size === columns.length;
      return areNames && columns.some((column) => isKnown(column, path)) ? columns : undefined;
    }
  } catch (error) {
    if (!(error instanceof HoldfastError && error.code === 'variant-failed')) throw error;
  }
  return undefined;
}

function isKnown(column: string, path: string): boolean {
  return /(^|_)id$/i.test(column) || detectName(column, path) !== undefined;
}

function tableOf(name: string, columns: readonly string[]): TableSchema {
  return {
    name,
    columns: columns.map((column) => ({
      ...{ name: column, type: 'text', family: 'text' as const },
      ...{ isNullable: true, isGenerated: false },
    })),
    ...{ uniqueKeys: [], foreignKeys: [], isPartitioned: false },
  };
}
