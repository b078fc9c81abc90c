import type { BackupTool } from './backup-tool.ts';
import type { DataSetName } from './data/data-set.ts';
import { COMPRESSION_ALONE, COMPRESSOR, type EngineResults, type Sample } from './engine-jobs.ts';
import { markdownTable } from './markdown-table.ts';

const DATA_LABELS: Readonly<Record<DataSetName, string>> = { random: 'random', text: 'text', files: 'small files' };
const ROWS: readonly { job: Sample['job']; data: DataSetName; wanted: string }[] = [
  { job: 'first backup', data: 'random', wanted: '2.0 ×' },
  { job: 'first backup', data: 'text', wanted: '2.0 × restic, 1.7 × borg' },
  { job: 'first backup', data: 'files', wanted: '2.0 ×' },
  { job: 'unchanged again', data: 'random', wanted: '' },
  { job: 'unchanged again', data: 'text', wanted: '' },
  { job: 'unchanged again', data: 'files', wanted: '1.5 ×' },
  { job: 'after edits', data: 'random', wanted: '2.0 ×' },
  { job: 'after edits', data: 'text', wanted: '2.0 ×' },
  { job: 'after edits', data: 'files', wanted: '2.0 ×' },
  { job: 'restore', data: 'random', wanted: '1.5 ×' },
  { job: 'restore', data: 'text', wanted: '1.5 ×' },
  { job: 'restore', data: 'files', wanted: '1.5 ×' },
  { job: 'verify', data: 'random', wanted: '1.2 ×' },
  { job: 'verify', data: 'text', wanted: '1.2 ×' },
  { job: 'verify', data: 'files', wanted: '1.2 ×' },
];
const OURS = 'Holdfast';

/** Markdown tables: seconds, repository sizes, memory. A ratio above 1 means that Holdfast is faster (smaller for sizes: below 1). */
export function engineReport(results: EngineResults, tools: readonly BackupTool[]): string {
  const names = tools.map((tool) => tool.name);
  return [
    '### Seconds (best of all rounds)',
    secondsTable(results, names),
    ...compressionAlone(results),
    '### Repository, MB',
    sizesTable(results, names),
    '### Peak memory, MB (most of all rounds)',
    memoryTable(results, names),
  ].join('\n\n');
}

function secondsTable(results: EngineResults, names: readonly string[]): string {
  const peers = names.filter((name) => name !== OURS);
  const rows = ROWS.flatMap(({ job, data, wanted }) => {
    const best = names.map((name) => bestSeconds(results, job, name, data));
    if (best.every((seconds) => seconds === undefined)) return [];
    const ours = bestSeconds(results, job, OURS, data);
    const ratios = peers.map((peer) => ratio(bestSeconds(results, job, peer, data), ours));
    return [[`${job}, ${DATA_LABELS[data]}`, ...best.map((seconds) => fixed(seconds, 2)), ...ratios, wanted]];
  });
  const startUp = names.map((name) => fixed(bestSeconds(results, 'start-up', name), 2));
  rows.push(['start-up (list a new repository; part of every job above)', ...startUp, ...peers.map(() => ''), '']);
  return markdownTable(['job', ...names, ...peers.map((peer) => `× ${peer}`), 'wanted'], rows);
}

function compressionAlone(results: EngineResults): string[] {
  const seconds = bestSeconds(results, COMPRESSION_ALONE, COMPRESSOR);
  return seconds === undefined
    ? []
    : [`\`zstd -3 -T2\` alone, its output thrown away, takes ${seconds.toFixed(2)} s for the text.`];
}

function sizesTable(results: EngineResults, names: readonly string[]): string {
  const rows = Object.entries(results.dataBytes).flatMap(([data, sourceBytes]) =>
    (['firstBytes', 'editedBytes'] as const).map((when) => {
      const sizes = names.map((name) => results.sizes.find((size) => size.data === data && size.tool === name)?.[when]);
      const [ours, restic] = [OURS, 'restic'].map((name) => sizes[names.indexOf(name)]);
      const label = `${DATA_LABELS[data as DataSetName]}, ${when === 'firstBytes' ? 'first backup' : 'and after edits'}`;
      return [label, megabytes(sourceBytes), ...sizes.map(megabytes), ratio(ours, restic), 'at most 1.03'];
    }),
  );
  return markdownTable(['data', 'source', ...names, 'of restic’s', 'wanted'], rows);
}

function memoryTable(results: EngineResults, names: readonly string[]): string {
  const rows = ROWS.flatMap(({ job, data }) => {
    const peaks = names.map((name) =>
      results.samples
        .filter((sample) => sample.job === job && sample.data === data && sample.tool === name)
        .reduce<number | undefined>((most, sample) => Math.max(most ?? 0, sample.peakMemoryBytes), undefined),
    );
    if (peaks.every((peak) => peak === undefined)) return [];
    return [[`${job}, ${DATA_LABELS[data]}`, ...peaks.map(megabytes)]];
  });
  return markdownTable(['job', ...names], rows);
}

function bestSeconds(results: EngineResults, job: Sample['job'], tool: string, data?: DataSetName): number | undefined {
  const seconds = results.samples
    .filter((sample) => sample.job === job && sample.tool === tool && (data === undefined || sample.data === data))
    .map((sample) => sample.seconds);
  return seconds.length === 0 ? undefined : Math.min(...seconds);
}

function ratio(above: number | undefined, below: number | undefined): string {
  return above === undefined || below === undefined ? '' : (above / below).toFixed(2);
}

function megabytes(bytes: number | undefined): string {
  return bytes === undefined ? '' : (bytes / 1e6).toFixed(bytes < 1e7 ? 1 : 0);
}

function fixed(value: number | undefined, digits: number): string {
  return value === undefined ? '' : value.toFixed(digits);
}
