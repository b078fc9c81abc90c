import { type ChildProcess, spawn } from 'node:child_process';
import { open } from 'node:fs/promises';
import { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { ServerAccount } from './server-account.ts';

/** Until a server that should stop is killed. */
const PATIENCE_MILLISECONDS = 30_000;

/** A server that ends when this process ends, however that happens. */
export interface KeptServer {
  readonly hasEnded: boolean;
  /** @param how `fast`: by SIGINT, which leaves its data consistent on the disk; `immediate`: by the signal that it was started with */
  stop(how: 'fast' | 'immediate'): Promise<void>;
}

export interface KeptServerOptions {
  /** Where it works. */
  folder: string;
  /** The file that has what it says. */
  log: string;
  account: ServerAccount | undefined;
  environment: NodeJS.ProcessEnv;
  /** What ends it at once. */
  end: 'QUIT' | 'KILL';
  /** Gets the other end of what the server and its commands have as descriptor 4. */
  attend?: (channel: Duplex) => void;
}

/**
 * The shell between this process and the server reads signals to hand on from its standard input. Its end, which comes when this
 * process dies even of SIGKILL, stops the server at once. It is told so again and again, because a server that has only just been
 * started does not listen yet.
 */
const KEEPER = `end=$1
shift
exec 3<&0
"$@" </dev/null 3<&- &
server=$!
{ cd /
  while read -r signal; do kill "-$signal" "$server"; done
  tries=0
  while kill "-$end" "$server"; do
    tries=$((tries + 1))
    [ "$tries" -lt 50 ] || kill -KILL "$server"
    sleep 0.2
  done
} <&3 2>/dev/null &
keeper=$!
exec 3<&-
wait "$server"
status=$?
kill "$keeper" 2>/dev/null
exit "$status"`;

export async function startKeptServer(
  program: string,
  args: readonly string[],
  { folder, log, account, environment, end, attend }: KeptServerOptions,
): Promise<KeptServer> {
  const output = await open(log, 'a', 0o600);
  try {
    const child = spawn('/bin/sh', ['-c', KEEPER, 'keeper', end, program, ...args], {
      cwd: folder,
      env: environment,
      // The third is the keeper's own.
      stdio: ['pipe', output.fd, output.fd, 'ignore', attend === undefined ? 'ignore' : 'pipe'],
      detached: true,
      ...account,
    });
    const channel = child.stdio[4];
    if (channel instanceof Socket) attend?.(channel);
    return watch(child);
  } finally {
    await output.close();
  }
}

function watch(child: ChildProcess): KeptServer {
  let hasEnded = false;
  const ended = new Promise<void>((resolve) => {
    const end = () => {
      hasEnded = true;
      resolve();
    };
    child.once('exit', end).once('error', end);
  });
  // What is said to a server that has gone needs no answer.
  child.stdin?.on('error', () => undefined);
  return {
    get hasEnded() {
      return hasEnded;
    },
    async stop(how) {
      if (how === 'fast') child.stdin?.write('INT\n');
      else child.stdin?.end();
      const kill = setTimeout(() => {
        if (child.pid !== undefined && !hasEnded) process.kill(-child.pid, 'SIGKILL');
      }, PATIENCE_MILLISECONDS);
      await ended;
      clearTimeout(kill);
      child.stdin?.end();
      const channel = child.stdio[4];
      if (channel instanceof Socket) channel.destroy();
    },
  };
}
