import { chooseNewestExternal } from './adoption.ts';
import type { BackupManager, PostedBackupRequest } from './application.ts';
import type { Backup, BackupMetadata, BackupType } from './backup.ts';
import { type BackupOrder, makeBackup } from './backup-maker.ts';
import { combineMetadata, requireRetentionDays } from './backup-metadata.ts';
import { removeBackup } from './backup-removal.ts';
import { HoldfastError, messageOf } from './errors.ts';
import { requireUsableId } from './identifier.ts';
import { KeyedLock } from './keyed-lock.ts';
import type { ManagerContext } from './manager-context.ts';
import type { Operation } from './operation.ts';
import type { OperationWork } from './operation-work.ts';
import type { BackupFilter, NewestBackup, Page, PageRequest } from './ports/catalogue.ts';
import type { ContentDamage } from './ports/repository.ts';
import { queuedOperation } from './queued-operation.ts';
import { backupNotFound, requireBackup, requireResource } from './required-rows.ts';
import type { Resource } from './resource.ts';
import { requireBackupType } from './service-registry.ts';
import { openChain } from './snapshot-chain.ts';
import type { ByteString, TreeEntry } from './tree-entry.ts';
import {
  damagedResult,
  saysDamaged,
  soundResult,
  type ValidationResult,
  verifyContent,
  verifyTree,
} from './validator.ts';

const DAY = 86_400_000;

/** What can be done with backups; see `BackupManager` for what each method promises. */
export class CatalogueBackupManager implements BackupManager {
  readonly #context: ManagerContext;
  readonly #locks = new KeyedLock();

  constructor(context: ManagerContext) {
    this.#context = context;
  }

  async createPosted(request: PostedBackupRequest): Promise<Backup> {
    const service = this.#context.services.get(request.service);
    const type = request.type ?? 'full';
    requireUsableId(request.resourceId, 'resource');
    requireBackupType(service, type);
    const resource = await this.#postedResource(request);
    return this.make({
      resource,
      ...(request.resourceType === undefined ? {} : { resourceType: request.resourceType }),
      service,
      type,
      metadata: combineMetadata(resource.metadata, request.metadata),
      encrypt: request.encrypt ?? true,
      input: request.input,
      signal: request.signal ?? new AbortController().signal,
      report: () => undefined,
    });
  }

  async start(request: {
    resourceId: string;
    type?: BackupType;
    metadata?: Partial<BackupMetadata>;
    encrypt?: boolean;
    createdBy: string;
  }): Promise<Operation> {
    const type = request.type ?? 'full';
    const resource = await requireResource(this.#context, request.resourceId);
    const service = this.#context.services.get(resource.service);
    if (service.source === 'posted') throw isPosted(resource);
    requireBackupType(service, type);
    const operation = queuedOperation(this.#context, {
      kind: 'backup',
      input: {
        type,
        encrypt: request.encrypt ?? true,
        metadata: combineMetadata(resource.metadata, request.metadata),
      },
      resourceId: resource.id,
      createdBy: request.createdBy,
    });
    await this.#context.queue.enqueue(operation);
    return operation;
  }

  /** Runs an operation that `start` queued. */
  readonly work: OperationWork = async (operation, { signal, report, warn }) => {
    const resource = await requireResource(this.#context, operation.resourceId ?? '');
    const input = operation.input as { type: BackupType; encrypt: boolean; metadata: BackupMetadata };
    const service = this.#context.services.get(resource.service);
    const chosen = await chooseNewestExternal(this.#context, { resource, service, metadata: input.metadata, signal });
    if (chosen?.backup !== undefined) {
      warn(`The newest backup of the other tool, of ${chosen.snapshot.createdAt}, was adopted before.`);
      return { backupId: chosen.backup.id, result: { backupId: chosen.backup.id, alreadyAdopted: true } };
    }
    const external = chosen === undefined ? {} : { external: chosen.snapshot };
    const backup = await this.make({
      ...{ resource, service, ...input, ...external, operationId: operation.id, signal, report, warn },
    });
    for (const warning of backup.warnings) warn(warning);
    const { size, compressedSize, statistics } = backup;
    return {
      backupId: backup.id,
      result: { backupId: backup.id, type: backup.type, size, compressedSize, statistics },
    };
  };

  /** @throws HoldfastError `backup-not-found` (not-found) */
  async get(id: string): Promise<Backup> {
    return requireBackup(this.#context, id);
  }

  async list(filter: BackupFilter, page: PageRequest): Promise<Page<Backup>> {
    return this.#context.catalogue.backups.page(filter, page);
  }

  async newestOf(resourceIds: readonly string[]): Promise<ReadonlyMap<string, NewestBackup>> {
    return this.#context.catalogue.backups.newestOf(resourceIds);
  }

  async delete(id: string, options: { cascade: boolean; reason: string; by: string }): Promise<readonly string[]> {
    const backup = await this.get(id);
    if (backup.log !== undefined) throw isLogPiece(backup);
    const gone = await removeBackup(this.#context, backup, {
      cascade: options.cascade,
      reason: `${options.reason} (by ${options.by})`,
    });
    this.#context.logger.info({ backupIds: gone, by: options.by, reason: options.reason }, 'backups were forgotten');
    return gone;
  }

  async update(
    id: string,
    change: { held?: boolean; retentionDays?: number | null; tags?: Record<string, string> },
  ): Promise<Backup> {
    const { retentionDays } = change;
    if (retentionDays !== undefined && retentionDays !== null) requireRetentionDays(retentionDays);
    const backup = await this.get(id);
    // One that expires would leave a gap, and a held one would go with its backups all the same.
    if (backup.log !== undefined) throw isLogPiece(backup);
    const repository = this.#context.repositories.get(backup.repositoryId);
    await repository.updateSnapshot(id, (stored) => changed(stored, change));
    const updated = await this.#context.catalogue.backups.update(id, (row) => changed(row, change));
    if (updated === undefined) throw backupNotFound(id);
    return updated;
  }

  async content(
    id: string,
    signal: AbortSignal,
    options: { onDamage?: (damage: ContentDamage) => void } = {},
  ): Promise<{ backup: Backup; mediaType: string; bytes: AsyncIterable<Uint8Array> }> {
    const backup = await this.get(id);
    const service = this.#context.services.get(backup.service);
    const read = service.read?.bind(service);
    if (read === undefined) {
      const message = `${id} holds a tree of files, not one stream. List it with GET /backups/${id}/entries and restore it with POST /restore.`;
      throw new HoldfastError('unsupported', 'content-is-a-tree', message, { details: { backupId: id } });
    }
    const chain = await openChain(this.#context.catalogue, this.#context.repositories.get(backup.repositoryId), backup);
    const close = () => chain.close();
    const closeLogged = () =>
      void close().catch((err: unknown) => this.#context.logger.warn({ err }, 'closing failed'));
    signal.addEventListener('abort', closeLogged, { once: true });
    async function* bytes(): AsyncGenerator<Uint8Array> {
      try {
        yield* read?.(chain.links, signal, options) ?? [];
      } finally {
        signal.removeEventListener('abort', closeLogged);
        await close();
      }
    }
    return { backup, mediaType: service.mediaType ?? 'application/octet-stream', bytes: bytes() };
  }

  async *entries(id: string, paths?: readonly ByteString[]): AsyncIterable<TreeEntry> {
    const backup = await this.get(id);
    if (backup.contentKind !== 'tree') {
      const message = `${id} holds a ${backup.contentKind}, not a tree of files. Get it with GET /backups/${id}/content.`;
      throw new HoldfastError('unsupported', 'content-is-no-tree', message, { details: { backupId: id } });
    }
    const reader = await this.#context.repositories.get(backup.repositoryId).openSnapshot(id);
    try {
      yield* reader.entries(paths === undefined ? {} : { paths });
    } finally {
      await reader.close();
    }
  }

  async validate(id: string): Promise<ValidationResult> {
    const backup = await this.get(id);
    const { clock, catalogue } = this.#context;
    const repository = this.#context.repositories.get(backup.repositoryId);
    const { signal } = new AbortController();
    try {
      if (backup.contentKind === 'tree') {
        await verifyTree(backup, repository, signal);
      } else {
        const chain = await openChain(catalogue, repository, backup);
        const verified = verifyContent(backup, this.#context.services.get(backup.service), chain, signal);
        await verified.finally(() => chain.close());
      }
      return soundResult(backup, clock.now());
    } catch (error) {
      if (!saysDamaged(error)) throw error;
      return damagedResult(backup, error, clock.now());
    }
  }

  /** Makes one backup and tells people how it went. */
  async make(order: BackupOrder): Promise<Backup> {
    const { notifier } = this.#context;
    try {
      const backup = await makeBackup(this.#context, this.#locks, order);
      void notifier.notify({
        type: 'backup-completed',
        subject: order.resource.id,
        message: `Backed up ${order.resource.id} as ${backup.id}.`,
        details: { backupId: backup.id, type: backup.type, size: backup.size, warningCount: backup.warningCount },
      });
      return backup;
    } catch (error) {
      if (order.signal.aborted) throw error;
      void notifier.notify({
        type: 'backup-failed',
        subject: order.resource.id,
        message: `The backup of ${order.resource.id} failed: ${messageOf(error)}`,
        details: { code: error instanceof HoldfastError ? error.code : 'internal' },
      });
      throw error;
    }
  }

  /** The resource that content is posted to; made by the first post. */
  async #postedResource(request: PostedBackupRequest): Promise<Resource> {
    const now = this.#context.clock.now().toISOString();
    const resource = await this.#context.catalogue.resources.ensure({
      id: request.resourceId,
      type: request.resourceType ?? request.service,
      service: request.service,
      configuration: {},
      repositoryId: this.#context.repositories.defaultId,
      createdAt: now,
      updatedAt: now,
    });
    if (resource.service !== request.service) throw isOfOtherService(resource, request.service);
    return resource;
  }
}

function isLogPiece({ id, resourceId }: Backup): HoldfastError {
  const message = `${id} is a piece of a log (${resourceId}): without it no moment after it could be restored. Pieces go by themselves when no backup needs them.`;
  return new HoldfastError('conflict', 'log-piece-needed', message, { details: { backupId: id } });
}

function changed(
  backup: Backup,
  change: { held?: boolean; retentionDays?: number | null; tags?: Record<string, string> },
): Backup {
  const labelled: Backup = {
    ...backup,
    metadata: { ...backup.metadata, tags: change.tags ?? backup.metadata.tags },
    held: change.held ?? backup.held,
  };
  if (change.retentionDays === undefined) return labelled;
  const { expiresAt: _expiresAt, ...undated } = labelled;
  const { retentionDays: _days, ...metadata } = labelled.metadata;
  if (change.retentionDays === null) return { ...undated, metadata };
  return {
    ...undated,
    metadata: { ...metadata, retentionDays: change.retentionDays },
    expiresAt: new Date(Date.parse(backup.createdAt) + change.retentionDays * DAY).toISOString(),
  };
}

function isPosted(resource: Resource): HoldfastError {
  return new HoldfastError(
    'conflict',
    'resource-is-posted',
    `Holdfast cannot fetch "${resource.id}": its ${resource.service} content is posted. Send it with POST /backups (JSON) or PUT /resources/${resource.id}/backups (any bytes).`,
    { details: { resourceId: resource.id, service: resource.service } },
  );
}

function isOfOtherService(resource: Resource, service: string): HoldfastError {
  return new HoldfastError(
    'conflict',
    'resource-of-other-service',
    `"${resource.id}" is a resource of the service "${resource.service}", so no ${service} can be posted to it. Choose another resource id.`,
    { details: { resourceId: resource.id, service: resource.service } },
  );
}
