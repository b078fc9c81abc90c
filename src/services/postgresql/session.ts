import pg from 'pg';
import { HoldfastError, messageOf, systemErrorCode } from '../../core/errors.ts';
import { ReadingSocket } from '../../process/reading-socket.ts';
import type { Connection } from './connection.ts';
import { RowCopy } from './row-copy.ts';

/** One open connection to one database, for one query at a time. */
export class Session {
  readonly #client: pg.Client;
  readonly #connection: Connection;
  readonly #database: string;
  readonly #rowsAhead: number | undefined;
  #closed = false;
  /** With what the server ended the connection while nothing was asked. */
  #lost: pg.DatabaseError | undefined;

  private constructor(client: pg.Client, connection: Connection, database: string, rowsAhead: number | undefined) {
    this.#client = client;
    this.#connection = connection;
    this.#database = database;
    this.#rowsAhead = rowsAhead;
  }

  /**
   * @param rowsAhead bytes that `copyRows` may read before somebody takes them, where much will be read by it
   * @throws HoldfastError `postgresql-login-refused`, `postgresql-database-missing`, `postgresql-unreachable` …
   */
  static async open(
    connection: Connection,
    database: string,
    signal?: AbortSignal,
    { rowsAhead }: { rowsAhead?: number } = {},
  ): Promise<Session> {
    signal?.throwIfAborted();
    const options = await connection.clientOptions(database);
    const client = new pg.Client(
      rowsAhead !== undefined && options.ssl === false
        ? // What is taken is given back when all of it is taken, and as much may have come meanwhile.
          { ...options, stream: () => new ReadingSocket(2 * rowsAhead) }
        : options,
    );
    const session = new Session(client, connection, database, rowsAhead);
    // A connection that is lost between two queries is told by the next one; without a listener it would end the process.
    client.on('error', (error) => {
      if (error instanceof pg.DatabaseError) session.#lost ??= error;
    });
    try {
      await connect(client, signal);
      const stop = () => void session.close();
      signal?.addEventListener('abort', stop, { once: true });
      client.once('end', () => signal?.removeEventListener('abort', stop));
      await client.query(SETTINGS);
    } catch (error) {
      await session.close();
      signal?.throwIfAborted();
      throw queryFailure(error, connection, database);
    }
    return session;
  }

  async rows<Row extends object>(text: string, values: readonly unknown[] = []): Promise<Row[]> {
    try {
      return (await this.#client.query<Row>(text, [...values])).rows;
    } catch (error) {
      throw this.#failureOf(error);
    }
  }

  async row<Row extends object>(text: string, values: readonly unknown[] = []): Promise<Row> {
    const [row] = await this.rows<Row>(text, values);
    if (row !== undefined) return row;
    throw new HoldfastError('internal', 'postgresql-row-missing', 'The server gave no row where one was due.');
  }

  /** A statement without parameters, which may be one that takes none (CREATE DATABASE). */
  async run(text: string): Promise<void> {
    try {
      await this.#client.query(text);
    } catch (error) {
      throw this.#failureOf(error);
    }
  }

  /** Runs `COPY … TO STDOUT`, of which megabytes come even before somebody takes them. @param table as a failure names it */
  copyRows(text: string, table: string): RowCopy {
    const what = `Reading the rows of ${table}`;
    const failureOf = (error: unknown) => this.#failureOf(error, what);
    return this.#client.query(new RowCopy(text, this.#client.connection.stream, failureOf, this.#rowsAhead));
  }

  #failureOf(error: unknown, what?: string): HoldfastError {
    const cause = error instanceof pg.DatabaseError ? error : (this.#lost ?? error);
    return queryFailure(cause, this.#connection, this.#database, what);
  }

  /** Safe to call twice, and in the middle of a query, which then fails. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#client.end().catch(() => undefined);
  }
}

/**
 * Connects. An abort meanwhile is an error at once: `end` of a client that is still connecting would leave the promise of its
 * connection open for ever.
 */
export async function connect(client: pg.Client, signal?: AbortSignal): Promise<void> {
  const stop = () => client.connection.stream.destroy();
  signal?.throwIfAborted();
  signal?.addEventListener('abort', stop, { once: true });
  try {
    await client.connect();
    signal?.throwIfAborted();
  } finally {
    signal?.removeEventListener('abort', stop);
  }
}

export const quoted = (name: string): string => pg.escapeIdentifier(name);
export const quotedLiteral = (text: string): string => pg.escapeLiteral(text);

/** Limits that roles or databases set for their users must not end a long dump; names must not depend on a search path; what nobody waits for any more (a count, a backup's checkpoint with its slot) must end within a second or two. */
const SETTINGS = `SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET row_security = off;
  SET search_path = pg_catalog; SELECT set_config(name, '1s', false) FROM pg_settings
  WHERE name = 'client_connection_check_interval' AND version() LIKE '%linux%';
  SELECT set_config(name, '0', false) FROM pg_settings WHERE name IN ('transaction_timeout', 'idle_session_timeout')`;

/** What a failed query means to the one who asked for a backup. */
export function queryFailure(
  error: unknown,
  connection: Connection,
  database: string,
  what = 'A query',
): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const state = error instanceof pg.DatabaseError ? (error.code ?? '') : '';
  const said = connection.withoutSecret(messageOf(error)).trim() || (systemErrorCode(error) ?? 'no answer');
  const make = (kind: HoldfastError['kind'], code: string, message: string) =>
    new HoldfastError(kind, code, message, { details: { database, ...(state === '' ? {} : { sqlState: state }) } });
  if (/^28|^0P/.test(state) || said.includes('client password must be'))
    return make('denied', 'postgresql-login-refused', loginMessage(connection, said));
  if (state === '3D000')
    return make(
      'not-found',
      'postgresql-database-missing',
      `There is no database "${database}" on ${connection.place}. Correct the name, or take it out of the resource's \`databases\`.`,
    );
  if (state === '42501')
    return make(
      'denied',
      'postgresql-not-permitted',
      `The role "${connection.user}" may not do this in "${database}": ${said}. docs/postgresql.md lists the GRANTs it needs.`,
    );
  if (state === '55006')
    return make('conflict', 'postgresql-database-in-use', `${said}. End its connections and restore again.`);
  if (state === '55P03')
    return make('unavailable', 'postgresql-locked', `${said} (in "${database}"). Try when nobody locks that table.`);
  if (said.includes('conflict with recovery'))
    return make('unavailable', 'postgresql-standby-conflict', conflictMessage(database, said));
  if (state === '53300' || state.startsWith('57P') || state.startsWith('08') || state === '')
    return make(
      'unavailable',
      'postgresql-unreachable',
      `The connection to "${database}" on ${connection.place} failed or was lost: ${said}. See whether the server runs, and listens there.`,
    );
  return make('internal', 'postgresql-query-failed', `${what} in "${database}" failed (${state}): ${said}.`);
}

export function conflictMessage(database: string, said: string): string {
  return `The standby went on with its primary's log and ended what was read of "${database}" meanwhile: ${said}. Raise its \`max_standby_streaming_delay\`, or set \`hot_standby_feedback = on\`, and try again; or back up the primary.`;
}

export function loginMessage(connection: Pick<Connection, 'user' | 'place'>, said: string): string {
  return `The server ${connection.place} refused the role "${connection.user}": ${said}. Check \`user\`, what \`password\` refers to, and the server's pg_hba.conf.`;
}
