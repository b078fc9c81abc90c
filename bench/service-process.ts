import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort } from '../test/free-port.ts';

const START_LIMIT_MILLISECONDS = 30_000;
/** USER_HZ, which is 100 on every Linux that Node.js runs on. */
const TICKS_PER_SECOND = 100;
const main = join(dirname(dirname(fileURLToPath(import.meta.url))), 'bin', 'holdfast.js');

/** The real service on a data folder and a free port of loopback. */
export class ServiceProcess {
  readonly url: string;
  readonly #child: ChildProcess;
  readonly #exited: Promise<number | null>;

  private constructor(url: string, child: ChildProcess) {
    this.url = url;
    this.#child = child;
    this.#exited = new Promise((resolve) => child.once('exit', resolve));
  }

  /** Resolves when the service answers. Its output goes to a log beside the data folder. */
  static async start(dataFolder: string, environment: Readonly<Record<string, string>> = {}): Promise<ServiceProcess> {
    const port = await freePort();
    const log = `${dataFolder}.log`;
    const output = openSync(log, 'a');
    // Settings of memory as `npm start` gives them.
    const words = ['--max-semi-space-size=4', main, '--data', dataFolder, 'serve', '--port', String(port)];
    const child = spawn(process.execPath, words, {
      stdio: ['ignore', output, output],
      env: { ...process.env, MALLOC_ARENA_MAX: '2', ...environment },
    });
    closeSync(output);
    const service = new ServiceProcess(`http://127.0.0.1:${port}`, child);
    if (await service.#answers()) return service;
    await service.stop();
    throw new Error(`The service did not start:\n${readFileSync(log, 'utf8').slice(-2000)}`);
  }

  /** The most memory that was resident at once since the start, bytes. */
  peakMemoryBytes(): number {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, 'utf8');
    return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1]) * 1024;
  }

  /** User and system time since the start, of all its threads and of child processes that have ended. */
  cpuSeconds(): number {
    const fields = readFileSync(`/proc/${this.#child.pid}/stat`, 'utf8')
      .replace(/^.*\) /, '')
      .split(' ');
    const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
    return ticks / TICKS_PER_SECOND;
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGTERM');
    await this.#exited;
  }

  async #answers(): Promise<boolean> {
    const until = performance.now() + START_LIMIT_MILLISECONDS;
    while (performance.now() < until && this.#child.exitCode === null) {
      const healthy = await fetch(`${this.url}/health`).then(
        (response) => response.ok,
        () => false,
      );
      if (healthy) return true;
      await delay(50);
    }
    return false;
  }
}
