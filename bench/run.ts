import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { type BackupTool, findTools } from './backup-tool.ts';
import { JOBS, runEngineJobs } from './engine-jobs.ts';
import { engineReport } from './engine-report.ts';
import { describeMachine } from './machine.ts';
import { growthReport, measureGrowth } from './memory-growth.ts';

/*
 * Measures Holdfast beside the backup programs that are on PATH, what its collections and a large index cost, its API, PostgreSQL, downloads, and masked variants. Everything is made from fixed seeds in a
 * temporary folder and removed again; the raw numbers stay in bench/results/.
 */

const USAGE = `npm run bench -- [--only engine|collection|api|postgresql|downloads|variants] [--quick] [--large] [--rounds N] [--data random,text,files]
                [--job "first backup,restore"] [--tools holdfast,restic,borg] [--workdir FOLDER]`;

const listOf = <const Names extends readonly [string, ...string[]]>(names: Names) =>
  z
    .string()
    .transform((text) => text.split(','))
    .pipe(z.array(z.enum(names)))
    .default([...names]);

const optionsSchema = z.object({
  only: z.enum(['engine', 'collection', 'api', 'postgresql', 'downloads', 'variants']).optional(),
  quick: z.boolean().default(false),
  large: z.boolean().default(false),
  rounds: z.coerce.number().int().min(1).max(20).optional(),
  data: listOf(['random', 'text', 'files']),
  job: listOf(JOBS),
  tools: listOf(['holdfast', 'restic', 'borg']),
  workdir: z.string().default(tmpdir()),
});

const options = readOptions();
const workFolder = mkdtempSync(join(options.workdir, 'holdfast-bench-'));
try {
  await run();
} finally {
  rmSync(workFolder, { recursive: true, force: true });
}

async function run(): Promise<void> {
  const machine = describeMachine(workFolder);
  const results: Record<string, unknown> = { date: new Date().toISOString(), quick: options.quick, machine };
  const report = [
    `Machine: ${machine.cores} cores of ${machine.processor}, ${(machine.memoryBytes / 2 ** 30).toFixed(0)} GiB, ` +
      `${machine.system}, ${machine.runtime}; 32 MiB files, each fsynced: ${machine.durableWriteRate.toFixed(0)} MB/s`,
  ];
  const isWanted = (part: string) => options.only === undefined || options.only === part;
  if (isWanted('engine')) report.push(...(await runEngine(results)));
  if (isWanted('collection')) report.push(...(await runCollection(results)));
  if (isWanted('api')) report.push(await runApi(results));
  if (isWanted('postgresql')) report.push(await runPostgresql(results));
  if (isWanted('downloads')) report.push(await runDownloads(results));
  if (isWanted('variants')) report.push(await runVariants(results));
  process.stdout.write(`\n${report.join('\n\n')}\n`);
  keepResults(results);
}

async function runEngine(results: Record<string, unknown>): Promise<string[]> {
  const tools = usedTools(results);
  const engine = await runEngineJobs({
    workFolder,
    tools,
    sizes: options.quick ? { fileBytes: 128 * 2 ** 20, smallFiles: 6000 } : { fileBytes: 2 ** 30, smallFiles: 60_000 },
    rounds: options.rounds ?? (options.quick ? 1 : 3),
    data: options.data,
    jobs: new Set(options.job),
    log,
  });
  results.engine = engine;
  const report = [toolList(tools), engineReport(engine, tools)];
  if (options.large) {
    const growth = await measureGrowth(tools, workFolder, log);
    results.growth = growth;
    report.push(growthReport(growth));
  }
  return report;
}

async function runCollection(results: Record<string, unknown>): Promise<string[]> {
  const { measureCollection } = await import('./collection-jobs.ts');
  const { collectionReport } = await import('./collection-report.ts');
  const tools = usedTools(results);
  const collection = await measureCollection({
    workFolder,
    tools,
    rounds: options.rounds ?? (options.quick ? 1 : 3),
    quick: options.quick,
    large: options.large,
    log,
  });
  results.collection = collection;
  return [...(options.only === 'collection' ? [toolList(tools)] : []), collectionReport(collection)];
}

function usedTools(results: Record<string, unknown>): BackupTool[] {
  const tools = findTools(options.tools);
  results.tools = tools.map(({ name, version, settings }) => ({ name, version, settings }));
  return tools;
}

function toolList(tools: readonly BackupTool[]): string {
  return tools.map((tool) => `- ${tool.name}: ${tool.version}; ${tool.settings}`).join('\n');
}

async function runApi(results: Record<string, unknown>): Promise<string> {
  const { apiReport, measureApi } = await import('./api.ts');
  const measurements = await measureApi({ workFolder, quick: options.quick, log });
  results.api = measurements;
  return apiReport(measurements);
}

async function runPostgresql(results: Record<string, unknown>): Promise<string> {
  const { measurePostgresql } = await import('./postgresql.ts');
  const { postgresqlReport } = await import('./postgresql-report.ts');
  const measurements = await measurePostgresql({
    workFolder,
    quick: options.quick,
    rounds: options.rounds ?? (options.quick ? 1 : 3),
    log,
  });
  results.postgresql = measurements;
  return postgresqlReport(measurements);
}

async function runDownloads(results: Record<string, unknown>): Promise<string> {
  const { downloadsReport, measureDownloads } = await import('./downloads.ts');
  const measurements = await measureDownloads({ workFolder, quick: options.quick, log });
  results.downloads = measurements;
  return downloadsReport(measurements);
}

async function runVariants(results: Record<string, unknown>): Promise<string> {
  const { measureVariants, variantsReport } = await import('./variants.ts');
  const { quick, large } = options;
  const measurements = await measureVariants({ workFolder, quick, large, log });
  results.variants = measurements;
  return variantsReport(measurements);
}

function keepResults(results: Readonly<Record<string, unknown>>): void {
  const folder = join(dirname(fileURLToPath(import.meta.url)), 'results');
  mkdirSync(folder, { recursive: true });
  const path = join(folder, `${new Date().toISOString().slice(0, 19).replaceAll(':', '-')}.json`);
  writeFileSync(path, `${JSON.stringify(results, null, 2)}\n`);
  process.stdout.write(`\nRaw numbers: ${relative(process.cwd(), path)}\n`);
}

function readOptions(): z.infer<typeof optionsSchema> {
  try {
    const { values } = parseArgs({
      options: {
        only: { type: 'string' },
        quick: { type: 'boolean' },
        large: { type: 'boolean' },
        rounds: { type: 'string' },
        data: { type: 'string' },
        job: { type: 'string' },
        tools: { type: 'string' },
        workdir: { type: 'string' },
      },
    });
    return optionsSchema.parse(values);
  } catch (error) {
    const message = error instanceof z.ZodError ? z.prettifyError(error) : String(error);
    process.stderr.write(`${message}\n\nUse: ${USAGE}\n`);
    process.exit(2);
  }
}

function log(line: string): void {
  process.stderr.write(`${line}\n`);
}
