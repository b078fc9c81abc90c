import { performance } from 'node:perf_hooks';
import { adoptedElsewhere, requireNotAdopted } from './adoption.ts';
import type { Backup, BackupMetadata, BackupType } from './backup.ts';
import { type BackupBase, chooseBase } from './backup-base.ts';
import { isUnreadable } from './earlier-content.ts';
import { HoldfastError, messageOf } from './errors.ts';
import type { HookedDeed } from './hooked-work.ts';
import type { KeyedLock } from './keyed-lock.ts';
import type { ManagerContext } from './manager-context.ts';
import type { Progress } from './operation.ts';
import type { ExternalSnapshot } from './ports/external-snapshots.ts';
import type { Repository, SnapshotReader, WrittenCounts } from './ports/repository.ts';
import type { Service, ServiceBackup } from './ports/service.ts';
import type { Resource } from './resource.ts';

/** One backup to be made. */
export interface BackupOrder {
  resource: Resource;
  /** Default: the resource's. */
  resourceType?: string;
  service: Service;
  type: BackupType;
  metadata: BackupMetadata;
  encrypt: boolean;
  /** For services whose backups another tool makes. */
  external?: ExternalSnapshot;
  /** For posted content. */
  input?: AsyncIterable<Uint8Array>;
  /** Absent for posted content. */
  operationId?: string;
  signal: AbortSignal;
  report(progress: Progress): void;
  /** Tells what the backup itself cannot say, because it was complete by then. */
  warn?(message: string): void;
}

const MOST_WARNINGS = 100;
const DAY = 86_400_000;

/**
 * Makes one backup from beginning to end: chooses the base, writes the snapshot, publishes it, enters it in the catalogue.
 * Where they can build on each other, the backups of one resource are made one after the other, so that each builds on the
 * one before. Any failure before the snapshot is published leaves nothing behind.
 *
 * @throws HoldfastError `backup-not-listed` (internal) where the backup is safe but the catalogue could not take it;
 * `base-forgotten` (conflict) where its base was deleted meanwhile
 */
export async function makeBackup(context: ManagerContext, locks: KeyedLock, order: BackupOrder): Promise<Backup> {
  const make = (): Promise<Backup> =>
    context.hookedWork.around(
      hookedDeed(order),
      (warnings) => makeInTurn(context, order, warnings),
      ({ id }) => ({ outcome: 'completed', backupId: id }),
    );
  try {
    const backup = await (buildsOnOthers(order.service) ? locks.run(order.resource.id, make, order.signal) : make());
    context.backupEnds.publish({ type: backup.type, backup });
    return backup;
  } catch (error) {
    if (!order.signal.aborted) context.backupEnds.publish({ type: order.type });
    throw error;
  }
}

function hookedDeed({ resource, operationId, signal, report, warn }: BackupOrder): HookedDeed {
  const event = { resourceId: resource.id, ...(operationId === undefined ? {} : { operationId }) };
  return { kind: 'backup', hooksOf: resource.id, event, signal, report, warn: (message) => warn?.(message) };
}

/** A slow upload of a stream, which is always complete by itself, must not make the next one wait. What is adopted must not come twice. */
function buildsOnOthers(service: Service): boolean {
  return service.externalSnapshots !== undefined || service.backupTypes.some((type) => type !== 'full');
}

async function makeInTurn(
  context: ManagerContext,
  order: BackupOrder,
  earlierWarnings: readonly string[],
): Promise<Backup> {
  const repository = context.repositories.get(order.resource.repositoryId);
  if (order.external !== undefined) await requireNotAdopted(context, order.resource.id, order.external);
  const chosen = await chooseBase(context, order.resource, order.service, repository, order);
  let isKept = false;
  try {
    const backup = await writeSnapshot(context, repository, order, {
      ...chosen,
      warnings: [...earlierWarnings, ...chosen.warnings],
    });
    await enterIntoCatalogue(context, backup);
    await requireBase(context, repository, backup);
    await requireAdoptedOnce(context, repository, backup);
    isKept = backup.chainLength > 0;
    // The backup is complete: what others built on could not be closed is no fault of it.
    if (isKept)
      await context.recentChains.keep(backup.id, chosen.chain.links).catch((err: unknown) => {
        context.logger.warn({ err, backupId: backup.id }, 'an earlier chain could not be closed');
      });
    return backup;
  } finally {
    if (!isKept) await chosen.chain.close();
  }
}

async function writeSnapshot(
  context: ManagerContext,
  repository: Repository,
  order: BackupOrder,
  chosen: BackupBase,
): Promise<Backup> {
  const begun = { createdAt: context.clock.now(), ticks: performance.now() };
  const warnings = new WarningList(chosen.warnings);
  const { signal } = order;
  const writer = await repository.beginSnapshot({ encrypt: order.encrypt, signal });
  let earlier: Promise<SnapshotReader | undefined> | undefined;
  try {
    const made = await order.service.backup({
      resource: order.resource,
      type: chosen.type,
      chain: chosen.chain.links,
      ...(order.input === undefined ? {} : { input: order.input }),
      ...(order.external === undefined ? {} : { external: order.external }),
      writer,
      latest: () => latestServiceData(context, repository, order),
      earlier: () => (earlier ??= openLatest(context, repository, order)),
      signal,
      report: order.report,
      warn: (message) => warnings.add(message),
    });
    signal.throwIfAborted();
    const record = await writer.commit((counts) => ({
      backup: describe(context, { id: writer.snapshotId, order, chosen, made, counts, warnings, begun }),
      root: made.root,
      serviceData: made.serviceData,
    }));
    return record.backup;
  } catch (error) {
    await writer.abort().catch((failure: unknown) => {
      context.logger.warn({ err: failure, snapshotId: writer.snapshotId }, 'giving up a snapshot failed');
    });
    throw error;
  } finally {
    await closeEarlier(context, await earlier?.catch(() => undefined));
  }
}

/** Whatever becomes of it, the backup is what it is. */
async function closeEarlier(context: ManagerContext, reader: SnapshotReader | undefined): Promise<void> {
  await reader?.close().catch((err: unknown) => {
    context.logger.warn({ err, snapshotId: reader.record.backup.id }, 'the latest backup could not be closed');
  });
}

async function latestServiceData(
  context: ManagerContext,
  repository: Repository,
  order: BackupOrder,
): Promise<Readonly<Record<string, unknown>> | undefined> {
  const reader = await openLatest(context, repository, order);
  await reader?.close();
  return reader?.record.serviceData;
}

async function openLatest(
  context: ManagerContext,
  repository: Repository,
  { resource, service }: BackupOrder,
): Promise<SnapshotReader | undefined> {
  const latest = await context.catalogue.backups.latest(resource.id);
  if (latest?.service !== service.name || latest.repositoryId !== resource.repositoryId) return undefined;
  try {
    return await repository.openSnapshot(latest.id);
  } catch (error) {
    if (isUnreadable(error)) return undefined;
    throw error;
  }
}

interface Ingredients {
  id: string;
  order: BackupOrder;
  chosen: BackupBase;
  made: ServiceBackup;
  counts: WrittenCounts;
  warnings: WarningList;
  begun: { createdAt: Date; ticks: number };
}

function describe(context: ManagerContext, ingredients: Ingredients): Backup {
  const { order, chosen, made, counts, warnings, begun } = ingredients;
  const base = made.type === 'full' ? undefined : chosen.base;
  const { retentionDays } = order.metadata;
  const completedAt = context.clock.now().toISOString();
  const createdAt = new Date(order.external?.createdAt ?? begun.createdAt);
  return {
    id: ingredients.id,
    resourceId: order.resource.id,
    resourceType: order.resourceType ?? order.resource.type,
    service: order.service.name,
    type: made.type,
    ...(made.type === order.type ? {} : { requestedType: order.type }),
    status: 'completed',
    contentKind: order.service.contentKind,
    size: made.size,
    compressedSize: Math.min(counts.compressedBytes, made.size),
    encrypted: order.encrypt,
    checksum: made.checksum,
    ...(base === undefined ? {} : { parentId: base.id, baseFullId: base.baseFullId ?? base.id }),
    chainLength: base !== undefined && made.isDelta ? base.chainLength + 1 : 0,
    ...labelsOf(order, made, completedAt),
    warnings: warnings.first,
    warningCount: warnings.count,
    statistics: {
      sourceBytes: made.sourceBytes,
      ...(made.contentBytes === undefined ? {} : { contentBytes: made.contentBytes }),
      readBytes: made.readBytes,
      newBytes: counts.newBytes,
      storedBytes: counts.storedBytes,
      durationMilliseconds: Math.round(performance.now() - begun.ticks),
      ...(made.files === undefined ? {} : { files: made.files }),
    },
    repositoryId: order.resource.repositoryId,
    createdAt: createdAt.toISOString(),
    completedAt: order.external === undefined ? completedAt : createdAt.toISOString(),
    ...(retentionDays === undefined
      ? {}
      : { expiresAt: new Date(createdAt.getTime() + retentionDays * DAY).toISOString() }),
    held: false,
  };
}

/** What retention, points in time and listings look at is when the other tool made it. */
function labelsOf(
  { external, metadata }: BackupOrder,
  { externalContent }: ServiceBackup,
  adoptedAt: string,
): Pick<Backup, 'metadata' | 'external'> {
  if (external === undefined) return { metadata };
  const { id } = external;
  const createdAt = new Date(external.createdAt).toISOString();
  return {
    metadata: { ...metadata, tags: { ...metadata.tags, 'external-id': id, 'external-time': createdAt } },
    external: { id, createdAt, adoptedAt, ...(externalContent === undefined ? {} : { content: externalContent }) },
  };
}

async function enterIntoCatalogue(context: ManagerContext, backup: Backup): Promise<void> {
  const { backups } = context.catalogue;
  try {
    // A reconciliation that runs at this moment may have found the snapshot first: then `insert` fails and `put` replaces.
    await backups.insert(backup).catch(() => backups.put(backup));
  } catch (cause) {
    throw new HoldfastError(
      'internal',
      'backup-not-listed',
      `The backup ${backup.id} is safe in the repository, but the catalogue could not record it (${messageOf(cause)}). Do not repeat it: it is listed after the next start of the service or after "holdfast recover".`,
      { cause, details: { backupId: backup.id } },
    );
  }
}

/**
 * A base may be deleted while a delta on it is written. Deleting takes the row away first and then looks for dependants, and
 * here the row is entered first and then its base looked for: one of both sees the other.
 */
async function requireBase(context: ManagerContext, repository: Repository, backup: Backup): Promise<void> {
  if (backup.chainLength === 0 || backup.parentId === undefined) return;
  if ((await context.catalogue.backups.get(backup.parentId)) !== undefined) return;
  await context.catalogue.backups.delete(backup.id);
  const { trashDays } = context.configuration;
  await repository.forgetSnapshot(backup.id, {
    trashDays,
    reason: `its base ${backup.parentId} was deleted meanwhile`,
  });
  throw new HoldfastError(
    'conflict',
    'base-forgotten',
    `${backup.parentId} was deleted while a backup was built on it. Repeat the backup: it builds on what is there now.`,
    { details: { baseId: backup.parentId } },
  );
}

async function requireAdoptedOnce(context: ManagerContext, repository: Repository, backup: Backup): Promise<void> {
  const conflict = await adoptedElsewhere(context, backup);
  if (conflict === undefined) return;
  await context.catalogue.backups.delete(backup.id);
  const { trashDays } = context.configuration;
  await repository.forgetSnapshot(backup.id, { trashDays, reason: 'another process adopted the same one meanwhile' });
  throw conflict;
}

/** A tree may hold a million unreadable files: the first warnings are kept, all are counted. */
class WarningList {
  readonly first: string[];
  count: number;

  constructor(initial: readonly string[]) {
    this.first = [...initial];
    this.count = initial.length;
  }

  add(message: string): void {
    this.count++;
    if (this.first.length < MOST_WARNINGS) this.first.push(message);
  }
}
