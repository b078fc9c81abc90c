import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { firstLine } from './first-line.ts';

const MAIN = fileURLToPath(new URL('../bin/holdfast.js', import.meta.url));
const COMPILED = fileURLToPath(new URL('../node_modules/.cache/compiled', import.meta.url));

/** The service as a process of its own, on a free port. */
export class Service {
  readonly #child: ChildProcess;
  readonly #url: string;

  private constructor(child: ChildProcess, url: string) {
    this.#child = child;
    this.#url = url;
  }

  /** @param words further words of the command line @throws Error with what the service said, where it does not start */
  static async start(data: string, words: readonly string[] = []): Promise<Service> {
    const child = spawnHoldfast(['serve', '--data', data, '--port', '0', '--json', ...words]);
    const { url } = JSON.parse(await firstLine(child)) as { url: string };
    return new Service(child, url);
  }

  get url(): string {
    return this.#url;
  }

  async call(method: string, route: string, body?: string): Promise<Record<string, unknown>> {
    const headers = body === undefined ? {} : { 'content-type': 'application/json' };
    const response = await fetch(`${this.#url}${route}`, { method, headers, ...(body === undefined ? {} : { body }) });
    const answer = (await response.json()) as Record<string, unknown>;
    assert.ok(response.ok, JSON.stringify(answer));
    return answer;
  }

  /** Bytes to a resource, as a stream. */
  async upload(resourceId: string, bytes: Uint8Array): Promise<Record<string, unknown>> {
    const response = await fetch(`${this.#url}/resources/${resourceId}/backups`, {
      method: 'PUT',
      headers: { 'content-type': 'application/octet-stream' },
      body: bytes,
    });
    const answer = (await response.json()) as Record<string, unknown>;
    assert.ok(response.ok, JSON.stringify(answer));
    return answer;
  }

  async content(backupId: string): Promise<Buffer> {
    const response = await fetch(`${this.#url}/backups/${backupId}/content`);
    assert.equal(response.status, 200, backupId);
    return Buffer.from(await response.arrayBuffer());
  }

  async end(signal: NodeJS.Signals): Promise<void> {
    const ended = once(this.#child, 'exit');
    this.#child.kill(signal);
    await ended;
  }
}

/** What a start says that does not succeed. */
export async function failing(data: string): Promise<string> {
  const child = spawnHoldfast(['serve', '--data', data, '--port', '0', '--json']);
  let said = '';
  child.stderr?.on('data', (bytes: Buffer) => {
    said += bytes;
  });
  const [code] = (await once(child, 'close')) as [number];
  assert.notEqual(code, 0);
  return said;
}

/** The program with these words, and nothing of this process's own settings. */
export function spawnHoldfast(words: readonly string[]): ChildProcess {
  const foreign = Object.entries(process.env).filter(([name]) => !/^(HOLDFAST_|PORT$|HOST$|NODE_TEST)/.test(name));
  return spawn(process.execPath, [MAIN, ...words], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...Object.fromEntries(foreign), NODE_COMPILE_CACHE: COMPILED, HOLDFAST_LOG_LEVEL: 'error' },
  });
}
