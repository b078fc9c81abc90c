import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';

/** Starts a server that is told to end when this process has ended, however that came; by `remove` of its rig otherwise. */
export function spawnServer(
  program: string,
  args: readonly string[],
  options: SpawnOptions,
  account?: { uid: number; gid: number },
): ChildProcess {
  const as = account === undefined ? [] : [`--reuid=${account.uid}`, `--regid=${account.gid}`, '--clear-groups'];
  if (process.platform !== 'linux') return spawn(program, args, options);
  return spawn('setpriv', ['--pdeathsig=TERM', ...as, program, ...args], options);
}

/**
 * Lets a PostgreSQL server, whose process is nobody's child, end at once when this process has ended.
 * @returns what takes that back
 */
export function endWithThisProcess(data: string): () => void {
  // The end of its input is the end of this process. The file has the server's id as long as it runs.
  const script = 'read -r _; read -r id < "$1/postmaster.pid" && kill -QUIT "$id"';
  const watching = spawn('sh', ['-c', script, 'sh', data], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    cwd: '/',
  });
  watching.unref();
  (watching.stdin as unknown as { unref(): void }).unref();
  return () => watching.kill('SIGKILL');
}
