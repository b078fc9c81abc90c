import type { BesideSample } from './backup-beside-collection.ts';
import type { CollectionResults } from './collection-jobs.ts';
import type { IndexJob, LargeIndexSample } from './large-index.ts';
import { markdownTable } from './markdown-table.ts';
import { FORGOTTEN, SNAPSHOTS } from './simulated-index.ts';

const OURS = 'Holdfast';

/** Markdown tables, with what is wanted beside what was measured. */
export function collectionReport({ history, prunes, beside, largeIndexes }: CollectionResults): string {
  const { snapshots, files, bytes } = history;
  const sections = [
    `### Prune after forgetting half of ${snapshots} snapshots of ${files.toLocaleString('en')} files (${megabytes(bytes)} MB), 2 % changed between them`,
    pruneTable(prunes),
  ];
  if (beside.alone.length > 0)
    sections.push(
      `### Backup of ${megabytes(beside.sourceBytes)} MB at random while a collection rewrites ${megabytes(beside.sparseBytes)} MB`,
      besideTable(beside),
    );
  if (largeIndexes.length > 0)
    sections.push(
      `### A large index: ${SNAPSHOTS} snapshots, ${FORGOTTEN} of them forgotten`,
      indexTable(largeIndexes),
      jobsTable(largeIndexes),
    );
  return sections.join('\n\n');
}

function pruneTable(prunes: CollectionResults['prunes']): string {
  const tools = [...new Set(prunes.map(({ tool }) => tool))];
  const ours = least(prunes.filter(({ tool }) => tool === OURS).map(({ seconds }) => seconds));
  const rows = tools.map((tool) => {
    const own = prunes.filter((sample) => sample.tool === tool);
    const seconds = least(own.map((sample) => sample.seconds));
    const peak = Math.max(...own.map((sample) => sample.peakMemoryBytes));
    const { bytesBefore = 0, bytesAfter = 0 } = own.at(-1) ?? {};
    return [
      tool,
      seconds.toFixed(2),
      tool === OURS ? '' : (seconds / ours).toFixed(2),
      megabytes(peak),
      megabytes(bytesBefore),
      megabytes(bytesBefore - bytesAfter),
      megabytes(bytesAfter),
      tool === 'restic' ? '2.0 ×' : '',
    ];
  });
  return markdownTable(
    ['tool', 'seconds', '× Holdfast', 'peak MB', 'before, MB', 'freed, MB', 'after, MB', 'wanted'],
    rows,
  );
}

function besideTable({ sourceBytes, alone, beside }: CollectionResults['beside']): string {
  const rate = (samples: readonly BesideSample[]) => sourceBytes / 1e6 / median(samples.map(({ seconds }) => seconds));
  const row = (label: string, samples: readonly BesideSample[]) => [
    label,
    median(samples.map(({ seconds }) => seconds)).toFixed(2),
    rate(samples).toFixed(0),
    median(samples.map(({ seconds, cpuSeconds }) => cpuSeconds / seconds)).toFixed(2),
    samples === alone ? '' : median(samples.map(({ prunes }) => prunes[0] ?? 0)).toFixed(2),
    (rate(samples) / rate(alone)).toFixed(2),
    samples === beside ? 'at least 0.70' : '',
  ];
  return markdownTable(
    ['backup', 'seconds', 'MB/s', 'cores busy', 'first collection, s', 'of alone', 'wanted'],
    [row('alone', alone), row('beside collections', beside)],
  );
}

function indexTable(samples: readonly LargeIndexSample[]): string {
  const sizes = sizesOf(samples);
  const open = (chunks: number) => ofJob(samples, chunks, 'open');
  const rows = sizes.map((chunks, index) => {
    const seconds = median(open(chunks).map((sample) => sample.openSeconds));
    const grown = median(open(chunks).map((sample) => sample.grownBytes));
    const inUse = median(open(chunks).map((sample) => sample.inUseBytes));
    const smaller = sizes[index - 1];
    const inUseSmaller = smaller === undefined ? undefined : median(open(smaller).map((sample) => sample.inUseBytes));
    const { indexBytes = 0, indexSegments = 0 } = open(chunks)[0] ?? {};
    return [
      chunks.toLocaleString('en'),
      `${megabytes(indexBytes)} in ${indexSegments}`,
      seconds.toFixed(3),
      megabytes(grown),
      (grown / chunks).toFixed(0),
      (inUse / chunks).toFixed(1),
      smaller === undefined || inUseSmaller === undefined
        ? ''
        : ((inUse - inUseSmaller) / (chunks - smaller)).toFixed(1),
      chunks === 1_000_000 ? '1.5 s, 64 bytes' : '64 bytes',
    ];
  });
  return markdownTable(
    [
      'chunks',
      'index, MB in segments',
      'open, s',
      'grown by MB',
      'bytes a chunk',
      'of these in use',
      'each more',
      'wanted at most',
    ],
    rows,
  );
}

function jobsTable(samples: readonly LargeIndexSample[]): string {
  const sizes = sizesOf(samples);
  const jobs: readonly { job: IndexJob; label: string }[] = [
    { job: 'open', label: 'open' },
    { job: 'list', label: 'list snapshots' },
    { job: 'backup', label: 'back up 100 KB' },
    { job: 'dry run', label: 'collection, dry run' },
    { job: 'collection', label: 'collection' },
  ];
  const rows = jobs.map(({ job, label }) => {
    const found = sizes.map((chunks) => ofJob(samples, chunks, job));
    const seconds = found.map((each) => median(each.map((sample) => sample.openSeconds + sample.seconds)));
    const peaks = found.map((each) => Math.max(...each.map((sample) => sample.peakMemoryBytes)));
    const growth = seconds.slice(1).map((each, index) => `× ${(each / (seconds[index] ?? each)).toFixed(1)}`);
    const cells = seconds.map((each, index) => `${each.toFixed(3)} s, ${megabytes(peaks[index] ?? 0)} MB`);
    return [label, ...cells, ...growth];
  });
  const grows = sizes.slice(1).map((chunks, index) => `${short(sizes[index] ?? 0)} to ${short(chunks)}`);
  return markdownTable(['job in a new process', ...sizes.map((each) => each.toLocaleString('en')), ...grows], rows);
}

function sizesOf(samples: readonly LargeIndexSample[]): number[] {
  return [...new Set(samples.map(({ chunks }) => chunks))];
}

function ofJob(samples: readonly LargeIndexSample[], chunks: number, job: IndexJob): LargeIndexSample[] {
  return samples.filter((sample) => sample.chunks === chunks && sample.job === job);
}

function least(values: readonly number[]): number {
  return Math.min(...values);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor((values.length - 1) / 2)] ?? Number.NaN;
}

function short(chunks: number): string {
  return chunks >= 1_000_000 ? `${chunks / 1_000_000} M` : `${chunks / 1000} k`;
}

function megabytes(bytes: number): string {
  return (bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0);
}
