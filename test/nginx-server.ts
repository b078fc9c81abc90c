import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { certificate } from './certificate.ts';
import { freePort } from './free-port.ts';
import { findProgram, skipWithout } from './installed-programs.ts';
import { spawnServer } from './spawned-server.ts';

const PROGRAM = findProgram('nginx');

export const NGINX_SKIP_REASON = skipWithout({ nginx: 'nginx-light' });

/** The ways in which an nginx before Holdfast speaks to it, each on a port of its own. */
export type ProxyKind = 'http10' | 'http11' | 'unbuffered' | 'http2';

const UPSTREAMS: Readonly<Record<ProxyKind, string>> = {
  // What nginx did before 1.29.7 without being told.
  http10: 'proxy_http_version 1.0;',
  http11: 'proxy_http_version 1.1; proxy_set_header Connection "";',
  unbuffered: 'proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;',
  // To its client, with TLS.
  http2: 'proxy_http_version 1.0;',
};

/** A private nginx in a temporary folder, before a service on a port of this machine. */
export class NginxServer {
  readonly #child: ChildProcess;
  readonly #folder: string;
  readonly #ports: Readonly<Record<ProxyKind, number>>;

  private constructor(child: ChildProcess, folder: string, ports: Readonly<Record<ProxyKind, number>>) {
    this.#child = child;
    this.#folder = folder;
    this.#ports = ports;
  }

  static async before(upstream: string): Promise<NginxServer> {
    const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-nginx-'));
    const ports = {
      ...{ http10: await freePort(), http11: await freePort() },
      ...{ unbuffered: await freePort(), http2: await freePort() },
    };
    certificate(folder);
    const file = path.join(folder, 'nginx.conf');
    await writeFile(file, configuration(folder, upstream, ports));
    const child = spawnServer(PROGRAM ?? '', ['-p', folder, '-c', file, '-e', path.join(folder, 'error.log')], {
      stdio: 'ignore',
    });
    const server = new NginxServer(child, folder, ports);
    try {
      for (const port of Object.values(ports)) await listening(port);
      return server;
    } catch (error) {
      await server.close();
      throw error;
    }
  }

  /** Of `https` with a self-signed certificate for HTTP/2. */
  url(kind: ProxyKind): string {
    return `${kind === 'http2' ? 'https' : 'http'}://127.0.0.1:${this.#ports[kind]}`;
  }

  async close(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const ended = once(this.#child, 'exit');
      this.#child.kill('SIGTERM');
      await ended;
    }
    await rm(this.#folder, { recursive: true, force: true });
  }
}

function configuration(folder: string, upstream: string, ports: Readonly<Record<ProxyKind, number>>): string {
  const servers = Object.entries(ports).map(
    ([kind, port]) => `server {
    listen 127.0.0.1:${port}${kind === 'http2' ? ' ssl http2' : ''};
    ${kind === 'http2' ? `ssl_certificate ${folder}/certificate.pem; ssl_certificate_key ${folder}/key.pem;` : ''}
    location / { proxy_pass ${upstream}; proxy_set_header Host $http_host; ${UPSTREAMS[kind as ProxyKind]} }
  }`,
  );
  const places = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${folder}/${name};`,
  );
  return `daemon off;
${process.getuid?.() === 0 ? 'user root;' : ''}
worker_processes 1;
pid ${folder}/pid;
error_log ${folder}/error.log;
events { worker_connections 256; }
http {
  access_log off;
  ${places.join('\n  ')}
  ${servers.join('\n  ')}
}
`;
}

async function listening(port: number): Promise<void> {
  for (let attempt = 0; attempt < 300; attempt++) {
    const socket = connect(port, '127.0.0.1');
    const isOpen = await new Promise<boolean>((resolve) =>
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false)),
    );
    socket.destroy();
    if (isOpen) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`nginx does not listen on port ${port}`);
}
