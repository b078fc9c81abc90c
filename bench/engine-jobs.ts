import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { findProgram } from '../test/installed-programs.ts';
import type { BackupTool, ToolPlace } from './backup-tool.ts';
import { type DataSet, type DataSetName, type DataSizes, makeDataSet } from './data/data-set.ts';
import { assertRestored, folderBytes, warmPageCache } from './folder-contents.ts';
import { type Command, type Measurement, measureCommand } from './measured-command.ts';

export const JOBS = ['start-up', 'first backup', 'unchanged again', 'after edits', 'restore', 'verify'] as const;
export type JobName = (typeof JOBS)[number];
/** What no backup tool that compresses like that can be faster than on these cores: the compression, and nothing else. */
export const COMPRESSION_ALONE = 'compression alone';
export const COMPRESSOR = 'zstd';

export interface Sample extends Measurement {
  data: DataSetName;
  job: JobName | typeof COMPRESSION_ALONE;
  tool: string;
  round: number;
}

/** Bytes of a repository after the first backup and after the one of the edited data. */
export interface RepositorySize {
  data: DataSetName;
  tool: string;
  firstBytes: number;
  editedBytes: number;
}

export interface EnginePlan {
  workFolder: string;
  sizes: DataSizes;
  rounds: number;
  data: readonly DataSetName[];
  /** Jobs after the first backup that are left out save their time; the first backup always runs. */
  jobs: ReadonlySet<JobName>;
  tools: readonly BackupTool[];
  log: (line: string) => void;
}

export interface EngineResults {
  samples: Sample[];
  sizes: RepositorySize[];
  dataBytes: Partial<Record<DataSetName, number>>;
}

/** Runs all jobs on all data with all tools. The tools take turns within each job, so that a noisy minute hits all of them. */
export async function runEngineJobs(plan: EnginePlan): Promise<EngineResults> {
  const results: EngineResults = { samples: [], sizes: [], dataBytes: {} };
  for (const name of plan.data) {
    plan.log(`making the data set "${name}" …`);
    const data = makeDataSet(name, plan.workFolder, plan.sizes);
    results.dataBytes[name] = data.bytes;
    const rounds = Array.from({ length: plan.rounds }, (_, index) => ({ plan, data, round: index + 1, results }));
    for (const round of rounds) await runRound(round);
    for (const round of rounds) rmSync(pastRound(round), { recursive: true });
    rmSync(data.folder, { recursive: true });
    rmSync(`${data.folder}.other`, { force: true });
  }
  return results;
}

interface Round {
  plan: EnginePlan;
  data: DataSet;
  round: number;
  results: EngineResults;
}

async function runRound(round: Round): Promise<void> {
  const { plan, data, results } = round;
  const folder = join(plan.workFolder, 'round');
  const tools = rotated(plan.tools, round.round).map((tool) => ({ tool, place: newPlace(folder, tool) }));
  const sizes = new Map<string, number>();
  for (const { tool, place } of tools) {
    await measureCommand(tool.initialise(place), folder);
    await measure(round, 'start-up', tool, tool.list(place));
  }
  for (const { tool, place } of tools) {
    // A kernel that gives cold memory back early (DAMON) would have whoever comes last read from the disk.
    warmPageCache(data.folder);
    await measure(round, 'first backup', tool, tool.backup(place, data.folder));
    sizes.set(tool.name, folderBytes(place.repository));
  }
  await measureCompressionAlone(round, folder);
  if (plan.jobs.has('unchanged again')) {
    for (const { tool, place } of tools) await measure(round, 'unchanged again', tool, tool.backup(place, data.folder));
  }
  data.applyEdits();
  if (plan.jobs.has('after edits')) {
    for (const { tool, place } of tools) {
      warmPageCache(data.folder);
      await measure(round, 'after edits', tool, tool.backup(place, data.folder));
      const firstBytes = sizes.get(tool.name) ?? 0;
      if (round.round === 1)
        results.sizes.push({
          data: data.name,
          tool: tool.name,
          firstBytes,
          editedBytes: folderBytes(place.repository),
        });
    }
  }
  if (plan.jobs.has('restore')) {
    // Nothing is removed before the last tool is through: for a minute ext4 goes around each inode that was freed, and whoever
    // makes files after 60,000 were removed pays for it.
    for (const { tool, place } of tools) {
      const target = join(folder, tool.name, 'restored');
      await measure(round, 'restore', tool, tool.restore(place, target));
      if (round.round === 1 && plan.jobs.has('after edits')) assertRestored(data.folder, target);
    }
  }
  if (plan.jobs.has('verify')) {
    for (const { tool, place } of tools) await measure(round, 'verify', tool, tool.verify(place));
  }
  data.undoEdits();
  renameSync(folder, pastRound(round));
}

/** Where a round's files wait for the end of the last one. */
function pastRound({ plan, data, round }: Round): string {
  return join(plan.workFolder, `past-${data.name}-${round}`);
}

/** The level that Holdfast has by default, on two threads; what comes out goes nowhere. */
async function measureCompressionAlone(round: Round, folder: string): Promise<void> {
  const { data } = round;
  if (data.name !== 'text' || findProgram(COMPRESSOR) === undefined) return;
  warmPageCache(data.folder);
  const files = readdirSync(data.folder).map((name) => join(data.folder, name));
  const commandLine = ['-3', '-T2', '--quiet', '--stdout', ...files];
  const command = { program: COMPRESSOR, commandLine, environment: {}, discardsOutput: true };
  const measurement = await measureCommand(command, folder);
  record(round, COMPRESSION_ALONE, COMPRESSOR, measurement);
}

async function measure(round: Round, job: JobName, { name }: BackupTool, command: Command): Promise<void> {
  record(round, job, name, await measureCommand(command, join(round.plan.workFolder, 'round')));
}

function record(
  { plan, data, round, results }: Round,
  job: Sample['job'],
  tool: string,
  measurement: Measurement,
): void {
  results.samples.push({ data: data.name, job, tool, round, ...measurement });
  const { seconds, cpuSeconds, peakMemoryBytes } = measurement;
  plan.log(
    `${data.name.padEnd(7)}${job.padEnd(18)}${tool.padEnd(9)}${seconds.toFixed(2).padStart(8)} s` +
      `${cpuSeconds.toFixed(1).padStart(8)} s CPU${(peakMemoryBytes / 1e6).toFixed(0).padStart(6)} MB`,
  );
}

export function newPlace(folder: string, tool: BackupTool): ToolPlace {
  const place = { repository: join(folder, tool.name, 'repository'), cache: join(folder, tool.name, 'cache') };
  for (const path of Object.values(place)) mkdirSync(path, { recursive: true });
  return place;
}

/** Another tool goes first in each round. */
export function rotated<Item>(items: readonly Item[], by: number): Item[] {
  return items.map((_item, index) => items[(index + by) % items.length] as Item);
}
