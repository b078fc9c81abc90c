import pg from 'pg';
import type { Connection } from '../postgresql/connection.ts';
import { connect } from '../postgresql/session.ts';
import { connectionLost, replicationFailure } from './capture-failure.ts';
import { formatLsn, type Lsn, lastOf, parseLsn } from './wal-position.ts';

/** What the server says of itself on a replication connection (`IDENTIFY_SYSTEM`). */
export interface SystemIdentity {
  systemIdentifier: string;
  timeline: number;
  /** How far its WAL is flushed. */
  position: Lsn;
}

/** What comes in while WAL is streamed. */
export interface StreamListener {
  /** WAL from `start`; the bytes are valid during the call only. */
  onWal(start: Lsn, bytes: Buffer, serverEnd: Lsn): void;
  onKeepalive(serverEnd: Lsn, isReplyWanted: boolean): void;
}

/** Why a stream ended well: the timeline goes no further, and which one follows. */
export interface TimelineSwitch {
  timeline: number;
  start: Lsn;
}

/** For commands that a server answers at once. */
const ANSWER_LIMIT = { query_timeout: 30_000 };
const WAL = 0x77;
const KEEPALIVE = 0x6b;
const STATUS = 0x72;
const WAL_HEADER_BYTES = 25;
const STATUS_BYTES = 34;
/** Of PostgreSQL's clock, which begins with the year 2000, in milliseconds of Unix time. */
const CLOCK_START = 946_684_800_000;

/**
 * A connection that speaks the streaming replication protocol
 * (https://www.postgresql.org/docs/current/protocol-replication.html): physical replication of the WAL.
 */
export class ReplicationConnection {
  readonly #client: pg.Client;
  readonly #connection: Connection;
  #stream: WalStream | undefined;

  private constructor(client: pg.Client, connection: Connection) {
    this.#client = client;
    this.#connection = connection;
  }

  /** @throws HoldfastError saying which right or setting is missing */
  static async open(
    connection: Connection,
    applicationName: string,
    signal: AbortSignal,
  ): Promise<ReplicationConnection> {
    signal.throwIfAborted();
    const options = {
      ...(await connection.clientOptions(connection.database)),
      application_name: applicationName,
      replication: 'true',
    };
    const client = new pg.Client(options);
    const opened = new ReplicationConnection(client, connection);
    // Told by what runs on the connection; without a listener it would end the process.
    client.on('error', () => undefined);
    try {
      await connect(client, signal);
    } catch (error) {
      await opened.close();
      throw replicationFailure(error, connection);
    }
    return opened;
  }

  async identify(): Promise<SystemIdentity> {
    const row = await this.#row<{ systemid: string; timeline: string | number; xlogpos: string }>('IDENTIFY_SYSTEM');
    return {
      systemIdentifier: String(row.systemid),
      timeline: Number(row.timeline),
      position: parseLsn(String(row.xlogpos)),
    };
  }

  /** The content of a timeline's history file. */
  async timelineHistory(timeline: number): Promise<string> {
    return (await this.#row<{ content: string }>(`TIMELINE_HISTORY ${timeline}`)).content;
  }

  /**
   * Streams WAL until the timeline ends.
   * @throws HoldfastError `wal-segment-removed` (not-found): the server has it no longer; `postgresql-unreachable` …
   */
  async stream(
    from: { slot: string; timeline: number; start: Lsn },
    listener: StreamListener,
  ): Promise<TimelineSwitch> {
    const command = `START_REPLICATION SLOT "${from.slot}" PHYSICAL ${formatLsn(from.start)} TIMELINE ${from.timeline}`;
    const stream = new WalStream(command, listener);
    this.#stream = stream;
    try {
      this.#client.query(stream);
      return await stream.end;
    } catch (error) {
      throw replicationFailure(error, this.#connection);
    } finally {
      this.#stream = undefined;
    }
  }

  /** Tells how far the WAL is durable. @param wantsReply asks for a sign of life */
  sendStatus(flushed: Lsn, wantsReply: boolean): void {
    const message = Buffer.alloc(STATUS_BYTES);
    message[0] = STATUS;
    // Written, flushed, applied: what is not durable here is worth nothing, whatever level the server waits for.
    for (const offset of [1, 9, 17]) message.writeBigUInt64BE(flushed, offset);
    message.writeBigInt64BE(BigInt(Math.max(0, Date.now() - CLOCK_START)) * 1000n, 25);
    message[33] = wantsReply ? 1 : 0;
    this.#stream?.send(message);
  }

  /** While paused, the server's bytes wait in the sockets of both sides. */
  pause(): void {
    this.#client.connection.stream.pause();
  }

  resume(): void {
    this.#client.connection.stream.resume();
  }

  /** Safe to call twice; a stream under way then fails. */
  async close(): Promise<void> {
    // What was sent last shall arrive: `end` breaks a connection off where a command is under way.
    if (this.#stream !== undefined) await this.#drained();
    await this.#client.end().catch(() => undefined);
  }

  #drained(): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, 1000);
      this.#client.connection.stream.write(Buffer.alloc(0), () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }

  async #row<Row extends pg.QueryResultRow>(text: string): Promise<Row> {
    // A history file comes as `bytea` in the form of text, which is no `bytea` in the form of text.
    const types = { getTypeParser: () => (value: string) => value };
    try {
      const [row] = (await this.#client.query<Row>({ text, types, ...ANSWER_LIMIT })).rows;
      if (row !== undefined) return row;
    } catch (error) {
      throw replicationFailure(error, this.#connection);
    }
    throw connectionLost(this.#connection, `no answer to ${text}`);
  }
}

/** What pg's own classes have and its types do not name. */
interface CopyConnection extends pg.Connection {
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
}

/** One START_REPLICATION command as pg runs commands that are not simply queries: it calls the methods named `handle…`. */
class WalStream implements pg.Submittable {
  readonly end: Promise<TimelineSwitch>;
  readonly #command: string;
  readonly #listener: StreamListener;
  readonly #outcome = Promise.withResolvers<TimelineSwitch>();
  #connection: CopyConnection | undefined;
  #isCopying = false;
  #next: TimelineSwitch | undefined;

  constructor(command: string, listener: StreamListener) {
    this.#command = command;
    this.#listener = listener;
    this.end = this.#outcome.promise;
  }

  submit(connection: pg.Connection): void {
    this.#connection = connection as CopyConnection;
    connection.once('replicationStart', () => {
      this.#isCopying = true;
    });
    connection.once('copyDone', () => {
      this.#isCopying = false;
      this.#connection?.endCopyFrom();
    });
    connection.query(this.#command);
  }

  send(message: Buffer): void {
    if (this.#isCopying) this.#connection?.sendCopyFromChunk(message);
  }

  handleCopyData({ chunk }: { chunk: Buffer }): void {
    try {
      if (chunk[0] === WAL)
        this.#listener.onWal(
          chunk.readBigUInt64BE(1),
          chunk.subarray(WAL_HEADER_BYTES),
          lastOf(chunk.readBigUInt64BE(9), chunk.readBigUInt64BE(1) + BigInt(chunk.length - WAL_HEADER_BYTES)),
        );
      else if (chunk[0] === KEEPALIVE) this.#listener.onKeepalive(chunk.readBigUInt64BE(1), chunk[17] === 1);
    } catch (error) {
      this.#outcome.reject(error);
    }
  }

  handleRowDescription(): void {
    // The two columns are known.
  }

  /** After a timeline's end: which one follows, and where it begins. */
  handleDataRow({ fields }: { fields: readonly (string | null)[] }): void {
    this.#next = { timeline: Number(fields[0]), start: parseLsn(fields[1] ?? '') };
  }

  handleCommandComplete(): void {
    // The server says so without a next timeline when it shuts down.
    if (this.#next === undefined) this.#outcome.reject(new Error('the server ended the stream: it shuts down'));
  }

  handleReadyForQuery(): void {
    if (this.#next !== undefined) this.#outcome.resolve(this.#next);
    else this.#outcome.reject(new Error('the server ended the stream without saying why'));
  }

  handleError(error: Error): void {
    this.#outcome.reject(error);
  }
}
