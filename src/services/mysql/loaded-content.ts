import { z } from 'zod';
import type { VariantReport } from '../../core/stored-variant.ts';
import { feedChild } from '../../process/fed-child.ts';
import { type BrokenConstraint, brokenWords, type Load, loadRefusal, notLoadable, tooSlow } from './load-refusal.ts';
import type { PrivateServer } from './private-server.ts';

export interface Checking {
  server: PrivateServer;
  load: Load;
  signal: AbortSignal;
  patienceSeconds: number;
}

const tableRow = z.object({ table: z.string(), type: z.string() });
const countRow = z.object({ rows: z.number() });
/** Products differ in what EXISTS is. */
const brokenRow = z.object({ broken: z.union([z.boolean(), z.number()]) });
const keyRow = z.object({
  ...{ table: z.string(), constraint: z.string(), column: z.string() },
  ...{ target: z.string(), targetColumn: z.string() },
});
const checkRow = z.object({ table: z.string(), constraint: z.string(), clause: z.string() });
const uniqueRow = z.object({ table: z.string(), constraint: z.string() });

/**
 * Holds what was loaded against what was written: every table with all its rows, and no reference to a row that is not there, which nobody looked at while
 * rows came, nor a check that does not hold, which a dump may have switched off.
 * @throws HoldfastError `variant-not-loadable` (invalid), `variant-load-failed` (unavailable)
 */
export async function requireWhole(report: VariantReport, checking: Checking): Promise<void> {
  const tables = await tablesOf(checking);
  await requireRows(report, tables, checking);
  await requireReferences(tables, checking);
  await requireChecks(checking);
}

/** The names of a table's unique keys; none where there is no such table. */
export async function uniqueKeysOf(table: string, checking: Checking): Promise<ReadonlySet<string>> {
  const sql = `SELECT JSON_OBJECT('table', TABLE_NAME, 'constraint', INDEX_NAME) FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = ${text(table)} AND NON_UNIQUE = 0`;
  const rows = await rowsOf(sql, uniqueRow, checking);
  return new Set(rows.filter((row) => row.table === table).map(({ constraint }) => constraint));
}

function tablesOf(checking: Checking): Promise<z.infer<typeof tableRow>[]> {
  const sql =
    "SELECT JSON_OBJECT('table', TABLE_NAME, 'type', TABLE_TYPE) FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED')";
  return rowsOf(sql, tableRow, checking);
}

async function requireRows(
  report: VariantReport,
  tables: readonly z.infer<typeof tableRow>[],
  checking: Checking,
): Promise<void> {
  const types = new Map(tables.map(({ table, type }) => [table, type]));
  const written = report.tables.map(({ name, rowsOut }) => ({ name, table: plainName(name), rowsOut }));
  const missing = written.find(({ table }) => !types.has(table));
  if (missing !== undefined)
    throw notLoadable(`table ${missing.name} is not there`, checking.load, { table: missing.name });
  const counted = await answersOf(
    written.map(({ table }) => `'rows', COUNT(*)) FROM ${name(table)}${wholeOf(types.get(table))}`),
    countRow,
    checking,
  );
  for (const [at, { name: told, rowsOut }] of written.entries()) {
    const rows = counted[at]?.rows;
    if (rows === rowsOut) continue;
    const what =
      rows === undefined
        ? `table ${told} cannot be read`
        : `table ${told} has ${rows} rows, and should have ${rowsOut}`;
    throw notLoadable(what, checking.load, { table: told });
  }
}

/** Of tables that keep their history, with it: that is what a dump may have. */
function wholeOf(type: string | undefined): string {
  return type === 'SYSTEM VERSIONED' ? ' FOR SYSTEM_TIME ALL' : '';
}

async function requireReferences(tables: readonly z.infer<typeof tableRow>[], checking: Checking): Promise<void> {
  const sql = `SELECT JSON_OBJECT('table', TABLE_NAME, 'constraint', CONSTRAINT_NAME, 'column', COLUMN_NAME, 'target', REFERENCED_TABLE_NAME, 'targetColumn', REFERENCED_COLUMN_NAME)
    FROM information_schema.KEY_COLUMN_USAGE WHERE TABLE_SCHEMA = DATABASE() AND REFERENCED_TABLE_NAME IS NOT NULL ORDER BY TABLE_NAME, CONSTRAINT_NAME, ORDINAL_POSITION`;
  const columns = Map.groupBy(await rowsOf(sql, keyRow, checking), ({ table, constraint }) =>
    JSON.stringify([table, constraint]),
  );
  const there = new Set(tables.map(({ table }) => table));
  const keys = [...columns.values()];
  await requireHeld(
    keys.map(([first]) => ({ table: first?.table ?? '', constraint: first?.constraint ?? '' })),
    keys.map((parts) => orphansOf(parts, there)),
    { ...checking, isSure: true },
  );
}

/** `'broken', whether a row refers to one that is not there`. A part that is NULL refers to nothing. */
function orphansOf(parts: readonly z.infer<typeof keyRow>[], there: ReadonlySet<string>): string {
  const [{ table, target } = { table: '', target: '' }] = parts;
  const refers = parts.map(({ column }) => `child.${name(column)} IS NOT NULL`).join(' AND ');
  const meets = parts.map(({ column, targetColumn }) => `parent.${name(targetColumn)} = child.${name(column)}`);
  const parent = `AND NOT EXISTS (SELECT 1 FROM ${name(target)} parent WHERE ${meets.join(' AND ')})`;
  return `'broken', EXISTS (SELECT 1 FROM ${name(table)} child WHERE ${refers} ${there.has(target) ? parent : ''}))`;
}

async function requireChecks(checking: Checking): Promise<void> {
  // Servers of MySQL have nothing that switches checks off for a while.
  if (checking.load.server.product !== 'MariaDB') return;
  const sql =
    "SELECT JSON_OBJECT('table', TABLE_NAME, 'constraint', CONSTRAINT_NAME, 'clause', CHECK_CLAUSE) FROM information_schema.CHECK_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = DATABASE()";
  const checks = await rowsOf(sql, checkRow, checking);
  await requireHeld(
    checks,
    checks.map(({ table, clause }) => `'broken', EXISTS (SELECT 1 FROM ${name(table)} WHERE NOT (${clause})))`),
    // The server may tell a condition in words that it does not read again.
    { ...checking, isSure: false },
  );
}

/** @param checking `isSure`: what cannot be asked does not hold */
async function requireHeld(
  constraints: readonly BrokenConstraint[],
  questions: readonly string[],
  checking: Checking & { isSure: boolean },
): Promise<void> {
  const answers = await answersOf(questions, brokenRow, checking);
  for (const [at, { table, constraint }] of constraints.entries()) {
    const broken = { ...(table === undefined ? {} : { table }), ...(constraint === undefined ? {} : { constraint }) };
    if (answers[at] === undefined ? checking.isSure : Boolean(answers[at].broken))
      throw notLoadable(brokenWords(broken), checking.load, broken);
  }
}

/** One row for each question, undefined where the server could not answer. */
async function answersOf<T>(
  questions: readonly string[],
  row: z.ZodType<T>,
  checking: Checking,
): Promise<(T | undefined)[]> {
  const answers: (T | undefined)[] = [];
  const sql = questions.map((question, n) => `SELECT JSON_OBJECT('n', ${n}, ${question}`);
  const { rows } = await asked(sql, checking, ['--force']);
  for (const found of rows) answers[z.object({ n: z.number() }).parse(found).n] = row.parse(found);
  return answers;
}

async function rowsOf<T>(sql: string, row: z.ZodType<T>, checking: Checking): Promise<T[]> {
  const { rows, exitCode } = await asked([sql], checking);
  if (exitCode !== 0) throw loadRefusal(undefined, checking.load);
  return rows.map((each) => row.parse(each));
}

/** Each line that is answered is a JSON document. */
async function asked(
  questions: readonly string[],
  checking: Checking,
  options: readonly string[] = [],
): Promise<{ rows: unknown[]; exitCode: number | null }> {
  const { server, load, signal, patienceSeconds } = checking;
  const client = server.client(['--raw', ...options]);
  const pieces: Buffer[] = [];
  client.stdout.on('data', (piece: Buffer) => pieces.push(piece));
  const patience = { seconds: patienceSeconds, exceeded: () => tooSlow(load, patienceSeconds) };
  const { exitCode } = await feedChild(client, prepared(questions), { signal, patience });
  if (!server.isRunning) throw loadRefusal(undefined, load);
  const lines = Buffer.concat(pieces).toString().split('\n');
  return { rows: lines.filter((line) => line !== '').map((line) => JSON.parse(line) as unknown), exitCode };
}

/** The client would look into names and conditions for commands of its own, by other rules than the server's: it is given nothing to read. */
async function* prepared(questions: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const sql of questions) yield Buffer.from(`SET @q = ${text(sql)}; PREPARE q FROM @q; EXECUTE q;\n`);
}

/** As SQL writes it; backslashes are none of its escapes. */
function name(plain: string): string {
  return `\`${plain.replaceAll('`', '``')}\``;
}

function text(plain: string): string {
  return `CONVERT(x'${Buffer.from(plain).toString('hex')}' USING utf8mb4)`;
}

/** A table's name without the double quotes that policies put around names with a dot or a quote in them. */
function plainName(told: string): string {
  return /^"(.*)"$/s.exec(told)?.[1]?.replaceAll('""', '"') ?? told;
}
