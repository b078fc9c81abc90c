import { rmSync, statSync } from 'node:fs';
import { HoldfastError } from '../../../core/errors.ts';
import type { CanaryProbe } from '../../masking/canary-probe.ts';
import { scanDatabase } from './database-scan.ts';
import { databaseSchema } from './database-schema.ts';
import { openToRead } from './guarded-database.ts';
import { selectionOf } from './selection-copy.ts';
import { unreadable } from './sqlite-fault.ts';
import type { FromSqlite, SqliteJob, ToSqlite } from './sqlite-job.ts';

/**
 * The process that opens a database of which nothing is trusted; see `SqliteProcess`. It does one job.
 *
 * node sqlite-worker.ts FOLDER (to remove should the service die)
 */
const [, , unfinished] = process.argv;
const waiting: ((answer: ToSqlite) => void)[] = [];
let toldAt = 0;

function tell(message: FromSqlite): void {
  if (process.connected) process.send?.(message, (error) => error !== null && end());
}

function ask(message: FromSqlite): Promise<ToSqlite> {
  const answer = new Promise<ToSqlite>((resolve) => waiting.push(resolve));
  tell(message);
  return answer;
}

function alive(quietSeconds: number): void {
  const now = performance.now();
  if (now - toldAt < REPORT_EVERY && quietSeconds <= told) return;
  // A service that died while this process was inside of SQLite shows here first.
  if (!process.connected) end();
  toldAt = now;
  told = quietSeconds;
  tell({ kind: 'alive', quietSeconds });
}

/** milliseconds */
const REPORT_EVERY = 500;
let told = 0;

async function run(job: SqliteJob): Promise<FromSqlite> {
  if (job.kind === 'rewrite') {
    const { key, selection: copy, detectors, ...options } = job;
    const selection = copy && selectionOf(copy);
    // Transformers and their word lists take a while to read.
    const { copyDatabase } = await import('./database-copy.ts');
    const { RowMasker } = await import('../../masking/row-masker.ts');
    const valueMasker = (plan: (typeof job.tables)[number], columns: readonly string[], probe?: CanaryProbe) =>
      new RowMasker(plan, columns, key, probe);
    if (detectors === undefined)
      return { kind: 'written', tables: copyDatabase({ ...options, selection, valueMasker, alive }) };
    const { CanaryWatch } = await import('../../canary/canary-watch.ts');
    const { WatchingProbe } = await import('../../canary/watching-probe.ts');
    const watch = new CanaryWatch(statSync(job.source).size);
    const probeOf = (plan: (typeof job.tables)[number], columns: readonly string[]) =>
      new WatchingProbe(watch.memory, detectors, { plan, columns });
    const canary = { probeOf, told: watch.told.bind(watch) };
    const tables = copyDatabase({ ...options, selection, valueMasker, canary, alive });
    return { kind: 'written', tables, canary: watch.require() };
  }
  const database = opened(job.source);
  try {
    if (job.kind === 'schema') return { kind: 'schema', schema: databaseSchema(database) };
    await scanDatabase(database, {
      async begin(table, columns) {
        const answer = await ask({ kind: 'begin', table, columns });
        return answer.kind === 'wanted' ? answer.columns : undefined;
      },
      async rows(table, firstOrdinal, rows) {
        await ask({ kind: 'rows', table, firstOrdinal, rows });
      },
      async end(table, rows) {
        tell({ kind: 'end', table, rows });
      },
    });
    return { kind: 'scanned' };
  } catch (error) {
    throw unreadable(error);
  } finally {
    database.close();
  }
}

function opened(path: string) {
  try {
    return openToRead(path);
  } catch (error) {
    throw unreadable(error);
  }
}

function end(): never {
  if (unfinished !== undefined) rmSync(unfinished, { recursive: true, force: true });
  process.exit(0);
}

/** Of errors that are not Holdfast's own nothing is told: they may quote a value. */
function failureOf(error: unknown): FromSqlite {
  const { kind, code, message, details } =
    error instanceof HoldfastError
      ? error
      : new HoldfastError(
          'internal',
          'variant-failed',
          'The variant of the database cannot be made: an internal error.',
        );
  return { kind: 'failed', error: { kind, code, message, details } };
}

process.on('message', (message: ToSqlite) => {
  if (message.kind !== 'job') {
    waiting.shift()?.(message);
    return;
  }
  run(message.job).then(tell, (error: unknown) => tell(failureOf(error)));
});
process.on('disconnect', end);
