import pg from 'pg';
import { HoldfastError, messageOf } from '../../core/errors.ts';
import { ReadingSocket } from '../../process/reading-socket.ts';
import type { Connection } from '../postgresql/connection.ts';
import { connect, queryFailure } from '../postgresql/session.ts';
import { type CommandMessage, StreamingCommand } from './streaming-command.ts';

/** A connection that takes replication commands (PostgreSQL documentation, 55.4), one at a time. */
export class ReplicationSession {
  readonly #client: pg.Client;
  readonly #connection: Connection;
  readonly #notices: string[] = [];
  #closed = false;

  private constructor(client: pg.Client, connection: Connection) {
    this.#client = client;
    this.#connection = connection;
  }

  /** @throws HoldfastError as `replicationFailure` makes them */
  static async open(connection: Connection, signal: AbortSignal): Promise<ReplicationSession> {
    signal.throwIfAborted();
    const options = { ...(await connection.clientOptions(connection.database)), replication: 'true' };
    const client = new pg.Client(options.ssl === false ? { ...options, stream: readingSocket } : options);
    const session = new ReplicationSession(client, connection);
    // A connection that is lost between two commands is told by the next one; without a listener it would end the process.
    client.on('error', () => undefined);
    client.on('notice', ({ severity, message = '' }) => {
      if (severity === 'WARNING' && session.#notices.length < MOST_NOTICES)
        session.#notices.push(connection.withoutSecret(message));
    });
    try {
      await connect(client, signal);
      const stop = () => void session.close();
      signal.addEventListener('abort', stop, { once: true });
      client.once('end', () => signal.removeEventListener('abort', stop));
    } catch (error) {
      await session.close();
      signal.throwIfAborted();
      throw replicationFailure(error, connection);
    }
    return session;
  }

  /** What the server has warned of since it was asked last, the first hundred. */
  takeNotices(): readonly string[] {
    return this.#notices.splice(0);
  }

  /** The first row of a command's first result set, by column. */
  async row(command: string): Promise<Readonly<Record<string, string | null>>> {
    let names: readonly string[] = [];
    let row: Record<string, string | null> | undefined;
    for await (const messages of this.messages(command))
      for (const message of messages) {
        if (message.kind === 'columns') names = message.names;
        if (message.kind === 'row')
          row ??= Object.fromEntries(message.values.map((value, index) => [names[index] ?? '', value]));
      }
    if (row !== undefined) return row;
    throw new HoldfastError('internal', 'postgresql-row-missing', 'The server gave no row where one was due.');
  }

  /** @throws HoldfastError `postgresql-setting-missing` (internal) */
  async show(setting: string): Promise<string> {
    const value = Object.values(await this.row(`SHOW ${setting}`))[0];
    if (value !== null && value !== undefined) return value;
    const message = `The server gave no value for its setting ${setting}.`;
    throw new HoldfastError('internal', 'postgresql-setting-missing', message);
  }

  /** Runs a command and gives what it answers as it comes, those messages together that came at once. */
  messages(command: string): AsyncGenerator<readonly CommandMessage[]> {
    const failureOf = (error: unknown) => replicationFailure(error, this.#connection);
    return this.#client.query(new StreamingCommand(command, failureOf)).batches();
  }

  /** Gives the server a copy stream (UPLOAD_MANIFEST). */
  async upload(command: string, content: AsyncIterable<Uint8Array>): Promise<void> {
    try {
      await this.#client.query(new CopyInCommand(command, content)).done;
    } catch (error) {
      throw replicationFailure(error, this.#connection);
    }
  }

  /** Safe to call twice, and in the middle of a command, which then fails. The server ends with the connection. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#client.end().catch(() => undefined);
  }
}

const MOST_NOTICES = 100;

/** Login and all that `pg` parses itself get copies, which are small. */
function readingSocket(): ReadingSocket {
  return new ReadingSocket();
}

/** A command that takes one copy stream and answers nothing. */
class CopyInCommand implements pg.Submittable {
  readonly done: Promise<void>;
  readonly #text: string;
  readonly #content: AsyncIterable<Uint8Array>;
  readonly #settle = Promise.withResolvers<void>();
  #failure: unknown;

  constructor(text: string, content: AsyncIterable<Uint8Array>) {
    this.#text = text;
    this.#content = content;
    this.done = this.#settle.promise;
  }

  submit(connection: pg.Connection): void {
    connection.query(this.#text);
  }

  handleCopyInResponse(connection: CopyInConnection): void {
    this.#send(connection).catch((error: unknown) => {
      this.#failure = error;
      connection.sendCopyFail('The content could not be read.');
    });
  }

  handleError(error: Error): void {
    this.#settle.reject(this.#failure ?? error);
  }

  handleReadyForQuery(): void {
    this.#settle.resolve();
  }

  handleCommandComplete(): void {
    // The server is ready for a query right after.
  }

  async #send(connection: CopyInConnection): Promise<void> {
    for await (const bytes of this.#content) {
      connection.sendCopyFromChunk(Buffer.from(bytes));
      if (connection.stream.writableNeedDrain)
        await new Promise<void>((resolve) => {
          const go = () => {
            connection.stream.off('drain', go).off('close', go);
            resolve();
          };
          connection.stream.on('drain', go).on('close', go);
        });
    }
    connection.endCopyFrom();
  }
}

/** What `pg`'s connection has for copy streams; its types leave it out. */
type CopyInConnection = pg.Connection & {
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
  sendCopyFail(message: string): void;
};

/**
 * What a refused or failed replication command means to the one who asked for a backup.
 *
 * Codes: `postgresql-replication-refused` (denied), `postgresql-no-walsender`, `postgresql-wal-level` (conflict),
 * `postgresql-wal-removed` (unavailable), `postgresql-connection-lost` (unavailable), and those of sessions
 */
export function replicationFailure(error: unknown, connection: Connection): HoldfastError {
  if (error instanceof HoldfastError) return error;
  const state = error instanceof pg.DatabaseError ? (error.code ?? '') : '';
  const said = connection.withoutSecret(messageOf(error)).trim();
  const make = (kind: HoldfastError['kind'], code: string, message: string) =>
    new HoldfastError(kind, code, message, { cause: error, details: state === '' ? {} : { sqlState: state } });
  const { user, place } = connection;
  if (state === '42501')
    return make(
      'denied',
      'postgresql-replication-refused',
      `The role "${user}" may not make a physical backup of ${place}: ${said}. Give it the right: ALTER ROLE "${user}" REPLICATION.`,
    );
  if (state.startsWith('28') && said.includes('replication connection'))
    return make(
      'denied',
      'postgresql-replication-refused',
      `The server ${place} takes no replication connection of the role "${user}": ${said}. Add a line for it to pg_hba.conf ("host replication ${user} ADDRESS scram-sha-256") and reload the server.`,
    );
  if (state === '53300' && said.includes('max_wal_senders'))
    return make(
      'conflict',
      'postgresql-no-walsender',
      `The server ${place} has no free place for a replication connection: ${said}. Raise \`max_wal_senders\` (it needs \`wal_level = replica\`) and restart the server.`,
    );
  if (said.includes('WAL level not sufficient'))
    return make(
      'conflict',
      'postgresql-wal-level',
      `The server ${place} writes too little WAL for a physical backup. Set \`wal_level = replica\` and restart the server.`,
    );
  if (state === '58P01' || said.includes('has already been removed'))
    return make(
      'unavailable',
      'postgresql-wal-removed',
      `The server ${place} removed WAL that the backup needs while it ran: ${said}. Raise \`wal_keep_size\`, or free a replication slot for the backup, and try again.`,
    );
  if (state === '' || state.startsWith('08') || state.startsWith('57P'))
    return make(
      'unavailable',
      'postgresql-connection-lost',
      `The replication connection to ${place} failed or was lost: ${said || 'no answer'}. See whether the server runs, and listens there.`,
    );
  if (state.startsWith('28')) return queryFailure(error, connection, connection.database);
  return make(
    'internal',
    'postgresql-command-failed',
    `The server ${place} refused a command (${state}): ${said.replace(/\.$/, '')}. Look at the server's log, and try again.`,
  );
}
