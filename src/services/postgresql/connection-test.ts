import { statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { formatBytes } from '../../core/byte-count.ts';
import { CheckList } from '../../core/check-list.ts';
import { HoldfastError, messageOf } from '../../core/errors.ts';
import type { ConnectionCheck, ConnectionTestContext } from '../../core/ports/connection-check.ts';
import { findClientTools } from './client-tools.ts';
import { type PostgresqlConfiguration, parsePostgresqlConfiguration } from './configuration.ts';
import type { Connection, ResolveSecret } from './connection.ts';
import { listDatabases, READ_ALL_SINCE, readServerVersion, requireKnownVersion } from './database-facts.ts';
import { testDatabase } from './database-test.ts';
import { adviceFor, checkReach, checkSecrets } from './reach.ts';
import { replicationReadiness } from './replication-readiness.ts';
import { quoted, Session } from './session.ts';

/** Databases that are looked into; the names of all are checked. */
const MOST_DATABASES = 50;

/** What a logical backup needs, from the name of the server to each table. */
export async function testPostgresql(
  { configuration: given, signal }: ConnectionTestContext,
  resolveSecret: ResolveSecret,
): Promise<readonly ConnectionCheck[]> {
  const list = new CheckList(signal);
  const configuration = parsePostgresqlConfiguration(given);
  const connection = await list.attempt('secrets', () => checkSecrets(configuration.connection, resolveSecret, list));
  if (connection === undefined) return list.checks;
  const isReached = await list.attempt('server', () => checkReach(connection, list, signal));
  if (isReached !== true) return list.checks;
  const session = await list.attempt('login', () => logIn(connection, configuration, list, signal));
  if (session === undefined) return list.checks;
  try {
    await new ServerTest(connection, configuration, session, list, signal).run();
  } finally {
    await session.close();
  }
  return list.checks;
}

/** In the first database that lets the role in: a missing one must not hide all else. */
async function logIn(
  connection: Connection,
  { databases }: PostgresqlConfiguration,
  list: CheckList,
  signal: AbortSignal,
): Promise<Session | undefined> {
  const candidates = [...new Set([...(databases === 'all' ? [] : databases.slice(0, 5)), connection.database])];
  let failure: unknown;
  for (const database of candidates) {
    try {
      const session = await Session.open(connection, database, signal);
      const how = connection.tlsMode === 'disable' ? 'without TLS' : `with TLS (${connection.tlsMode})`;
      list.ok('login', `The server lets "${connection.user}" in, ${how}.`);
      return session;
    } catch (error) {
      signal.throwIfAborted();
      failure ??= error;
      if (!isOfDatabase(error)) break;
    }
  }
  const advice =
    adviceFor(messageOf(failure)) ?? (isOfDatabase(failure) ? grantConnect(candidates, connection) : undefined);
  list.failed('login', messageOf(failure), advice);
  return undefined;
}

/** Missing, or without CONNECT: another one may let the role in. */
function isOfDatabase(error: unknown): boolean {
  return (
    error instanceof HoldfastError && ['postgresql-database-missing', 'postgresql-not-permitted'].includes(error.code)
  );
}

function grantConnect(databases: readonly string[], { user }: Connection): string {
  return databases.map((name) => `GRANT CONNECT ON DATABASE ${quoted(name)} TO ${quoted(user)};`).join(' ');
}

class ServerTest {
  readonly #connection: Connection;
  readonly #configuration: PostgresqlConfiguration;
  readonly #session: Session;
  readonly #list: CheckList;
  readonly #signal: AbortSignal;

  constructor(
    connection: Connection,
    configuration: PostgresqlConfiguration,
    session: Session,
    list: CheckList,
    signal: AbortSignal,
  ) {
    this.#connection = connection;
    this.#configuration = configuration;
    this.#session = session;
    this.#list = list;
    this.#signal = signal;
  }

  async run(): Promise<void> {
    const list = this.#list;
    await list.attempt('version', () => this.#versions());
    const names = (await list.attempt('databases', () => this.#databases())) ?? [];
    for (const name of names.slice(0, MOST_DATABASES))
      await list.attempt(`database ${name}`, () =>
        testDatabase({ name, connection: this.#connection, configuration: this.#configuration, list }, this.#signal),
      );
    if (names.length > MOST_DATABASES)
      list.skipped('databases', `${names.length - MOST_DATABASES} databases more were not looked into.`);
    if (this.#configuration.globals) await list.attempt('globals', () => this.#globals());
    await list.attempt('restore right', () => this.#restoreRight());
    await list.attempt('temporary space', () => this.#temporarySpace(names));
    await list.attempt('physical', () => this.#physical());
  }

  async #versions(): Promise<void> {
    const server = await readServerVersion(this.#session);
    const { version, major } = server;
    requireKnownVersion(server);
    this.#list.ok('version', `The server is PostgreSQL ${version}.`);
    await this.#list.attempt('client tools', async () => {
      const tools = await findClientTools(major, this.#configuration.binaries);
      this.#list.ok('client tools', `pg_dump ${tools.version} in ${tools.folder}.`);
    });
  }

  /** @returns those that exist and let the role in */
  async #databases(): Promise<string[]> {
    const there = await listDatabases(this.#session);
    const { databases } = this.#configuration;
    const wanted = databases === 'all' ? there : [...new Set(databases)];
    const missing = wanted.filter((name) => !there.includes(name));
    if (missing.length > 0)
      this.#list.failed(
        'databases',
        `${list20(missing)} ${missing.length === 1 ? 'does not exist, or accepts' : 'do not exist, or accept'} no connections.`,
        "Correct the resource's `databases`.",
      );
    const present = wanted.filter((name) => there.includes(name));
    const closed = await this.#session.rows<{ name: string }>(
      `SELECT datname AS name FROM pg_database WHERE datname = ANY ($1) AND NOT has_database_privilege(oid, 'CONNECT') ORDER BY 1`,
      [present],
    );
    const refused = closed.map(({ name }) => name);
    if (refused.length > 0)
      this.#list.failed(
        'databases',
        `The role "${this.#connection.user}" may not connect to ${list20(refused)}.`,
        grantConnect(refused.slice(0, 20), this.#connection),
      );
    if (missing.length + refused.length === 0)
      this.#list.ok('databases', `${list20(present)}: there, and open to the role.`);
    return present.filter((name) => !refused.includes(name));
  }

  async #globals(): Promise<void> {
    const { readable } = await this.#session.row<{ readable: boolean }>(
      `SELECT has_table_privilege('pg_authid', 'SELECT') AS readable`,
    );
    if (readable || !this.#configuration.rolePasswords) {
      this.#list.ok('globals', 'Roles and tablespaces can be read.');
      return;
    }
    const { major } = await readServerVersion(this.#session);
    const canBeGranted = major >= READ_ALL_SINCE;
    this.#list.failed(
      'globals',
      `The role "${this.#connection.user}" cannot read the passwords of roles: that takes ${canBeGranted ? 'pg_read_all_data or ' : ''}a superuser.`,
      `Set \`rolePasswords: false\` to back the roles up without them, or ${canBeGranted ? 'grant it pg_read_all_data' : 'let a superuser back them up'}.`,
    );
  }

  async #restoreRight(): Promise<void> {
    const { allowed } = await this.#session.row<{ allowed: boolean }>(
      'SELECT rolcreatedb OR rolsuper AS allowed FROM pg_roles WHERE rolname = current_user',
    );
    const { user } = this.#connection;
    if (allowed) this.#list.ok('restore right', `The role "${user}" may create databases.`);
    else
      this.#list.skipped(
        'restore right',
        `The role "${user}" may not create databases. A backup needs no such right; a restore into a new database by this role would.`,
        `ALTER ROLE ${quoted(user)} CREATEDB; or restore with another \`connection\`.`,
      );
  }

  /** Backups need none; a restore with several `jobs` keeps a dump there. */
  async #temporarySpace(names: readonly string[]): Promise<void> {
    const { largest } = await this.#session.row<{ largest: string | null }>(
      'SELECT max(pg_database_size(datname)) AS largest FROM pg_database WHERE datname = ANY ($1)',
      [[...names]],
    );
    const { bavail, bsize } = await statfs(tmpdir());
    const free = bavail * bsize;
    const message = `${formatBytes(free)} are free in ${tmpdir()}; the largest database has ${formatBytes(Number(largest ?? 0))}.`;
    if (free >= Number(largest ?? 0)) this.#list.ok('temporary space', message);
    else
      this.#list.warning(
        'temporary space',
        `${message} Backups need none, but a restore with several \`jobs\` keeps a dump there.`,
        'Free some space, set TMPDIR to a larger disk, or restore with one job.',
      );
  }

  /** This service makes logical backups: what physical ones would lack is only told. */
  async #physical(): Promise<void> {
    for (const { name, outcome, message, advice } of await replicationReadiness(this.#session, this.#signal)) {
      if (outcome === 'ok') this.#list.ok(`physical: ${name}`, message);
      else this.#list.skipped(`physical: ${name}`, `${message} Logical backups do not need it.`, advice);
    }
  }
}

function list20(names: readonly string[]): string {
  const more = names.length > 20 ? ` and ${names.length - 20} more` : '';
  return `${names
    .slice(0, 20)
    .map((name) => `"${name}"`)
    .join(', ')}${more}`;
}
