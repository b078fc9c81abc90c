import { rmSync } from 'node:fs';
import { HoldfastError, messageOf, systemErrorCode } from '../../core/errors.ts';
import { inspectDatabase } from './database-facts.ts';
import { DatabaseFollower } from './database-follower.ts';
import type { DatabaseJob, JobFailure, JobResults, MessageFromProcess } from './database-job.ts';
import { queryValue } from './database-query.ts';
import { copyDatabase } from './online-copy.ts';
import { probeDatabase } from './probe-database.ts';
import { lookAtTarget, replaceTarget } from './target-replacement.ts';

/**
 * The process that opens databases; see `DatabaseProcess`. It does one job at a time, as it is told.
 *
 * node database-worker.ts [FILE OR FOLDER to remove should the service die]
 */
const [, , unfinished] = process.argv;
const follower = new DatabaseFollower();
let lastReport = 0;

function tell(message: MessageFromProcess): void {
  // A service that died while this process was inside of SQLite shows here first: its end of the channel is gone.
  if (process.connected) process.send?.(message, (error) => error !== null && end());
}

function report(phase: string, done: number, total: number): void {
  // Should the service have died without a word, nothing unfinished must stay; copying gives way here.
  if (!process.connected) end();
  const now = performance.now();
  if (done > 0 && now - lastReport < REPORT_EVERY) return;
  lastReport = now;
  tell({ kind: 'progress', phase, done, total });
}

async function run(job: DatabaseJob): Promise<JobResults[keyof JobResults]> {
  switch (job.kind) {
    case 'copy':
      return copyDatabase(job, report);
    case 'inspect':
      return { ...inspectDatabase(job.path, job.checks, report), journalMode: '', snapshotAt: '' };
    case 'probe':
      return probeDatabase(job);
    case 'look':
      return lookAtTarget(job.target);
    case 'replace':
      return replaceTarget(job);
    case 'follow':
      return follower.look(job);
    case 'let-go':
      follower.close();
      return null;
    case 'query':
      return { value: queryValue(job.path, job.sql) };
  }
}

function end(): never {
  follower.close();
  if (unfinished !== undefined) rmSync(unfinished, { recursive: true, force: true });
  process.exit(0);
}

function toFailure(error: unknown): JobFailure {
  if (error instanceof HoldfastError) {
    const { message, kind, code, details } = error;
    return { message, kind, code, details };
  }
  const code = systemErrorCode(error);
  return { message: messageOf(error), ...(code === undefined ? {} : { code }) };
}

process.on('message', (job: DatabaseJob) => {
  run(job).then(
    (result) => tell({ kind: 'done', result }),
    (error: unknown) => tell({ kind: 'failed', error: toFailure(error) }),
  );
});
// It outlives a service that was killed just long enough to remove what that left unfinished.
process.on('disconnect', end);

/** milliseconds */
const REPORT_EVERY = 100;
