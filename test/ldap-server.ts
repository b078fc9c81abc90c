import { type ChildProcess, execFile } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { freePort } from './free-port.ts';
import { findProgram, skipUnless, skipWithout } from './installed-programs.ts';
import { spawnServer } from './spawned-server.ts';

const run = promisify(execFile);
const MODULES = '/usr/lib/ldap';
const SCHEMAS = '/etc/ldap/schema';

export const SLAPD_SKIP_REASON =
  skipWithout({ slapd: 'slapd', openssl: 'openssl' }) ||
  skipUnless(existsSync(SCHEMAS), SCHEMAS, 'apt-get install slapd');

/** A private slapd in a temporary folder, on free ports of loopback, with a certificate of its own authority for `localhost`. */
export class LdapServer {
  static readonly base = 'dc=example,dc=org';
  static readonly admin = { dn: 'cn=admin,dc=example,dc=org', password: 'directory-admin' };

  readonly folder: string;
  readonly port: number;
  readonly securePort: number;
  #child: ChildProcess | undefined;

  private constructor(folder: string, port: number, securePort: number) {
    this.folder = folder;
    this.port = port;
    this.securePort = securePort;
  }

  /** @param entries LDIF below `base` */
  static async start(entries: string): Promise<LdapServer> {
    const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-ldap-'));
    const server = new LdapServer(folder, await freePort(), await freePort());
    await makeCertificates(folder);
    await mkdir(path.join(folder, 'data'), { mode: 0o700 });
    await writeFile(path.join(folder, 'slapd.conf'), server.#configuration());
    const ldif = path.join(folder, 'entries.ldif');
    await writeFile(
      ldif,
      `dn: ${LdapServer.base}\nobjectClass: dcObject\nobjectClass: organization\no: Example\n\n${entries}`,
    );
    await run(findProgram('slapadd') ?? '', ['-f', path.join(folder, 'slapd.conf'), '-l', ldif]);
    await server.resume();
    return server;
  }

  /** Of the authority that signed the server's certificate. */
  get authorityFile(): string {
    return path.join(this.folder, 'authority.pem');
  }

  get url(): string {
    return `ldap://localhost:${this.port}`;
  }

  get secureUrl(): string {
    return `ldaps://localhost:${this.securePort}`;
  }

  /** Starts it again after `stop`. */
  async resume(): Promise<void> {
    const urls = `ldap://127.0.0.1:${this.port}/ ldaps://127.0.0.1:${this.securePort}/`;
    const words = ['-f', path.join(this.folder, 'slapd.conf'), '-h', urls, '-d', '0'];
    const child = spawnServer(findProgram('slapd') ?? '', words, { stdio: 'ignore' });
    this.#child = child;
    for (let attempt = 0; attempt < 600; attempt++) {
      if (child.exitCode !== null) throw new Error(`slapd ended with ${child.exitCode}`);
      if ((await answers(this.port)) && (await answers(this.securePort))) return;
      await delay(50);
    }
    throw new Error('slapd does not answer');
  }

  async stop(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
  }

  async remove(): Promise<void> {
    await this.stop();
    await rm(this.folder, { recursive: true, force: true });
  }

  #configuration(): string {
    const file = (name: string) => path.join(this.folder, name);
    return [
      ...['core', 'cosine', 'inetorgperson'].map((schema) => `include ${SCHEMAS}/${schema}.schema`),
      `modulepath ${MODULES}`,
      'moduleload back_mdb',
      `pidfile ${file('slapd.pid')}`,
      `TLSCertificateFile ${file('server.pem')}`,
      `TLSCertificateKeyFile ${file('server.key')}`,
      `TLSCACertificateFile ${file('authority.pem')}`,
      // As many directories do: who gives no password is let in as nobody.
      'allow bind_anon_cred',
      'database mdb',
      'maxsize 10485760',
      `suffix "${LdapServer.base}"`,
      `rootdn "${LdapServer.admin.dn}"`,
      `rootpw ${LdapServer.admin.password}`,
      `directory ${file('data')}`,
      'access to attrs=userPassword by anonymous auth by * none',
      'access to * by users read by anonymous read',
      '',
    ].join('\n');
  }
}

async function makeCertificates(folder: string): Promise<void> {
  const openssl = (...words: string[]) => run('openssl', words, { cwd: folder });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  await openssl(
    'req',
    '-x509',
    ...key,
    '-keyout',
    'authority.key',
    '-out',
    'authority.pem',
    '-subj',
    '/CN=Test',
    '-days',
    '2',
  );
  await openssl('req', ...key, '-keyout', 'server.key', '-out', 'server.csr', '-subj', '/CN=localhost');
  await writeFile(path.join(folder, 'names.cnf'), 'subjectAltName=DNS:localhost');
  await openssl(
    ...['x509', '-req', '-in', 'server.csr', '-CA', 'authority.pem', '-CAkey', 'authority.key', '-CAcreateserial'],
    ...['-days', '2', '-extfile', 'names.cnf', '-out', 'server.pem'],
  );
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('close', () => socket.destroy());
    socket.once('connect', () => socket.end());
  });
}
