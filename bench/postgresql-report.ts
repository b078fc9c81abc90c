import { markdownTable } from './markdown-table.ts';
import type { LogicalSample } from './postgresql-logical.ts';
import type { LoadSample, PhysicalSample } from './postgresql-physical.ts';

export interface PostgresqlResults {
  databaseBytes: number;
  logical: readonly LogicalSample[];
  physical: readonly PhysicalSample[];
  load: readonly LoadSample[];
}

/** Markdown tables of the best of all rounds. A ratio above 1 means that Holdfast is faster. */
export function postgresqlReport({ databaseBytes, logical, physical, load }: PostgresqlResults): string {
  const sections = [`### A pgbench database of ${megabytes(databaseBytes)} MB, dumped`, samplesTable(logical)];
  if (physical.length > 0) sections.push('### The same cluster, physically', samplesTable(physical));
  if (load.length > 0) sections.push('### Eight clients that write at full speed', loadTable(load));
  return sections.join('\n\n');
}

function samplesTable(samples: readonly (LogicalSample | PhysicalSample)[]): string {
  const jobs = [...new Set(samples.map(({ job }) => job))];
  const rows = jobs.flatMap((job) => {
    const ofJob = bestOfEach(samples.filter((sample) => sample.job === job));
    const ours = ofJob.find(({ tool }) => tool === 'Holdfast');
    return ofJob.map((sample) => [
      `${job}, ${sample.tool}`,
      sample.seconds.toFixed(2),
      sample === ours || ours === undefined ? '' : (sample.seconds / ours.seconds).toFixed(2),
      sample.addedBytes === undefined ? '' : megabytes(sample.addedBytes),
      megabytes(sample.peakMemoryBytes),
      sample.cpuSeconds.toFixed(1),
    ]);
  });
  return markdownTable(['job', 'seconds', '× Holdfast', 'new MB', 'memory MB', 'CPU s'], rows);
}

/** The fastest of each tool, with the most memory that any of them took. */
function bestOfEach<Each extends LogicalSample | PhysicalSample>(samples: readonly Each[]): Each[] {
  const byTool = Map.groupBy(samples, ({ tool }) => tool);
  return [...byTool.values()].map((rounds) => {
    const best = rounds.reduce((one, other) => (other.seconds < one.seconds ? other : one));
    return { ...best, peakMemoryBytes: Math.max(...rounds.map(({ peakMemoryBytes }) => peakMemoryBytes)) };
  });
}

function loadTable(load: readonly LoadSample[]): string {
  const alone = load.find(({ follower }) => follower === 'nothing')?.transactionsPerSecond ?? Number.NaN;
  const rows = load.map(({ follower, transactionsPerSecond, behindSeconds }) => [
    follower,
    transactionsPerSecond.toFixed(0),
    `${((100 * transactionsPerSecond) / alone).toFixed(0)} %`,
    behindSeconds?.toFixed(1) ?? '',
  ]);
  return markdownTable(['the log is followed by', 'transactions/s', 'of alone', 'behind at the end, s'], rows);
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0);
}
