import type { MaskingRun } from '../../masking/masking-run.ts';
import type { ContentSchema } from '../content-schema.ts';
import type { RowScan, TableContent } from '../table-content.ts';
import { bytesOfFile, type PrivateFiles, writePrivately } from './private-files.ts';
import { copyOfSelection } from './selection-copy.ts';
import { variantFailed } from './sqlite-fault.ts';
import type { FromSqlite } from './sqlite-job.ts';
import { type Conversation, runSqliteJob } from './sqlite-process.ts';

export interface SqliteContentOptions {
  /** Where private folders are made for as long as a database is worked on. */
  temporaryFolder: string;
}

/**
 * Database files of SQLite. A variant is always written as a new database, also where no rule changes anything: pages of the source that are not
 * in use hold remains of rows that were deleted. The same rows and definitions give the same bytes.
 */
export function createSqliteContent({ temporaryFolder }: SqliteContentOptions): TableContent {
  return {
    schema: (bytes, signal) =>
      withFile(bytes, temporaryFolder, signal, async ({ source, folder }) => {
        const result = await runSqliteJob({ kind: 'schema', source }, { folder, signal });
        return schemaOf(result);
      }),
    scan: (bytes, scan, signal) =>
      withFile(bytes, temporaryFolder, signal, async ({ source, folder }) => {
        await runSqliteJob({ kind: 'scan', source }, { folder, signal, answer: scanned(scan) });
      }),
    rewrite: (bytes, run) => rewritten(bytes, run, temporaryFolder),
  };
}

async function withFile<Result>(
  bytes: AsyncIterable<Uint8Array>,
  temporaryFolder: string,
  signal: AbortSignal,
  use: (files: PrivateFiles) => Promise<Result>,
): Promise<Result> {
  const files = await writePrivately(bytes, temporaryFolder, signal);
  try {
    return await use(files);
  } finally {
    await files.remove();
  }
}

function schemaOf(result: FromSqlite): ContentSchema {
  if (result.kind === 'schema') return result.schema;
  throw new Error('The process that reads databases answered something else.');
}

function scanned(scan: RowScan): Conversation {
  return (message) => {
    switch (message.kind) {
      case 'begin':
        return { kind: 'wanted', columns: scan.begin(message.table, message.columns) };
      case 'rows':
        for (const [at, row] of message.rows.entries()) scan.row(message.table, message.firstOrdinal + at, row);
        return { kind: 'more' };
      case 'end':
        scan.end?.(message.table, message.rows);
        return undefined;
      default:
        return undefined;
    }
  };
}

async function* rewritten(
  bytes: AsyncIterable<Uint8Array>,
  run: MaskingRun,
  temporaryFolder: string,
): AsyncGenerator<Uint8Array> {
  const { plan, key, selection, signal } = run;
  const { content } = plan;
  if (content.kind !== 'tables') throw variantFailed('The plan is not one for a database.');
  const files = await writePrivately(bytes, temporaryFolder, signal);
  try {
    const { source, target, folder } = files;
    const result = await runSqliteJob(
      {
        kind: 'rewrite',
        source,
        target,
        tables: content.tables,
        key,
        selection: selection && copyOfSelection(selection),
        ...(run.canary === undefined ? {} : { detectors: plan.detectors }),
      },
      { folder, signal },
    );
    if (result.kind === 'written') {
      for (const { table, rowsIn, rowsOut } of result.tables) run.counts.tables.set(table, { rowsIn, rowsOut });
      if (result.canary !== undefined) run.canary?.foundNothing(result.canary);
    }
    yield* bytesOfFile(target, signal);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    await files.remove();
  }
}
