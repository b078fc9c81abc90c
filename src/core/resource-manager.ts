import type { ResourceManager } from './application.ts';
import type { BackupMetadata } from './backup.ts';
import { requireRetentionDays } from './backup-metadata.ts';
import { removeBackup } from './backup-removal.ts';
import { HoldfastError } from './errors.ts';
import { requireUsableId } from './identifier.ts';
import type { ManagerContext } from './manager-context.ts';
import type { Page, PageRequest } from './ports/catalogue.ts';
import { requireResource } from './required-rows.ts';
import type { Resource } from './resource.ts';
import { ResourceLogStore } from './resource-log-store.ts';
import { type ResourceTest, testResource } from './resource-test.ts';
import { parseAssertions } from './service-registry.ts';
import { VariantStore } from './variant-store.ts';

/** Keeps what is backed up and how it is reached. */
export class CatalogueResourceManager implements ResourceManager {
  readonly #context: ManagerContext;
  readonly #onChange: () => void;

  constructor(context: ManagerContext, onChange: () => void) {
    this.#context = context;
    this.#onChange = onChange;
  }

  /** @throws HoldfastError `resource-not-found` (not-found) */
  async get(id: string): Promise<Resource> {
    return requireResource(this.#context, id);
  }

  async list(page: PageRequest): Promise<Page<Resource>> {
    return this.#context.catalogue.resources.page(page);
  }

  /**
   * @throws HoldfastError `configuration-invalid`, `assertions-invalid` naming the field; `policy-not-found`; `resource-service-fixed` (conflict)
   * where backups of another service exist, because a resource's backups build on each other
   */
  async put(resource: {
    id: string;
    type?: string;
    service: string;
    configuration?: unknown;
    policyId?: string;
    metadata?: Partial<BackupMetadata>;
    assertions?: readonly unknown[];
  }): Promise<Resource> {
    const { catalogue, services, repositories, clock } = this.#context;
    requireUsableId(resource.id, 'resource');
    const service = services.get(resource.service);
    const configuration = service.parseConfiguration(resource.configuration ?? {});
    const assertions = await parseAssertions(service, resource.assertions ?? []);
    if (resource.metadata?.retentionDays !== undefined) requireRetentionDays(resource.metadata.retentionDays);
    if (resource.policyId !== undefined) await this.#requirePolicy(resource.policyId);
    const before = await catalogue.resources.get(resource.id);
    if (before !== undefined && before.service !== service.name) await this.#requireNoBackups(before);
    const now = clock.now().toISOString();
    const row: Resource = {
      id: resource.id,
      type: resource.type ?? before?.type ?? service.name,
      service: service.name,
      configuration,
      repositoryId: before?.repositoryId ?? repositories.defaultId,
      ...(resource.policyId === undefined ? {} : { policyId: resource.policyId }),
      ...(resource.metadata === undefined ? {} : { metadata: resource.metadata }),
      ...(assertions.length === 0 ? {} : { assertions }),
      createdAt: before?.createdAt ?? now,
      updatedAt: now,
    };
    await catalogue.resources.put(row);
    this.#onChange();
    return row;
  }

  async test(
    what: { id: string } | { service: string; configuration?: unknown },
    signal?: AbortSignal,
  ): Promise<ResourceTest> {
    return testResource(this.#context, 'id' in what ? await this.get(what.id) : this.#unsaved(what), signal);
  }

  /** Its schedules go with it. */
  async delete(id: string, options: { cascade: boolean; by: string }): Promise<void> {
    const { catalogue } = this.#context;
    const resource = await this.get(id);
    const backups = await catalogue.backups.allOf(id);
    if (backups.length > 0 && !options.cascade) throw hasBackups(resource, backups.length);
    const held = backups.find((backup) => backup.held);
    if (held !== undefined) throw isHeld(resource, held.id);
    const reason = `the resource was deleted (by ${options.by})`;
    const gone = new Set<string>();
    for (const backup of backups) {
      if (gone.has(backup.id)) continue;
      for (const goneId of await removeBackup(this.#context, backup, { cascade: true, reason })) gone.add(goneId);
    }
    for (const schedule of await catalogue.schedules.list()) {
      if (schedule.resourceId === id) await catalogue.schedules.delete(schedule.id);
    }
    const log = new ResourceLogStore(this.#context, id);
    const { trashDays } = this.#context.configuration;
    await log.forget(await log.pieces(), { trashDays, reason });
    await catalogue.resources.delete(id);
    // Whoever followed the log may have appended to it until now.
    await log.forget(await log.pieces(), { trashDays, reason });
    await new VariantStore(this.#context, id).forgetAll(reason);
    this.#onChange();
  }

  #unsaved({ service, configuration }: { service: string; configuration?: unknown }): Resource {
    const { services, repositories, clock } = this.#context;
    const now = clock.now().toISOString();
    return {
      id: 'unsaved',
      type: service,
      service,
      configuration: services.get(service).parseConfiguration(configuration ?? {}),
      repositoryId: repositories.defaultId,
      createdAt: now,
      updatedAt: now,
    };
  }

  async #requirePolicy(id: string): Promise<void> {
    if ((await this.#context.catalogue.policies.get(id)) !== undefined) return;
    const message = `There is no policy "${id}". Make it first with POST /policies or "holdfast retention set".`;
    throw new HoldfastError('not-found', 'policy-not-found', message, { details: { policyId: id } });
  }

  async #requireNoBackups(resource: Resource): Promise<void> {
    const count = await this.#context.catalogue.backups.count({ resourceId: resource.id });
    if (count === 0) return;
    throw new HoldfastError(
      'conflict',
      'resource-service-fixed',
      `"${resource.id}" has ${count} backups of the service "${resource.service}", which stays therefore. Choose another id for the new resource.`,
      { details: { resourceId: resource.id, service: resource.service } },
    );
  }
}

function hasBackups(resource: Resource, count: number): HoldfastError {
  return new HoldfastError(
    'conflict',
    'resource-has-backups',
    `The resource "${resource.id}" has ${count} ${count === 1 ? 'backup' : 'backups'}. Delete ${count === 1 ? 'it' : 'them'} first, or all together with cascade (?cascade=true, --cascade).`,
    { details: { resourceId: resource.id, backups: count } },
  );
}

function isHeld(resource: Resource, backupId: string): HoldfastError {
  const message = `"${resource.id}" cannot be deleted: its backup ${backupId} is held. Lift the hold first, if you are sure.`;
  return new HoldfastError('conflict', 'backup-held', message, { details: { backupId } });
}
