import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { HoldfastError } from '../../../core/errors.ts';
import { variantFailed } from './sqlite-fault.ts';
import type { FromSqlite, SqliteJob, ToSqlite } from './sqlite-job.ts';

/** What the process says in the midst of a job; the answer, where it waits for one. */
export type Conversation = (message: FromSqlite) => ToSqlite | undefined;

type Result = Extract<FromSqlite, { kind: 'schema' | 'written' | 'scanned' }>;

/**
 * Runs one job over a database file in a process of its own. Files of which nothing is trusted are read by C code: a process can be stopped in the midst of
 * a call that takes for ever, and takes nothing along when it dies.
 * @param folder Where its files lie; it removes the folder should the service die
 * @throws HoldfastError the job's; `variant-failed` where it ended by itself or was silent for too long; the signal's reason
 */
export async function runSqliteJob(
  job: SqliteJob,
  { folder, signal, answer = () => undefined }: { folder: string; signal: AbortSignal; answer?: Conversation },
): Promise<Result> {
  signal.throwIfAborted();
  const child = fork(PROGRAM, [folder], {
    // Neither a debugger's port, a test runner's hooks nor the service's secrets are any business of this process.
    execArgv: [],
    env: { SQLITE_TMPDIR: folder, TMPDIR: folder },
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  const closed = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
    child.once('error', () => resolve());
  });
  const stop = () => void child.kill('SIGKILL');
  signal.addEventListener('abort', stop, { once: true });
  try {
    return await conversation(child, job, answer);
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', stop);
    stop();
    await closed;
  }
}

const PROGRAM = fileURLToPath(new URL('./sqlite-worker.ts', import.meta.url));
/** Until the first sign of life, seconds. */
const FIRST_PATIENCE = 300;

function conversation(child: ChildProcess, job: SqliteJob, answer: Conversation): Promise<Result> {
  return new Promise<Result>((resolve, reject) => {
    const patience = new Patience(() => reject(tooSlow()));
    const settle = (act: () => void): void => {
      patience.end();
      act();
    };
    const send = (message: ToSqlite): void => {
      if (child.connected) child.send(message, (error) => error !== null && reject(ended()));
    };
    child.once('close', () => settle(() => reject(ended())));
    child.once('error', () => settle(() => reject(ended())));
    // Only our own module talks on this channel.
    child.on('message', (message) => {
      try {
        patience.restart(FIRST_PATIENCE);
        const told = message as FromSqlite;
        if (told.kind === 'failed') {
          const { kind, code, message, details } = told.error;
          settle(() => reject(new HoldfastError(kind, code, message, { details })));
        } else if (told.kind === 'schema' || told.kind === 'written' || told.kind === 'scanned')
          settle(() => resolve(told));
        else if (told.kind === 'alive') patience.restart(told.quietSeconds);
        else {
          const said = answer(told);
          if (said !== undefined) send(said);
        }
      } catch (error) {
        settle(() => reject(error));
      }
    });
    patience.restart(FIRST_PATIENCE);
    send({ kind: 'job', job });
  });
}

class Patience {
  readonly #over: () => void;
  #timer: NodeJS.Timeout | undefined;

  constructor(over: () => void) {
    this.#over = over;
  }

  restart(seconds: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#over, seconds * 1000);
  }

  end(): void {
    clearTimeout(this.#timer);
  }
}

function ended(): HoldfastError {
  return variantFailed(
    'The process that reads the database ended by itself: the file is damaged in a way that SQLite does not bear, or the machine is out of memory. Run PRAGMA integrity_check on a restored copy.',
  );
}

function tooSlow(): HoldfastError {
  return variantFailed(
    'The variant of the database takes too long: a rule, or an expression in the definition of a table or an index, does not come to an end.',
  );
}
