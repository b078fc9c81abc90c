import { spawn, spawnSync } from 'node:child_process';
import { existsSync, openSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

export interface Command {
  program: string;
  commandLine: readonly string[];
  environment: Readonly<Record<string, string>>;
  /** Working folder; default: this process's. */
  folder?: string;
  /** What it writes to its standard output is what it makes, which nobody wants. */
  discardsOutput?: boolean;
}

export interface Measurement {
  seconds: number;
  /** User and system time of all threads and children. */
  cpuSeconds: number;
  /** The most memory that was resident at once, bytes; of the largest process, where there are several. */
  peakMemoryBytes: number;
}

const GNU_TIME = '/usr/bin/time';

/**
 * Runs a command to its end after everything written before has reached the disk, and measures it. Its output goes to a
 * log file; a failure throws with the end of it.
 *
 * @param folder for the log and GNU time's file
 */
export async function measureCommand(command: Command, folder: string): Promise<Measurement> {
  const log = join(folder, 'output.log');
  const timeFile = join(folder, 'time.txt');
  rmSync(log, { force: true });
  spawnSync('sync');
  const began = performance.now();
  const viaTime = existsSync(GNU_TIME);
  const output = openSync(log, 'w');
  const child = spawn(
    viaTime ? GNU_TIME : command.program,
    viaTime ? ['-f', '%M %U %S', '-o', timeFile, command.program, ...command.commandLine] : [...command.commandLine],
    {
      env: { ...process.env, ...command.environment },
      cwd: command.folder,
      stdio: ['ignore', command.discardsOutput ? 'ignore' : output, output],
    },
  );
  const watch = viaTime ? undefined : watchMemory(child.pid);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', resolve);
  });
  const seconds = (performance.now() - began) / 1000;
  if (code !== 0) {
    const end = readFileSync(log, 'utf8').slice(-2000);
    throw new Error(`${[command.program, ...command.commandLine].join(' ')} ended with ${code}:\n${end}`);
  }
  if (watch !== undefined) return { seconds, ...watch.stop() };
  const [kibibytes, user, system] = readFileSync(timeFile, 'utf8').trim().split(' ').map(Number) as [
    number,
    number,
    number,
  ];
  return { seconds, cpuSeconds: user + system, peakMemoryBytes: kibibytes * 1024 };
}

/** For systems without GNU time: the kernel's high-water mark of the one process, read until it ends. CPU time is not known. */
function watchMemory(processId: number | undefined): { stop(): { cpuSeconds: number; peakMemoryBytes: number } } {
  let peak = 0;
  const timer = setInterval(() => {
    const status = `/proc/${processId}/status`;
    if (!existsSync(status)) return;
    const mark = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(status, 'utf8'));
    if (mark !== null) peak = Math.max(peak, Number(mark[1]) * 1024);
  }, 50);
  return {
    stop() {
      clearInterval(timer);
      return { cpuSeconds: Number.NaN, peakMemoryBytes: peak };
    },
  };
}
