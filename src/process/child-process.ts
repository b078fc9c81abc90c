import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { Socket } from 'node:net';
import { Readable, type Stream, type Writable } from 'node:stream';
import type { ServerAccount } from './server-account.ts';

export interface ChildEnd {
  /** null where a signal ended it. */
  exitCode: number | null;
  signal: NodeJS.Signals | null;
  /** The last 64 KiB of what it wrote to standard error. */
  stderr: string;
  /** The first 64 KiB of what it wrote to its descriptor 4, where `reports` was asked for. */
  reports: string;
}

export interface RunningChild {
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** Resolves when the process is gone, whatever way; rejects where it could not be started. */
  readonly ended: Promise<ChildEnd>;
  /** Ends it and those it started; resolves when they are gone. */
  stop(): Promise<void>;
}

export interface ChildOptions {
  /** All that it gets: nothing of this process's environment comes by itself. */
  environment: NodeJS.ProcessEnv;
  signal: AbortSignal;
  /** Where it works; default: where this process does. */
  folder?: string;
  /** Whom it runs as; default: as this process. Only root may choose. */
  account?: ServerAccount | undefined;
  /** A secret that it reads from its descriptor 3, where neither its arguments nor its environment show it. */
  secret?: string;
  /** Where its output goes in place of `stdout`. */
  output?: Socket;
  /** Whether it writes reports for programs to its descriptor 4. */
  reports?: boolean;
  /** What to tell where it cannot be started. */
  notStarted(cause: unknown): Error;
}

const TEXT_KEPT = 64 * 1024;
/** From the request to end until it is killed, milliseconds. */
const PATIENCE = 5000;

/** What programs may have of this process's environment: how to find others, where to put files; no secret of anybody. */
export function plainEnvironment(): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => INHERITED.has(name));
  return { ...Object.fromEntries(inherited), LC_ALL: 'C' };
}

const INHERITED = new Set(['PATH', 'TMPDIR', 'TZ', 'LD_LIBRARY_PATH']);

/** Starts a program without a shell, in a process group of its own. An abort ends it. */
export function startChild(program: string, args: readonly string[], options: ChildOptions): RunningChild {
  const { environment, signal, folder, account, secret, output, reports: reporting = false, notStarted } = options;
  signal.throwIfAborted();
  const child = spawn(program, args, {
    env: environment,
    ...(folder === undefined ? {} : { cwd: folder }),
    stdio: ['pipe', output ?? 'pipe', 'pipe', secret === undefined ? 'ignore' : 'pipe', reporting ? 'pipe' : 'ignore'],
    detached: true,
    ...account,
  }) as ChildProcessWithoutNullStreams;
  const stdout: Readable = output === undefined ? child.stdout : Readable.from([]);
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-TEXT_KEPT);
  });
  let reports = '';
  const [, , , secrets, reportPipe]: (Stream | null | undefined)[] = child.stdio;
  reportPipe?.on('data', (bytes: Buffer) => {
    if (reports.length < TEXT_KEPT) reports += bytes.toString('utf8');
  });
  // Who reads or writes these learns of faults by the process's end, which says more than a broken pipe.
  for (const pipe of [child.stdin, secrets, reportPipe]) pipe?.on('error', () => undefined);
  if (secrets instanceof Socket) secrets.resume().end(secret ?? '');
  const kill = (how: NodeJS.Signals): void => {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    try {
      process.kill(-child.pid, how);
    } catch {
      // It is gone already.
    }
  };
  let timer: NodeJS.Timeout | undefined;
  const ended = new Promise<ChildEnd>((resolve, reject) => {
    child.once('error', (cause) => reject(notStarted(cause)));
    child.once('close', (exitCode, signalCode) => resolve({ exitCode, signal: signalCode, stderr, reports }));
  }).finally(() => {
    clearTimeout(timer);
    signal.removeEventListener('abort', stopSoon);
  });
  ended.catch(() => undefined);
  const stopSoon = (): void => {
    // A process has not ended for Node.js before all that it wrote was read.
    stdout.resume();
    if (child.exitCode !== null || child.signalCode !== null) return;
    kill('SIGTERM');
    timer ??= setTimeout(() => kill('SIGKILL'), PATIENCE);
  };
  signal.addEventListener('abort', stopSoon, { once: true });
  const stop = async (): Promise<void> => {
    stopSoon();
    await ended.catch(() => undefined);
  };
  return { stdin: child.stdin, stdout, ended, stop };
}
