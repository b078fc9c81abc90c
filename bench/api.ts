import { execFile } from 'node:child_process';
import { Agent } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { fillAndMeasureCatalogue, type LookupLatencies } from './catalogue-filling.ts';
import { backupRequest, largeDocument } from './data/documents.ts';
import { type Answer, exchangeSuccessfully } from './http-exchange.ts';
import { type Latencies, summarise } from './latencies.ts';
import { markdownTable } from './markdown-table.ts';
import type { PostingRequest, PostingResult } from './posting-clients.ts';
import { ServiceProcess } from './service-process.ts';

export interface ApiPlan {
  workFolder: string;
  quick: boolean;
  log: (line: string) => void;
}

export interface ApiMeasurements {
  posting: { backupsBefore: number; result: PostingResult; peakMemoryBytes: number }[];
  catalogue: { backups: number; lookups: LookupLatencies };
  requests: Record<'list' | 'listOfResource' | 'pointInTime', Latencies>;
  largeDocument: { bytes: number; job: string; seconds: number; peakMemoryBytes: number }[];
}

const CLIENTS = 32;
const DOCUMENT_BYTES = 10_000;
const REPETITIONS = 200;

/** Measures the service over HTTP on loopback: small documents under load, a large catalogue, one very large document. */
export async function measureApi(plan: ApiPlan): Promise<ApiMeasurements> {
  const dataFolder = join(plan.workFolder, 'service');
  // One service for all of it: a start may compare the catalogue with the repository, and the filled-in rows have no snapshots.
  const underLoad = await withService(dataFolder, (service) => measureUnderLoad(service, dataFolder, plan));
  const documentBytes = plan.quick ? 10_000_000 : 100_000_000;
  return { ...underLoad, largeDocument: await measureLargeDocument(`${dataFolder}-large`, documentBytes, plan.log) };
}

async function measureUnderLoad(
  service: ServiceProcess,
  dataFolder: string,
  plan: ApiPlan,
): Promise<Omit<ApiMeasurements, 'largeDocument'>> {
  const seconds = plan.quick ? 3 : 15;
  const backups = plan.quick ? 10_000 : 100_000;
  const posting: ApiMeasurements['posting'] = [];
  const post = async (backupsBefore: number) => {
    const result = await postDocuments({ url: service.url, clients: CLIENTS, seconds, documentBytes: DOCUMENT_BYTES });
    posting.push({ backupsBefore, result, peakMemoryBytes: service.peakMemoryBytes() });
    const { rate, p50, p99 } = result;
    plan.log(
      `${backupsBefore} backups before: ${rate.toFixed(0)} documents/s, p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms`,
    );
  };
  await post(0);
  plan.log(`filling the catalogue to ${backups} backups …`);
  const lookups = await fillAndMeasureCatalogue(dataFolder, backups);
  const requests = await measureRequests(service.url);
  await post(backups);
  return { posting, catalogue: { backups, lookups }, requests };
}

export function apiReport(measurements: ApiMeasurements): string {
  const { posting, catalogue, requests, largeDocument } = measurements;
  const number = (value: number, digits = 1) => value.toFixed(digits);
  const megabytes = (bytes: number) => (bytes / 1e6).toFixed(0);
  const latencyRow = (label: string, { p50, p99, most }: Latencies) => [
    label,
    number(p50, 2),
    number(p99, 2),
    number(most, 2),
  ];
  return [
    `### ${CLIENTS} clients post documents of 10 KB`,
    markdownTable(
      ['backups in the catalogue before', 'documents/s', 'p50 ms', 'p99 ms', 'failed', 'peak memory MB'],
      posting.map(({ backupsBefore, result, peakMemoryBytes }) => [
        backupsBefore.toLocaleString('en'),
        number(result.rate, 0),
        number(result.p50),
        number(result.p99),
        String(Object.values(result.failures).reduce((sum, count) => sum + count, 0)),
        megabytes(peakMemoryBytes),
      ]),
    ),
    `### Look-ups among ${catalogue.backups.toLocaleString('en')} backups, ms`,
    markdownTable(
      ['look-up', 'p50', 'p99', 'most'],
      [
        latencyRow('catalogue: newest 50', catalogue.lookups.page),
        latencyRow('catalogue: newest 50 of a resource', catalogue.lookups.pageOfResource),
        latencyRow('catalogue: latest of a resource', catalogue.lookups.latest),
        latencyRow('catalogue: point in time', catalogue.lookups.atOrBefore),
        latencyRow('GET /backups (round trip)', requests.list),
        latencyRow('GET /backups?resourceId= (round trip)', requests.listOfResource),
        latencyRow('POST /restore/point-in-time (round trip, 10 KB restored)', requests.pointInTime),
      ],
    ),
    '### One large document',
    markdownTable(
      ['job', 'MB', 'seconds', 'peak memory MB'],
      largeDocument.map(({ job, bytes, seconds, peakMemoryBytes }) => [
        job,
        megabytes(bytes),
        number(seconds, 2),
        megabytes(peakMemoryBytes),
      ]),
    ),
  ].join('\n\n');
}

async function withService<Result>(
  dataFolder: string,
  use: (service: ServiceProcess) => Promise<Result>,
): Promise<Result> {
  const service = await ServiceProcess.start(dataFolder);
  try {
    return await use(service);
  } finally {
    await service.stop();
  }
}

async function postDocuments(request: PostingRequest): Promise<PostingResult> {
  const program = fileURLToPath(new URL('./posting-clients.ts', import.meta.url));
  const { stdout } = await promisify(execFile)(process.execPath, [program, JSON.stringify(request)]);
  return JSON.parse(stdout) as PostingResult;
}

async function measureRequests(url: string): Promise<ApiMeasurements['requests']> {
  const agent = new Agent({ keepAlive: true });
  const repeat = async (action: (index: number) => Promise<Answer>) => {
    const milliseconds: number[] = [];
    for (let index = 0; index < REPETITIONS; index++) milliseconds.push((await action(index)).milliseconds);
    return summarise(milliseconds);
  };
  const timestamp = new Date().toISOString();
  const restore = (index: number) =>
    JSON.stringify({
      resourceId: `client-${index % CLIENTS}`,
      timestamp,
      targetResourceId: 'measured',
      createdBy: 'bench',
    });
  try {
    return {
      list: await repeat(() => exchangeSuccessfully(agent, 'GET', `${url}/backups`)),
      listOfResource: await repeat((index) =>
        exchangeSuccessfully(agent, 'GET', `${url}/backups?resourceId=filled-${index}`),
      ),
      pointInTime: await repeat((index) =>
        exchangeSuccessfully(agent, 'POST', `${url}/restore/point-in-time`, restore(index)),
      ),
    };
  } finally {
    agent.destroy();
  }
}

/** Each job meets a service that was just started, so that its peak memory is its own. */
async function measureLargeDocument(
  dataFolder: string,
  bytes: number,
  log: (line: string) => void,
): Promise<ApiMeasurements['largeDocument']> {
  const rows: ApiMeasurements['largeDocument'] = [];
  const agent = new Agent();
  const measure = (job: string, path: string, body: string) =>
    withService(dataFolder, async (service) => {
      const answer = await exchangeSuccessfully(agent, 'POST', `${service.url}${path}`, body);
      const row = { job, bytes, seconds: answer.milliseconds / 1000, peakMemoryBytes: service.peakMemoryBytes() };
      rows.push(row);
      log(`${job}: ${row.seconds.toFixed(2)} s, ${(row.peakMemoryBytes / 1e6).toFixed(0)} MB`);
      return answer.body;
    });
  const edited = largeDocument(bytes, 1, true);
  const backupIdOf = (answer: Buffer) => (JSON.parse(answer.toString()) as { id: string }).id;
  await measure('full backup', '/backups', backupRequest('large', 'full', largeDocument(bytes, 1, false)));
  const backupId = backupIdOf(
    await measure('incremental backup, 1 % changed', '/backups', backupRequest('large', 'incremental', edited)),
  );
  const restore = JSON.stringify({ backupId, targetResourceId: 'restored', createdBy: 'bench', validate: true });
  const restored = await measure('restore of the incremental', '/restore', restore);
  // Equal records in equal order: the canonical text that was posted must come back byte for byte.
  if (!restored.includes(edited)) throw new Error('The large document was not restored as it was posted.');
  return rows;
}
