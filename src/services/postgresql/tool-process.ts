import { spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { HoldfastError, messageOf } from '../../core/errors.ts';

export interface ToolEnd {
  /** null where a signal ended it. */
  exitCode: number | null;
  signal: NodeJS.Signals | null;
  /** The last 64 KiB of what it wrote to standard error. */
  stderr: string;
}

export interface ToolProcess {
  readonly name: string;
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** Resolves when the process is gone, whatever way. */
  readonly ended: Promise<ToolEnd>;
  /** Ends it and those it started; resolves when they are gone. */
  stop(): Promise<void>;
}

const STDERR_KEPT = 64 * 1024;
const PATIENCE = 5000;

/** Starts a client tool in a process group of its own. An abort ends it. */
export function startTool(
  program: string,
  args: readonly string[],
  options: { environment: NodeJS.ProcessEnv; signal: AbortSignal; name: string },
): ToolProcess {
  const { environment, signal, name } = options;
  signal.throwIfAborted();
  const child = spawn(program, args, { env: environment, stdio: ['pipe', 'pipe', 'pipe'], detached: true });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-STDERR_KEPT);
  });
  // Who reads or writes these learns of faults by the process's end, which says more than a broken pipe.
  child.stdin.on('error', () => undefined);
  const kill = (how: NodeJS.Signals): void => {
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    try {
      process.kill(-child.pid, how);
    } catch {
      // It is gone already.
    }
  };
  let timer: NodeJS.Timeout | undefined;
  const ended = new Promise<ToolEnd>((resolve, reject) => {
    child.once('error', (cause) => reject(notStarted(program, cause)));
    child.once('close', (exitCode, signalCode) => resolve({ exitCode, signal: signalCode, stderr }));
  }).finally(() => {
    clearTimeout(timer);
    signal.removeEventListener('abort', stopSoon);
  });
  ended.catch(() => undefined);
  const stopSoon = (): void => {
    // A process has not ended for Node.js before all that it wrote was read.
    child.stdout.resume();
    if (child.exitCode !== null || child.signalCode !== null) return;
    kill('SIGTERM');
    timer ??= setTimeout(() => kill('SIGKILL'), PATIENCE);
  };
  signal.addEventListener('abort', stopSoon, { once: true });
  const stop = async (): Promise<void> => {
    stopSoon();
    await ended.catch(() => undefined);
  };
  return { name, stdin: child.stdin, stdout: child.stdout, ended, stop };
}

function notStarted(program: string, cause: unknown): HoldfastError {
  const message = `${program} cannot be started (${messageOf(cause)}). Install the PostgreSQL client tools (apt-get install postgresql-client), or name their folder by \`binaries\`.`;
  return new HoldfastError('unsupported', 'postgresql-tool-missing', message, { cause });
}
