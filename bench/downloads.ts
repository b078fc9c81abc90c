import { execFile, execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { closeSync, mkdirSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { SKIP_REASON } from '../test/postgresql-server.ts';
import { dumpTextBlocks } from './data/dump-text.ts';
import { markdownTable } from './markdown-table.ts';
import { type Command, measureCommand } from './measured-command.ts';
import { PostgresqlCluster } from './postgresql-cluster.ts';
import { ServiceProcess } from './service-process.ts';

export interface DownloadResults {
  fileBytes: number;
  streams: readonly StreamSample[];
  crowd: CrowdSample;
  dump?: DumpSample;
}

interface StreamSample {
  tool: string;
  seconds: number;
  cpuSeconds: number;
}

interface CrowdSample {
  downloads: number;
  bytesEach: number;
  whole: number;
  seconds: number;
  peakMemoryBytes: number;
}

interface DumpSample {
  databaseBytes: number;
  downloadedBytes: number;
  firstByteSeconds: number;
  seconds: number;
}

const ROUNDS = 3;
const CROWD = 50;

/**
 * Measures downloads over HTTP from a warm local repository: one stream beside `restic dump` and `gpg -d` of the same bytes, many at
 * once, and sealed SQL of a large dump.
 */
export async function measureDownloads(options: {
  workFolder: string;
  quick: boolean;
  log: (line: string) => void;
}): Promise<DownloadResults> {
  const { workFolder, quick, log } = options;
  const fileBytes = quick ? 128 * 2 ** 20 : 2 ** 30;
  const bytesEach = quick ? 20_000_000 : 200_000_000;
  const service = await ServiceProcess.start(join(workFolder, 'downloads'));
  try {
    log('making the streams …');
    const [file, small] = [join(workFolder, 'dump.txt'), join(workFolder, 'small.txt')];
    writeDumpText(file, fileBytes);
    writeDumpText(small, bytesEach);
    upload(service.url, 'large', file);
    const streams = await measureStreams({ service, file, workFolder, log });
    return { fileBytes, streams, crowd: await measureCrowd(small, bytesEach, log), ...(await measureDump(options)) };
  } finally {
    await service.stop();
  }
}

export function downloadsReport({ fileBytes, streams, crowd, dump }: DownloadResults): string {
  const ours = streams[0];
  const rate = (seconds: number) => (fileBytes / 1e6 / seconds).toFixed(0);
  const rows = streams.map(({ tool, seconds, cpuSeconds }) => [
    tool,
    seconds.toFixed(2),
    rate(seconds),
    rate(cpuSeconds),
    ours === undefined || tool === ours.tool ? '' : (seconds / ours.seconds).toFixed(2),
  ]);
  const sections = [
    `### ${(fileBytes / 1e6).toFixed(0)} MB, downloaded`,
    markdownTable(['tool', 'seconds', 'MB/s', 'MB per CPU second', '× Holdfast'], rows),
    `${crowd.downloads} downloads of ${(crowd.bytesEach / 1e6).toFixed(0)} MB at once: ${crowd.whole} whole, ${crowd.seconds.toFixed(1)} s, at most ${(crowd.peakMemoryBytes / 1e6).toFixed(0)} MB of memory.`,
  ];
  if (dump !== undefined)
    sections.push(
      `Sealed SQL of a database of ${(dump.databaseBytes / 1e6).toFixed(0)} MB: first byte after ${dump.firstByteSeconds.toFixed(2)} s, ${(dump.downloadedBytes / 1e6).toFixed(0)} MB in ${dump.seconds.toFixed(1)} s.`,
    );
  return sections.join('\n\n');
}

function writeDumpText(file: string, bytes: number): void {
  const descriptor = openSync(file, 'w');
  for (const block of dumpTextBlocks(bytes, 7)) writeSync(descriptor, block);
  closeSync(descriptor);
}

function upload(url: string, id: string, file: string): void {
  execFileSync('curl', ['-sS', '--fail-with-body', '-o', '/dev/null', '-T', file, `${url}/resources/${id}/backups`]);
}

/** Each once for a warm cache, then in turns; the best of each counts. */
async function measureStreams(options: {
  service: ServiceProcess;
  file: string;
  workFolder: string;
  log: (line: string) => void;
}): Promise<StreamSample[]> {
  const { service, file, workFolder, log } = options;
  const download = command('curl', ['-sS', '--fail', '-o', '/dev/null', `${service.url}/download/large?variant=raw`]);
  const peers = [resticDump(file, workFolder), gpgDecrypt(file, workFolder)].filter((peer) => peer !== undefined);
  const best = new Map<string, StreamSample>();
  const keep = (sample: StreamSample): void => {
    const known = best.get(sample.tool);
    if (known === undefined || sample.seconds < known.seconds) best.set(sample.tool, sample);
  };
  for (let round = 0; round <= ROUNDS; round++) {
    log(`downloading, ${round === 0 ? 'to warm up' : `round ${round}`} …`);
    const before = service.cpuSeconds();
    const { seconds } = await measureCommand(download, workFolder);
    if (round > 0) keep({ tool: 'Holdfast, over HTTP', seconds, cpuSeconds: service.cpuSeconds() - before });
    for (const { tool, run } of peers) {
      const measured = await measureCommand(run, workFolder);
      if (round > 0) keep({ tool, seconds: measured.seconds, cpuSeconds: measured.cpuSeconds });
    }
  }
  return [...best.values()];
}

interface Peer {
  tool: string;
  run: Command;
}

function resticDump(file: string, workFolder: string): Peer | undefined {
  if (spawnSync('restic', ['version']).status !== 0) return undefined;
  const environment = {
    RESTIC_REPOSITORY: join(workFolder, 'restic'),
    RESTIC_CACHE_DIR: join(workFolder, 'restic-cache'),
    RESTIC_PASSWORD: randomBytes(12).toString('hex'),
  };
  for (const words of [
    ['init', '--repository-version', '2'],
    ['backup', file],
  ])
    execFileSync('restic', ['--quiet', ...words], { env: { ...process.env, ...environment } });
  return {
    tool: 'restic dump',
    run: { program: 'bash', commandLine: ['-c', 'restic dump --quiet latest "$0" >/dev/null', file], environment },
  };
}

function gpgDecrypt(file: string, workFolder: string): Peer | undefined {
  if (spawnSync('gpg', ['--version']).status !== 0) return undefined;
  const home = join(workFolder, 'gpg');
  mkdirSync(home, { mode: 0o700 });
  const passphrase = join(home, 'passphrase');
  writeFileSync(passphrase, randomBytes(12).toString('hex'), { mode: 0o600 });
  const words = ['--batch', '--yes', '--quiet', '--homedir', home, '--pinentry-mode', 'loopback'];
  const encrypted = join(workFolder, 'dump.gpg');
  execFileSync('gpg', [...words, '--passphrase-file', passphrase, '--output', encrypted, '--symmetric', file]);
  return {
    tool: 'gpg -d (AES-256, zlib)',
    run: command('gpg', [...words, '--passphrase-file', passphrase, '--output', '/dev/null', '--decrypt', encrypted]),
  };
}

function command(program: string, commandLine: readonly string[]): Command {
  return { program, commandLine, environment: {} };
}

async function measureCrowd(file: string, bytesEach: number, log: (line: string) => void): Promise<CrowdSample> {
  log(`${CROWD} downloads at once …`);
  const dataFolder = `${file}.service`;
  const filling = await ServiceProcess.start(dataFolder);
  try {
    upload(filling.url, 'small', file);
  } finally {
    await filling.stop();
  }
  // A new process, whose most memory is that of downloads.
  const service = await ServiceProcess.start(dataFolder);
  try {
    const expected = execFileSync('sha256sum', [file], { encoding: 'utf8' }).slice(0, 64);
    const began = performance.now();
    const sums = await Promise.all(
      Array.from({ length: CROWD }, async () => {
        const line = `set -o pipefail; curl -sS --fail '${service.url}/download/small?variant=raw' | sha256sum`;
        return (await promisify(execFile)('bash', ['-c', line])).stdout.slice(0, 64);
      }),
    );
    const seconds = (performance.now() - began) / 1000;
    const whole = sums.filter((sum) => sum === expected).length;
    return { downloads: CROWD, bytesEach, whole, seconds, peakMemoryBytes: service.peakMemoryBytes() };
  } finally {
    await service.stop();
  }
}

const timesSchema = z.object({ time_starttransfer: z.number(), time_total: z.number(), size_download: z.number() });

async function measureDump(options: {
  workFolder: string;
  quick: boolean;
  log: (line: string) => void;
}): Promise<{ dump?: DumpSample }> {
  if (SKIP_REASON !== false) return {};
  options.log('making a database …');
  const cluster = await PostgresqlCluster.start(options.quick ? 10 : 135);
  const service = await ServiceProcess.start(join(options.workFolder, 'dump'));
  try {
    const configuration = { connection: cluster.server.connection(), databases: [cluster.database] };
    await post(service.url, 'PUT', '/resources/shop', { service: 'postgresql', configuration });
    await post(service.url, 'POST', '/resources/shop/backups', {}, { prefer: 'wait=600' });
    const words = ['-sS', '--fail', '-o', '/dev/null', '-w', '%{json}', `${service.url}/download/shop?variant=raw`];
    options.log('downloading SQL …');
    const { stdout } = await promisify(execFile)('curl', words);
    const times = timesSchema.parse(JSON.parse(stdout));
    return {
      dump: {
        databaseBytes: await cluster.size(),
        downloadedBytes: times.size_download,
        firstByteSeconds: times.time_starttransfer,
        seconds: times.time_total,
      },
    };
  } finally {
    await service.stop();
    await cluster.remove();
  }
}

async function post(
  url: string,
  method: string,
  route: string,
  body: unknown,
  headers: Record<string, string> = {},
): Promise<void> {
  const answer = await fetch(`${url}${route}`, {
    method,
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
  if (!answer.ok) throw new Error(`${method} ${route} was refused: ${await answer.text()}`);
}
