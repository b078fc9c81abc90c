import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { HoldfastError, messageOf } from '../../core/errors.ts';
import type { CheckDepth, DatabaseFacts, TableRows } from './database-job.ts';
import { needsExtension, resultCode } from './sqlite-fault.ts';

/** Reads a number that a PRAGMA gives. */
export function pragmaNumber(database: DatabaseSync, name: string): number {
  const value = Object.values(database.prepare(`PRAGMA ${name}`).get() ?? {})[0];
  if (typeof value === 'number') return value;
  throw new HoldfastError('internal', 'pragma-without-value', `SQLite gave no number for PRAGMA ${name}.`);
}

/**
 * Checks a file that nobody writes to and says what is in it. It is opened as immutable: SQLite then neither looks for a
 * journal beside it nor makes one, whatever its header says.
 */
export function inspectDatabase(
  path: string,
  checks: CheckDepth,
  report: (phase: string, done: number, total: number) => void,
): Omit<DatabaseFacts, 'journalMode' | 'snapshotAt'> {
  const url = pathToFileURL(path);
  url.searchParams.set('immutable', '1');
  const database = new DatabaseSync(url, { readOnly: true });
  try {
    report('checking', 0, 1);
    const unchecked: string[] = [];
    const problems = checks === 'none' ? [] : findProblems(database, checks, unchecked);
    const tolerated = (what: string, error: unknown): boolean => {
      // Whoever turned the checks off wants what is left of a damaged database.
      const isTolerated = needsExtension(error) || (checks === 'none' && resultCode(error) !== undefined);
      if (isTolerated) unchecked.push(`${what}: ${messageOf(error)}`);
      return isTolerated;
    };
    const tables = problems.length > 0 ? [] : countRows(database, report, tolerated);
    return {
      pageSize: pragmaNumber(database, 'page_size'),
      pageCount: pragmaNumber(database, 'page_count'),
      schemaVersion: pragmaNumber(database, 'schema_version'),
      userVersion: pragmaNumber(database, 'user_version'),
      applicationId: pragmaNumber(database, 'application_id'),
      tables,
      problems,
      unchecked,
    };
  } finally {
    database.close();
  }
}

function findProblems(database: DatabaseSync, checks: 'quick' | 'full', unchecked: string[]): string[] {
  const pragma = checks === 'quick' ? 'quick_check' : 'integrity_check';
  try {
    const rows = database.prepare(`PRAGMA ${pragma}(${MOST_PROBLEMS})`).all();
    const said = rows.map((row) => String(Object.values(row)[0]));
    return said.length === 1 && said[0] === 'ok' ? [] : said;
  } catch (error) {
    if (needsExtension(error)) {
      unchecked.push(`${pragma}: ${messageOf(error)}`);
      // The structure can be checked without what indices on expressions and foreign collations need.
      return checks === 'full' ? findProblems(database, 'quick', unchecked) : [];
    }
    if (resultCode(error) === undefined) throw error;
    return [messageOf(error)];
  }
}

/**
 * Virtual tables are left out: what they hold lies in tables of their own, which are counted.
 * @param isTolerated takes note of an error that is no reason to stop
 */
function countRows(
  database: DatabaseSync,
  report: (phase: string, done: number, total: number) => void,
  isTolerated: (what: string, error: unknown) => boolean,
): TableRows[] {
  const names = database
    .prepare(
      "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'shadow') AND name NOT LIKE 'sqlite\\_schema' ESCAPE '\\' ORDER BY name",
    )
    .all()
    .map((row) => String(row.name));
  return names.map((name, index) => {
    report('counting rows', index, names.length);
    try {
      // An index may need a collation that only the application has; the table itself seldom does.
      const row = database.prepare(`SELECT count(*) AS rows FROM "${name.replaceAll('"', '""')}" NOT INDEXED`).get();
      return { name, rows: Number(row?.rows) };
    } catch (error) {
      if (!isTolerated(`rows of ${name}`, error)) throw error;
      return { name };
    }
  });
}

const MOST_PROBLEMS = 20;
