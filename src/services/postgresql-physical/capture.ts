import { createHash } from 'node:crypto';
import { HoldfastError } from '../../core/errors.ts';
import type { CaptureContext } from '../../core/ports/resource-log.ts';
import type { Resource } from '../../core/resource.ts';
import { Connection, type ResolveSecret } from '../postgresql/connection.ts';
import { connectionSchema } from '../postgresql/connection-schema.ts';
import { Session } from '../postgresql/session.ts';
import { ReplicationConnection, type SystemIdentity } from './capture-connection.ts';
import { CaptureReports } from './capture-reports.ts';
import { createSlot, dropSlot, type ReplicationSlot, readServerFacts, readSlot } from './capture-slot.ts';
import { type CaptureStart, continuationOf, requireSameCluster, startOfTimeline, timelineAt } from './capture-start.ts';
import { streamTimeline } from './capture-stream.ts';
import { newFilePiece, readWalLog, supersededPieces, type WalLog } from './wal-pieces.ts';
import {
  formatLsn,
  historyName,
  type Lsn,
  lastOf,
  parseHistory,
  startOfSegment,
  type TimelineEnd,
} from './wal-position.ts';
import { slotName, slotOf, type WalConfiguration, walOf } from './wal-schema.ts';

/**
 * Follows the WAL of a resource's server until the context's signal aborts.
 *
 * @param resolveSecret reads what a reference to a password names
 */
export function captureWal(context: CaptureContext, resolveSecret: ResolveSecret): Promise<void> {
  return new Capture(context, resolveSecret).run();
}

/**
 * Drops a resource's replication slot, so that its server no longer keeps WAL for it: when the resource is deleted, or its log is
 * no longer wanted. Its capture must have ended.
 * @returns false where there was none
 */
export async function dropReplicationSlot(resource: Resource, resolveSecret: ResolveSecret): Promise<boolean> {
  const connection = await connectionOf(resource, resolveSecret);
  const session = await Session.open(connection, connection.database);
  try {
    return await dropSlot(session, connection, slotOf(resource));
  } finally {
    await session.close();
  }
}

async function connectionOf(resource: Resource, resolveSecret: ResolveSecret): Promise<Connection> {
  return Connection.open(connectionSchema.parse(resource.configuration.connection), resolveSecret);
}

/** A server that hangs does not answer a goodbye either; its connections end when it goes on. */
const CLOSING_SECONDS = 3;

async function withinSeconds(seconds: number, closings: readonly (Promise<void> | undefined)[]): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, seconds * 1000);
  });
  await Promise.race([Promise.all(closings), late]);
  clearTimeout(timer);
}

/** What is open while a capture runs. */
interface OpenParts {
  connection: Connection;
  session: Session;
  replication: ReplicationConnection;
  segmentBytes: number;
}

/** One run, from connecting to the abort or the first failure. */
class Capture {
  readonly #context: CaptureContext;
  readonly #resolveSecret: ResolveSecret;
  readonly #wal: WalConfiguration;
  readonly #slotName: string;
  /** Names of the history files that are stored, and SHA-256 of what they say. */
  readonly #histories = new Map<string, string>();

  constructor(context: CaptureContext, resolveSecret: ResolveSecret) {
    this.#context = context;
    this.#resolveSecret = resolveSecret;
    this.#wal = walOf(context.resource.configuration);
    this.#slotName = slotName(this.#wal, context.resource.id);
  }

  async run(): Promise<void> {
    try {
      await this.#connectAndFollow(false);
    } catch (error) {
      if (this.#context.signal.aborted) return;
      if (!(error instanceof HoldfastError) || error.code !== 'wal-segment-removed') throw error;
      await this.#connectAndFollow(true);
    }
  }

  /** @param isGap the server no longer has what follows the stored log */
  async #connectAndFollow(isGap: boolean): Promise<void> {
    const { signal, resource } = this.#context;
    const connection = await connectionOf(resource, this.#resolveSecret);
    const session = await Session.open(connection, connection.database, signal);
    let replication: ReplicationConnection | undefined;
    try {
      const { segmentBytes } = await readServerFacts(session, connection);
      replication = await ReplicationConnection.open(connection, this.#wal.applicationName, signal);
      await this.#follow({ connection, session, replication, segmentBytes }, isGap);
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      await withinSeconds(CLOSING_SECONDS, [session.close(), replication?.close()]);
    }
  }

  async #follow(open: OpenParts, isGap: boolean): Promise<void> {
    const context = this.#context;
    const { segmentBytes } = open;
    const identity = await open.replication.identify();
    const stored = await this.#storedLog(identity, open.connection);
    let history = await this.#keepHistory(open, stored, identity, identity.timeline);
    const slot = await this.#usableSlot(open, stored);
    const continuation = continuationOf(stored, identity, history, segmentBytes);
    let point: CaptureStart | undefined =
      isGap && continuation !== undefined
        ? await this.#startAfterGap(open, slot, continuation, { identity, history, segmentBytes })
        : (continuation ?? beginning(slot, { identity, history, segmentBytes }));
    const reports = new CaptureReports({ ...open, context, slot: slot.name, maxLagBytes: this.#wal.maxLagBytes });
    const { systemIdentifier } = identity;
    const options = { ...open, context, reports, wal: this.#wal, slot: slot.name, systemIdentifier };
    while (point !== undefined) {
      const next = await streamTimeline(point, options);
      if (next === undefined) return;
      history = await this.#keepHistory(open, stored, identity, next.timeline);
      const left = history.find(({ timeline }) => timeline === point?.timeline)?.end ?? next.start;
      point = startOfTimeline(next.timeline, left, segmentBytes);
    }
  }

  /** Without what a crash left behind. */
  async #storedLog(identity: SystemIdentity, connection: Connection): Promise<WalLog> {
    const { log } = this.#context;
    const found = readWalLog(await log.pieces());
    requireSameCluster(found, identity, connection.place);
    const superseded = supersededPieces(found);
    if (superseded.length === 0) return found;
    await log.remove(superseded);
    return readWalLog(await log.pieces());
  }

  /** Stores the history file of a timeline, unless it is stored. @returns what it says */
  async #keepHistory(
    { replication }: OpenParts,
    stored: WalLog,
    { systemIdentifier }: SystemIdentity,
    timeline: number,
  ): Promise<TimelineEnd[]> {
    if (timeline === 1) return [];
    const text = await replication.timelineHistory(timeline);
    const history = parseHistory(text);
    const name = historyName(timeline);
    const content = Buffer.from(text);
    const sha256 = createHash('sha256').update(content).digest('hex');
    const known = this.#histories.get(name) ?? stored.files.find((file) => file.name === name)?.sha256;
    if (known !== undefined && known !== sha256) throw otherHistory(name);
    this.#histories.set(name, sha256);
    if (known === undefined) {
      const at = history.at(-1)?.end ?? 0n;
      await this.#context.log.append(
        newFilePiece({ kind: 'history', name, timeline, systemIdentifier, sha256, at }, [content]),
      );
    }
    return history;
  }

  /** The slot, made where it is missing, and anew where the server has given it up. */
  async #usableSlot({ session, connection }: OpenParts, stored: WalLog): Promise<ReplicationSlot> {
    const name = this.#slotName;
    const slot = await readSlot(session, name);
    if (slot !== undefined && slot.walStatus !== 'lost') return slot;
    if (!this.#wal.createSlot) throw slotUnusable(name, slot, connection);
    if (slot !== undefined) await dropSlot(session, connection, name);
    const made = await createSlot(session, connection, name);
    if (slot !== undefined)
      this.#context.warn(
        `${connection.place} had given up the replication slot "${name}" because it kept too much WAL (max_slot_wal_keep_size). It was made anew; what lies between is asked for.`,
      );
    else if (stored.segments.length > 0)
      this.#context.warn(
        `The replication slot "${name}" was missing on ${connection.place} and was made anew. What was written meanwhile is asked for.`,
      );
    return made;
  }

  /** The oldest WAL that the server still has, and a warning about what it has no more. */
  async #startAfterGap(
    { session, connection }: OpenParts,
    slot: ReplicationSlot,
    continuation: CaptureStart,
    server: ServerState,
  ): Promise<CaptureStart> {
    const end = lastOf(continuation.start, ...continuation.stored.map((piece) => piece.end));
    let found: ReplicationSlot = slot;
    if (slot.restart === undefined || slot.restart <= end) {
      if (!this.#wal.createSlot) throw slotUnusable(slot.name, slot, connection);
      await dropSlot(session, connection, slot.name);
      found = await createSlot(session, connection, slot.name);
    }
    const begin = beginning(found, server);
    this.#context.warn(
      `WAL is missing: the log is stored up to ${formatLsn(end)}, and ${connection.place} has it from ${formatLsn(begin.start)} on only. Moments between cannot be restored, and later ones only from a base backup made from now on: make one now.`,
    );
    return { ...begin, gapFrom: end };
  }
}

/** What a start is chosen by. */
interface ServerState {
  identity: SystemIdentity;
  history: readonly TimelineEnd[];
  segmentBytes: number;
}

/** The oldest WAL that the server keeps for a slot. */
function beginning({ restart }: ReplicationSlot, { identity, history, segmentBytes }: ServerState): CaptureStart {
  const position: Lsn = restart ?? identity.position;
  const timeline = timelineAt(position, identity, history);
  return { timeline, start: startOfSegment(position, segmentBytes), stored: [] };
}

function slotUnusable(name: string, slot: ReplicationSlot | undefined, connection: Connection): HoldfastError {
  const what = slot === undefined ? 'is missing' : 'was given up by the server (max_slot_wal_keep_size)';
  const drop = slot === undefined ? '' : `SELECT pg_drop_replication_slot('${name}'); `;
  return new HoldfastError(
    'not-found',
    'replication-slot-unusable',
    `The replication slot "${name}" ${what} on ${connection.place}. Run: ${drop}SELECT pg_create_physical_replication_slot('${name}', true); or set \`wal.createSlot\`.`,
  );
}

function otherHistory(name: string): HoldfastError {
  return new HoldfastError(
    'conflict',
    'wal-timeline-foreign',
    `The server's ${name} differs from the stored one: two servers were promoted from the same timeline. Make a resource of its own for this one, and a base backup.`,
    { details: { name } },
  );
}
