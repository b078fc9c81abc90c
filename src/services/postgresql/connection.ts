import { readFile } from 'node:fs/promises';
import { checkServerIdentity } from 'node:tls';
import type { ClientConfig } from 'pg';
import { HoldfastError, messageOf } from '../../core/errors.ts';
import type { ConnectionConfiguration } from './connection-schema.ts';

/** Reads what a reference such as `env:NAME` names. */
export type ResolveSecret = (reference: string) => Promise<string>;

/** A connection whose secret was read. Only `toolEnvironment` and `clientOptions` may hand the password on. */
export class Connection {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** To connect to where no other is named. */
  readonly database: string;
  readonly #configuration: ConnectionConfiguration;
  readonly #password: string;

  constructor(configuration: ConnectionConfiguration, password: string) {
    const url = configuration.url === undefined ? null : URL.parse(configuration.url);
    this.host = configuration.socket ?? configuration.host ?? url?.hostname.replace(/^\[(.*)\]$/, '$1') ?? '';
    this.port = configuration.port ?? (url?.port ? Number(url.port) : 5432);
    this.user = configuration.user ?? decodeURIComponent(url?.username ?? '');
    const path = decodeURIComponent(url?.pathname.slice(1) ?? '');
    this.database = configuration.database ?? (path === '' ? 'postgres' : path);
    this.#configuration = configuration;
    this.#password = password;
  }

  static async open(configuration: ConnectionConfiguration, resolveSecret: ResolveSecret): Promise<Connection> {
    const { password } = configuration;
    return new Connection(configuration, password === undefined ? '' : await resolveSecret(password));
  }

  /** For a person to read; no secret. */
  get place(): string {
    return `${this.host}:${this.port}`;
  }

  /** The environment of a client tool; the password is here, never on a command line. */
  toolEnvironment(database: string): NodeJS.ProcessEnv {
    const { tls, connectTimeoutSeconds } = this.#configuration;
    return {
      ...inheritedEnvironment(),
      LC_ALL: 'C',
      PGHOST: this.host,
      PGPORT: String(this.port),
      PGUSER: this.user,
      PGDATABASE: database,
      PGPASSFILE: NO_FILE,
      PGSERVICEFILE: NO_FILE,
      ...(this.#password === '' ? {} : { PGPASSWORD: this.#password }),
      PGAPPNAME: 'holdfast',
      PGCONNECT_TIMEOUT: String(connectTimeoutSeconds),
      PGSSLMODE: this.tlsMode,
      ...(tls?.ca === undefined ? {} : { PGSSLROOTCERT: tls.ca }),
      ...(tls?.certificate === undefined ? {} : { PGSSLCERT: tls.certificate }),
      ...(tls?.key === undefined ? {} : { PGSSLKEY: tls.key }),
    };
  }

  async clientOptions(database: string): Promise<ClientConfig> {
    return {
      host: this.host,
      port: this.port,
      user: this.user,
      database,
      // A function keeps `pg` from looking at PGPASSWORD and ~/.pgpass of this process.
      password: () => this.#password,
      application_name: 'holdfast',
      connectionTimeoutMillis: this.#configuration.connectTimeoutSeconds * 1000,
      keepAlive: true,
      ssl: await this.#tlsOptions(),
    };
  }

  /** Without a choice: verified where there is a CA, encrypted to other machines, plain within this one. */
  get tlsMode(): 'disable' | 'require' | 'verify-ca' | 'verify-full' {
    const { tls } = this.#configuration;
    if (tls?.mode !== undefined) return tls.mode;
    if (tls?.ca !== undefined) return 'verify-full';
    return this.isSocket || this.isLoopback ? 'disable' : 'require';
  }

  get isSocket(): boolean {
    return this.host.startsWith('/');
  }

  /** By TCP, within this machine. */
  get isLoopback(): boolean {
    return LOOPBACK.test(this.host);
  }

  /** What a message says, without the password, should a server or tool have repeated it. */
  withoutSecret(text: string): string {
    return this.#password.length < 4 ? text : text.replaceAll(this.#password, '***');
  }

  async #tlsOptions(): Promise<ClientConfig['ssl']> {
    const mode = this.tlsMode;
    if (mode === 'disable') return false;
    const { tls } = this.#configuration;
    return {
      rejectUnauthorized: mode !== 'require',
      ...(tls?.ca === undefined ? {} : { ca: await fileOf(tls.ca) }),
      ...(tls?.certificate === undefined ? {} : { cert: await fileOf(tls.certificate) }),
      ...(tls?.key === undefined ? {} : { key: await fileOf(tls.key) }),
      checkServerIdentity: mode === 'verify-full' ? checkServerIdentity : () => undefined,
    };
  }
}

/** A name with `=` in it would be taken for a connection string. */
export function connectionText(database: string): string {
  if (/^\w+$/.test(database)) return database;
  return `dbname='${database.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

/** What a client tool gets of this process's environment: no secrets of others, nothing that begins with PG. */
export function inheritedEnvironment(): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => INHERITED.has(name)));
}

const INHERITED = new Set(['PATH', 'HOME', 'TMPDIR', 'TZ', 'LD_LIBRARY_PATH', 'KRB5CCNAME', 'KRB5_CONFIG']);
/** Passwords come by reference only, never from a file that the tools find by themselves. */
const NO_FILE = '/nonexistent';
const LOOPBACK = /^(localhost|127\.\d+\.\d+\.\d+|::1)$/;

async function fileOf(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (cause) {
    const message = `The TLS file ${file} of a connection cannot be read (${messageOf(cause)}). Correct \`tls\` or the file's permissions.`;
    throw new HoldfastError('invalid', 'postgresql-tls-file', message, { cause });
  }
}
