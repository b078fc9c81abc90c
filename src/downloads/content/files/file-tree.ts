import { HoldfastError } from '../../../core/errors.ts';
import type { FileTree } from '../../policy/compile/compilation.ts';
import type { FilePolicy } from '../../policy/masking-policy.ts';
import { fitsPath } from '../../policy/name-pattern.ts';
import type { TableSchema } from '../content-schema.ts';
import { shownPath } from './archive-fault.ts';
import { looksLikeHeader, readHeader } from './csv-header.ts';
import { quoteByte } from './csv-parts.ts';
import { recordBlocks } from './record-blocks.ts';
import { tarEntries } from './tar-entries.ts';

/** More are not listed, and held against the policy one by one when they come. */
const MOST_PATHS = 500_000;

/**
 * What a policy is held against: the paths of an archive's files, and the columns of those that the policy has for CSV with a header. A first line that looks like a row of data
 * instead is left for the masking to refuse, which tells nothing of it. Reads all of the archive.
 * @throws HoldfastError `variant-content-unreadable` (damaged), `variant-failed` (invalid) for an entry that would be unpacked elsewhere
 */
export async function readFileTree(
  archive: AsyncIterable<Uint8Array>,
  files: readonly FilePolicy[],
  signal: AbortSignal,
): Promise<FileTree> {
  const paths: string[] = [];
  const tables: TableSchema[] = [];
  for await (const entry of tarEntries(archive, signal)) {
    if (entry.kind === 'directory') continue;
    const path = shownPath(entry.name);
    if (paths.length <= MOST_PATHS) paths.push(path);
    const csv = files.find(({ pattern }) => fitsPath(pattern, path))?.csv;
    if (csv === undefined || !csv.hasHeader || entry.kind !== 'file') continue;
    const columns = await columnsOf(entry.bytes, csv);
    if (columns !== undefined && tables.length < MOST_PATHS) tables.push(tableOf(path, columns));
  }
  return { dialect: 'csv', ...(paths.length > MOST_PATHS ? {} : { paths }), tables };
}

async function columnsOf(
  bytes: AsyncIterable<Uint8Array>,
  csv: NonNullable<FilePolicy['csv']>,
): Promise<readonly string[] | undefined> {
  try {
    for await (const block of recordBlocks(bytes, quoteByte(csv), 1)) {
      const { columns } = readHeader(block, csv);
      return looksLikeHeader(columns, [...csv.table.columns.keys()]) ? columns : undefined;
    }
  } catch (error) {
    // The masking will say so, and where.
    if (!(error instanceof HoldfastError && error.code === 'variant-failed')) throw error;
  }
  return undefined;
}

function tableOf(name: string, columns: readonly string[]): TableSchema {
  return {
    name,
    columns: columns.map((column) => ({
      name: column,
      type: 'text',
      family: 'text',
      isNullable: true,
      isGenerated: false,
    })),
    uniqueKeys: [],
    foreignKeys: [],
    isPartitioned: false,
  };
}
