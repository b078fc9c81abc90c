import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { HoldfastError } from '../../core/errors.ts';
import type { DatabaseJob, JobFailure, JobResults, MessageFromProcess } from './database-job.ts';

/** Progress of one job; pages. */
export type JobProgress = Omit<Extract<MessageFromProcess, { kind: 'progress' }>, 'kind'>;

export interface ProcessPlaces {
  /** Where SQLite may put what does not fit into memory. */
  temporaryFolder?: string;
  /** A file or folder that the process removes should the service die. */
  unfinished?: string;
}

/**
 * A process of its own opens databases, for three reasons. SQLite's locks belong to a process, and closing any descriptor of a
 * file ends all locks that the process has on it: reading a database here could take away those of another backup. SQLite's
 * calls block for as long as a check of the whole database takes. And a process can be stopped in the midst of one.
 */
export class DatabaseProcess {
  readonly #child: ChildProcess;
  readonly #signal: AbortSignal;
  readonly #stop = (): void => void this.#child.kill('SIGKILL');
  readonly #ended: Promise<void>;
  #lastJob: Promise<unknown> = Promise.resolve();
  #complaints = '';

  constructor(signal: AbortSignal, { temporaryFolder, unfinished }: ProcessPlaces = {}) {
    this.#signal = signal;
    this.#child = fork(WORKER, unfinished === undefined ? [] : [unfinished], {
      // Neither a debugger's port, a test runner's hooks nor the service's secrets are any business of this process.
      execArgv: [],
      env: temporaryFolder === undefined ? {} : { SQLITE_TMPDIR: temporaryFolder },
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#complaints = `${this.#complaints}${text}`.slice(-COMPLAINTS_KEPT);
    });
    // Errors of starting it come to the job that waits for it.
    this.#child.on('error', () => undefined);
    this.#ended = new Promise((resolve) => {
      this.#child.once('close', () => resolve());
      this.#child.once('error', () => resolve());
    });
    signal.addEventListener('abort', this.#stop);
    if (signal.aborted) this.#stop();
  }

  /** Runs a job when those before it are done. @throws the job's HoldfastError; `database-process-ended` (unavailable) */
  async run<Kind extends DatabaseJob['kind']>(
    job: Extract<DatabaseJob, { kind: Kind }>,
    report: (progress: JobProgress) => void = () => undefined,
  ): Promise<JobResults[Kind]> {
    // What the process says does not name the job that it is about.
    const done = this.#lastJob.then(() => this.#run(job, report));
    this.#lastJob = done.catch(() => undefined);
    return done;
  }

  #run<Kind extends DatabaseJob['kind']>(
    job: Extract<DatabaseJob, { kind: Kind }>,
    report: (progress: JobProgress) => void,
  ): Promise<JobResults[Kind]> {
    const child = this.#child;
    return new Promise<JobResults[Kind]>((resolve, reject) => {
      const settle = (act: () => void): void => {
        child.off('message', take).off('close', end).off('error', end);
        act();
      };
      const end = (): void =>
        settle(() => reject(this.#signal.aborted ? this.#signal.reason : processEnded(this.#complaints)));
      const take = (message: unknown): void => {
        // Only our own module talks on this channel.
        const told = message as MessageFromProcess;
        if (told.kind === 'progress') report(told);
        else if (told.kind === 'failed') settle(() => reject(toError(told.error)));
        else settle(() => resolve(told.result as JobResults[Kind]));
      };
      child.on('message', take).once('close', end).once('error', end);
      if (!child.connected) end();
      else child.send(job, (error) => error !== null && end());
    });
  }

  /** Resolves when the process is gone, and with it every lock that it had. */
  async close(): Promise<void> {
    this.#signal.removeEventListener('abort', this.#stop);
    this.#stop();
    await this.#ended;
  }
}

const WORKER = fileURLToPath(new URL('./database-worker.ts', import.meta.url));
const COMPLAINTS_KEPT = 2000;

function toError({ message, kind, code, details }: JobFailure): Error {
  if (kind !== undefined && code !== undefined)
    return new HoldfastError(kind, code, message, details === undefined ? {} : { details });
  return Object.assign(new Error(message), code === undefined ? {} : { code });
}

function processEnded(complaints: string): HoldfastError {
  const said = complaints.trim() === '' ? '' : ` It said: ${complaints.trim()}`;
  return new HoldfastError(
    'unavailable',
    'database-process-ended',
    `The process that reads databases ended by itself; perhaps the machine is out of memory. Try again.${said}`,
  );
}
