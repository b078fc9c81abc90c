import { type ChildProcess, spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

export interface HookProcessEnd {
  /** null where a signal ended it. */
  exitCode: number | null;
  signal: NodeJS.Signals | null;
  /** The last bytes of what it wrote to standard error, as text. */
  stderr: string;
  /** Why it was ended from here, if it was. */
  stopped?: 'timed-out' | 'aborted';
}

const STDERR_KEPT = 16 * 1024;
/** From the request to end until those who did not are killed, milliseconds. */
const PATIENCE = 5000;
/** For what is still in the pipe when the command has ended; a program that it left behind may hold the pipe open for ever. */
const LAST_OUTPUT_MILLISECONDS = 500;

/**
 * Runs a command without a shell, in a process group of its own, and waits for its end. Where its time is over or `signal` aborts,
 * the whole group is ended, by force after five seconds. What a command that ended by itself left running, stays.
 *
 * @throws the system's error where it cannot be started
 */
export async function runHookProcess(
  [program, ...args]: readonly [string, ...string[]],
  options: { environment: NodeJS.ProcessEnv; timeoutSeconds: number; signal: AbortSignal },
): Promise<HookProcessEnd> {
  options.signal.throwIfAborted();
  const child = spawn(program, args, {
    env: options.environment,
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  });
  const stderr = lastOutput(child);
  const exit = new Promise<Pick<HookProcessEnd, 'exitCode' | 'signal'>>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (exitCode, signal) => resolve({ exitCode, signal }));
  });
  const stopping = new GroupEnd(child);
  const timer = setTimeout(() => stopping.begin('timed-out'), options.timeoutSeconds * 1000);
  const abort = (): void => stopping.begin('aborted');
  options.signal.addEventListener('abort', abort, { once: true });
  try {
    const end = await exit;
    const { why } = stopping;
    if (why !== undefined) await stopping.complete();
    return { ...end, stderr: await stderr(), ...(why === undefined ? {} : { stopped: why }) };
  } finally {
    clearTimeout(timer);
    options.signal.removeEventListener('abort', abort);
    child.stderr?.destroy();
  }
}

/** Ends a process group: asks first, then kills. */
class GroupEnd {
  why: 'timed-out' | 'aborted' | undefined;
  readonly #child: ChildProcess;
  #timer: NodeJS.Timeout | undefined;
  #deadline = 0;

  constructor(child: ChildProcess) {
    this.#child = child;
  }

  begin(why: 'timed-out' | 'aborted'): void {
    if (this.why !== undefined || this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.why = why;
    this.#deadline = performance.now() + PATIENCE;
    this.#kill('SIGTERM');
    this.#timer = setTimeout(() => this.#kill('SIGKILL'), PATIENCE);
  }

  /** The command itself has ended; those that it started get what is left of their time. */
  async complete(): Promise<void> {
    while (this.#kill(0) && performance.now() < this.#deadline) await sleep(20);
    clearTimeout(this.#timer);
    this.#kill('SIGKILL');
  }

  /** @returns false where nobody is left */
  #kill(signal: NodeJS.Signals | 0): boolean {
    if (this.#child.pid === undefined) return false;
    try {
      process.kill(-this.#child.pid, signal);
      return true;
    } catch {
      return false;
    }
  }
}

/** Reads standard error to its end, keeps little of it. */
function lastOutput({ stderr }: ChildProcess): () => Promise<string> {
  let kept = Buffer.alloc(0);
  stderr?.on('data', (bytes: Buffer) => {
    kept = Buffer.concat([kept, bytes]).subarray(-STDERR_KEPT);
  });
  stderr?.on('error', () => undefined);
  const ended = new Promise<void>((resolve) => stderr?.once('close', resolve));
  return async () => {
    const enough = new AbortController();
    const patience = sleep(LAST_OUTPUT_MILLISECONDS, undefined, { signal: enough.signal }).catch(() => undefined);
    await Promise.race([ended, patience]);
    enough.abort();
    return kept.toString('utf8');
  };
}
