import { setTimeout as delay } from 'node:timers/promises';
import { randomBlocks } from './data/random-bytes.ts';
import { openEngine, recordOf } from './engine-access.ts';
import type { IndexJob, JobOutcome } from './large-index.ts';

/*
 * A process of its own for each job on a repository with a large index, so that the time and the memory are those of the job.
 * Usage: large-index-process.ts DATA-FOLDER JOB; prints one `JobOutcome` as JSON. Needs --expose-gc.
 */

const SMALL_BACKUP_BYTES = 100_000;
const SETTLING_MILLISECONDS = 300;

const [dataFolder = '', job = ''] = process.argv.slice(2);
process.stdout.write(`${JSON.stringify(await runJob(job as IndexJob))}\n`);

async function runJob(name: IndexJob): Promise<JobOutcome> {
  collectGarbage();
  const before = memoryNow();
  const began = performance.now();
  const { repository } = await openEngine(dataFolder);
  const { chunks } = name === 'open' ? await repository.statistics() : { chunks: 0 };
  const openSeconds = secondsSince(began);
  collectGarbage();
  // What buffers held is given back by a thread of its own.
  await delay(SETTLING_MILLISECONDS);
  const after = memoryNow();
  const grownBytes = after.resident - before.resident;
  const inUseBytes = after.inUse - before.inUse;
  const continued = performance.now();
  let snapshots = 0;
  if (name === 'list') snapshots = (await repository.listSnapshots()).length;
  if (name === 'backup') await backUp(repository);
  if (name === 'dry run' || name === 'collection') await repository.collect({ dryRun: name === 'dry run' });
  const seconds = secondsSince(continued);
  await repository.close();
  return { openSeconds, seconds, grownBytes, inUseBytes, chunks, snapshots };
}

async function backUp(repository: Awaited<ReturnType<typeof openEngine>>['repository']): Promise<void> {
  const writer = await repository.beginSnapshot({ encrypt: true });
  const { length, sha256, root } = await writer.writeStream(blocks());
  const made = { type: 'full', size: length, checksum: `sha256:${sha256}`, root, serviceData: {} } as const;
  await writer.commit(recordOf(writer, made));
}

async function* blocks(): AsyncGenerator<Uint8Array> {
  yield* randomBlocks(SMALL_BACKUP_BYTES, process.pid);
}

function memoryNow(): { resident: number; inUse: number } {
  const { rss, heapUsed, arrayBuffers } = process.memoryUsage();
  return { resident: rss, inUse: heapUsed + arrayBuffers };
}

function collectGarbage(): void {
  if (globalThis.gc === undefined) throw new Error('This process needs --expose-gc.');
  globalThis.gc();
}

function secondsSince(began: number): number {
  return (performance.now() - began) / 1000;
}
