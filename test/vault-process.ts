import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { z } from 'zod';
import { GoServer } from './go-server.ts';
import { spawnServer } from './spawned-server.ts';

const vault = new GoServer('vault');

export const SKIP_WITHOUT_VAULT = await vault.skip();

const started = z.object({ url: z.string(), token: z.string() });

/** HashiCorp's own Vault (`test/vault`), in memory, with AppRole and key/value stores of both versions at `secret` and `old`. */
export class VaultProcess {
  readonly url: string;
  readonly #rootToken: string;
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess, { url, token }: z.infer<typeof started>) {
    this.#child = child;
    this.url = url;
    this.#rootToken = token;
  }

  static async start(): Promise<VaultProcess> {
    const child = spawnServer(vault.program, [], { stdio: ['pipe', 'pipe', 'inherit'] });
    if (child.stdout === null) throw new Error('Vault has no output');
    const [line] = await once(createInterface(child.stdout), 'line');
    const server = new VaultProcess(child, started.parse(JSON.parse(line)));
    await server.ask('POST', 'sys/auth/approle', { type: 'approle' });
    await server.ask('POST', 'sys/mounts/secret', { type: 'kv', options: { version: '2' } });
    await server.ask('POST', 'sys/mounts/old', { type: 'kv', options: { version: '1' } });
    return server;
  }

  /** As root. @returns the answer's JSON; undefined where there is none */
  async ask(method: string, path: string, body?: object, headers: Record<string, string> = {}): Promise<unknown> {
    const response = await fetch(`${this.url}/v1/${path}`, {
      method,
      headers: { 'X-Vault-Token': this.#rootToken, ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
    return text === '' ? undefined : JSON.parse(text);
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const ended = once(this.#child, 'exit');
    this.#child.stdin?.end();
    await ended;
  }
}
