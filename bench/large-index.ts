import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CollectionPlan } from './collection-plan.ts';
import { newPlace } from './engine-jobs.ts';
import { folderBytes } from './folder-contents.ts';
import { type Measurement, measureCommand } from './measured-command.ts';
import { indexFolder, simulateChunks } from './simulated-index.ts';

const INDEX_JOBS = ['open', 'list', 'backup', 'dry run', 'collection'] as const;
export type IndexJob = (typeof INDEX_JOBS)[number];

/** What the process of a job says of it. */
export interface JobOutcome {
  /** From the first byte that is read of the repository to its being open; for the job `open` with its index in memory. */
  openSeconds: number;
  /** Of the job after that. */
  seconds: number;
  /** What was resident more after opening than before, garbage collected. */
  grownBytes: number;
  /** What of that is in use: objects of JavaScript and shared memory. The rest is memory that was used on the way and is used again. */
  inUseBytes: number;
  chunks: number;
  snapshots: number;
}

export interface LargeIndexSample
  extends Omit<JobOutcome, 'chunks'>,
    Pick<Measurement, 'cpuSeconds' | 'peakMemoryBytes'> {
  chunks: number;
  job: IndexJob;
  round: number;
  indexSegments: number;
  indexBytes: number;
}

const SIZES = [100_000, 1_000_000];
const LARGEST = 10_000_000;

/** Each job in a process of its own; the collection, which changes the index, comes last and once. */
export async function measureLargeIndexes(plan: CollectionPlan): Promise<LargeIndexSample[]> {
  const samples: LargeIndexSample[] = [];
  const tool = plan.tools.find(({ forgetEverySecond }) => forgetEverySecond === undefined);
  if (tool === undefined) return samples;
  for (const chunks of plan.large ? [...SIZES, LARGEST] : SIZES) {
    plan.log(`making an index of ${chunks.toLocaleString('en')} chunks …`);
    const folder = join(plan.workFolder, 'round');
    const place = newPlace(folder, tool);
    await measureCommand(tool.initialise(place), folder);
    await simulateChunks(place.repository, chunks);
    const index = indexFolder(place.repository);
    for (const job of INDEX_JOBS)
      for (let round = 1; round <= (job === 'collection' ? 1 : plan.rounds); round++) {
        const size = { indexSegments: readdirSync(index).length, indexBytes: folderBytes(index) };
        const outcome = await measureJob(place.repository, job, folder);
        samples.push({ job, round, ...size, ...outcome, chunks });
        plan.log(
          `${chunks.toLocaleString('en').padStart(10)} chunks, ${job.padEnd(10)} open ${outcome.openSeconds.toFixed(3)} s, ` +
            `job ${outcome.seconds.toFixed(3)} s, ${(outcome.peakMemoryBytes / 1e6).toFixed(0)} MB`,
        );
      }
    rmSync(folder, { recursive: true });
  }
  return samples;
}

async function measureJob(
  dataFolder: string,
  job: IndexJob,
  folder: string,
): Promise<JobOutcome & Pick<Measurement, 'cpuSeconds' | 'peakMemoryBytes'>> {
  const program = fileURLToPath(new URL('./large-index-process.ts', import.meta.url));
  const { cpuSeconds, peakMemoryBytes } = await measureCommand(
    {
      program: process.execPath,
      commandLine: ['--expose-gc', '--max-semi-space-size=4', program, dataFolder, job],
      // As the launcher starts Holdfast.
      environment: { MALLOC_ARENA_MAX: '2' },
    },
    folder,
  );
  const outcome = JSON.parse(readFileSync(join(folder, 'output.log'), 'utf8')) as JobOutcome;
  return { ...outcome, cpuSeconds, peakMemoryBytes };
}
