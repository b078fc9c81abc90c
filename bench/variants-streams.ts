import { spawnSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CUSTOMER_COLUMNS, customerDump, type StreamDialect } from './data/customer-rows.ts';
import { markdownTable } from './markdown-table.ts';
import { type Command, measureCommand } from './measured-command.ts';

/** What one process is to do. */
export interface StreamJob {
  dialect: StreamDialect;
  bytes: number;
  /** Transformers by column; `nothing at all`: the stream is only made, which is what the measuring itself costs. */
  masked: Readonly<Record<string, string>> | 'nothing at all';
  threads: number;
  /** By the canary. */
  isWatched: boolean;
}

/** What a process says of its job. The time in which it starts does not count. */
export interface StreamOutcome {
  bytesIn: number;
  bytesOut: number;
  rows: number;
  seconds: number;
  /** Of all threads. */
  cpuSeconds: number;
  /** Of the thread that reads, cuts and gives. */
  mainThreadSeconds: number;
}

export interface StreamSample extends StreamOutcome {
  name: string;
  threads: number;
  peakMemoryBytes: number;
  /** MB for each second of one core, without what making the stream costs. */
  target?: number;
}

export interface StreamPeer {
  tool: string;
  bytes: number;
  seconds: number;
  cpuSeconds: number;
}

export interface StreamResults {
  samples: readonly StreamSample[];
  peers: readonly StreamPeer[];
}

const ONE = { email: 'email' };
const FOUR = { ...ONE, name: 'name', street: 'street', company: 'company' };
const TEN = {
  ...{ ...FOUR, username: 'username', website: 'url', born: '{ date: { truncate: year } }' },
  ...{ token: 'token', city: 'city', note: 'lorem' },
};
const PHONE = { ...ONE, name: 'name', street: 'street', phone: 'phone' };
const PEER_BYTES = 200_000_000;

interface Case extends Pick<StreamJob, 'dialect' | 'masked'> {
  name: string;
  isWatched?: boolean;
  target?: number;
}

const CASES: readonly Case[] = [
  { name: 'the stream alone', dialect: 'postgresql', masked: 'nothing at all' },
  { name: 'PostgreSQL, all kept', dialect: 'postgresql', masked: {}, target: 300 },
  { name: 'PostgreSQL, 1 masked', dialect: 'postgresql', masked: ONE, target: 250 },
  { name: 'PostgreSQL, 4 masked', dialect: 'postgresql', masked: FOUR, target: 140 },
  { name: 'PostgreSQL, 10 masked', dialect: 'postgresql', masked: TEN, target: 60 },
  { name: 'PostgreSQL, 4 masked, no canary', dialect: 'postgresql', masked: FOUR, isWatched: false },
  { name: 'PostgreSQL, 4 masked, with phone', dialect: 'postgresql', masked: PHONE },
  { name: 'MySQL, all kept', dialect: 'mysql', masked: {} },
  { name: 'MySQL, 1 masked', dialect: 'mysql', masked: ONE, target: 80 },
];

/** Streams that are masked as they are made, each in a process of its own, beside programs that change one column of the same rows. */
export async function measureStreams(options: {
  workFolder: string;
  quick: boolean;
  large: boolean;
  log: (line: string) => void;
}): Promise<StreamResults> {
  const { workFolder, quick, large, log } = options;
  const bytes = quick ? 200_000_000 : 1_000_000_000;
  const samples: StreamSample[] = [];
  const measure = async (each: Case, size: number, threads: number) => {
    const sample = await measureStream(each, size, threads, workFolder);
    log(streamLine(sample));
    samples.push(sample);
  };
  for (const each of CASES) await measure(each, bytes, 1);
  const asService = Math.max(1, Math.min(4, availableParallelism() - 1));
  if (asService > 1) for (const each of CASES.slice(2, 5)) await measure(each, bytes, asService);
  if (large)
    for (const each of CASES.filter(({ name }) => /kept|1 masked|, 10 masked$/.test(name)))
      await measure({ ...each, name: `${each.name}, 10 GB` }, 10_000_000_000, asService);
  return { samples, peers: await measurePeers(workFolder, log) };
}

export function streamsReport({ samples, peers }: StreamResults): string {
  const overhead = samples.find(({ rows }) => rows === 0);
  const rows = samples
    .filter((sample) => sample !== overhead)
    .map((sample) => [
      sample.name,
      String(sample.threads),
      mega(sample.bytesIn / sample.seconds),
      mega(perCore(sample, overhead)),
      sample.target === undefined ? '' : String(sample.target),
      mega(sample.bytesIn / sample.mainThreadSeconds),
      mega(sample.peakMemoryBytes),
    ]);
  const header = ['stream', 'threads', 'MB/s', 'MB per CPU second', 'target', 'of it the reading thread', 'memory, MB'];
  const one = samples.find(({ name }) => name === 'PostgreSQL, 1 masked');
  const ours = one === undefined ? Number.NaN : perCore(one, overhead);
  const peerRows = peers.map(({ tool, bytes, cpuSeconds, seconds }) => [
    tool,
    mega(bytes / seconds),
    mega(bytes / cpuSeconds),
    (ours / (bytes / cpuSeconds)).toFixed(2),
  ]);
  return [
    `### Masking a stream of ${mega(samples[1]?.bytesIn ?? 0)} MB, rows of 20 columns and ${meanRow(one)} bytes`,
    markdownTable(header, rows),
    `MB per CPU second are those of all threads together, without what making the stream costs (${mega(overhead === undefined ? 0 : overhead.bytesIn / overhead.cpuSeconds)} MB per CPU second).`,
    '### One column by other means',
    markdownTable(['program', 'MB/s', 'MB per CPU second', 'Holdfast, 1 masked ×'], peerRows),
  ].join('\n\n');
}

async function measureStream(each: Case, bytes: number, threads: number, workFolder: string): Promise<StreamSample> {
  const { name, dialect, masked, isWatched = true, target } = each;
  const job: StreamJob = { dialect, bytes, masked, threads, isWatched };
  const program = fileURLToPath(new URL('./variants-stream-process.ts', import.meta.url));
  const { peakMemoryBytes } = await measureCommand(
    {
      program: process.execPath,
      // As the launcher starts Holdfast.
      commandLine: ['--max-semi-space-size=4', program, JSON.stringify(job)],
      environment: { MALLOC_ARENA_MAX: '2', NODE_COMPILE_CACHE: join(workFolder, 'compile-cache') },
    },
    workFolder,
  );
  const outcome = JSON.parse(readFileSync(join(workFolder, 'output.log'), 'utf8')) as StreamOutcome;
  return { name, threads, ...outcome, peakMemoryBytes, ...(target === undefined ? {} : { target }) };
}

function perCore(sample: StreamSample, overhead: StreamSample | undefined): number {
  const making = overhead === undefined ? 0 : (overhead.cpuSeconds / overhead.bytesIn) * sample.bytesIn;
  return sample.bytesIn / (sample.cpuSeconds - making);
}

async function measurePeers(workFolder: string, log: (line: string) => void): Promise<StreamPeer[]> {
  const file = join(workFolder, 'customers.sql');
  const descriptor = openSync(file, 'w');
  for (const chunk of customerDump('postgresql', PEER_BYTES)) writeSync(descriptor, chunk);
  closeSync(descriptor);
  const email = CUSTOMER_COLUMNS.indexOf('email') + 1;
  const programs: { tool: string; command: Command }[] = [
    { tool: 'sed, a constant', command: shell(`LC_ALL=C sed -E 's/^([0-9]+\\t)[^\\t]*/\\1x@x.example/' "$0"`, file) },
    {
      tool: 'awk, a constant',
      command: shell(`LC_ALL=C awk -F'\\t' -v OFS='\\t' 'NF > 9 { $${email} = "x@x.example" } 1' "$0"`, file),
    },
    { tool: 'Python, HMAC-SHA-256', command: shell(`python3 -c '${PYTHON}' <"$0"`, file) },
  ];
  const peers: StreamPeer[] = [];
  for (const { tool, command } of programs) {
    if (spawnSync('which', [tool === 'Python, HMAC-SHA-256' ? 'python3' : (tool.split(',')[0] ?? '')]).status !== 0) {
      log(`${tool}: not installed, left out`);
      continue;
    }
    const { seconds, cpuSeconds } = await measureCommand(command, workFolder);
    peers.push({ tool, bytes: PEER_BYTES, seconds, cpuSeconds });
    log(`${tool}: ${mega(PEER_BYTES / cpuSeconds)} MB per CPU second`);
  }
  rmSync(file);
  return peers;
}

const PYTHON = `
import sys, hmac
for line in sys.stdin.buffer:
    fields = line.split(b"\\t")
    if len(fields) == 20:
        fields[1] = hmac.digest(b"key", fields[1], "sha256").hex().encode()
        line = b"\\t".join(fields)
    sys.stdout.buffer.write(line)
`;

function shell(script: string, file: string): Command {
  return { program: 'bash', commandLine: ['-c', `${script} >/dev/null`, file], environment: {} };
}

function streamLine({ name, threads, bytesIn, seconds, cpuSeconds, peakMemoryBytes }: StreamSample): string {
  return `${name}, ${threads} thread(s): ${mega(bytesIn / seconds)} MB/s, ${mega(bytesIn / cpuSeconds)} MB per CPU second, ${mega(peakMemoryBytes)} MB`;
}

function meanRow(sample: StreamSample | undefined): string {
  return sample === undefined ? '?' : (sample.bytesIn / sample.rows).toFixed(0);
}

function mega(value: number): string {
  return (value / 1e6).toFixed(0);
}
