import { TokenAccessManager } from './access-manager.ts';
import { CatalogueAdoptionManager } from './adoption-manager.ts';
import type { Application } from './application.ts';
import { CatalogueAuditLog } from './audit-log.ts';
import { BackupEnds } from './backup-ends.ts';
import { CatalogueBackupManager } from './backup-manager.ts';
import { Captures } from './captures.ts';
import type { Configuration } from './configuration.ts';
import { RepositoryCopyManager } from './copy-manager.ts';
import { CatalogueDownloadManager } from './download-manager.ts';
import { CatalogueDrillManager } from './drill-manager.ts';
import { checkHealth } from './health-check.ts';
import { HookedWork } from './hooked-work.ts';
import { createIdentifierSource } from './identifier.ts';
import { vouchesForCallers } from './identity-configuration.ts';
import { CatalogueLogManager } from './log-manager.ts';
import type { ManagerContext } from './manager-context.ts';
import type { Operation } from './operation.ts';
import { OperationEvents } from './operation-events.ts';
import { CatalogueOperationManager } from './operation-manager.ts';
import { createOperationRunner } from './operation-runner.ts';
import { adoptOrphans } from './orphaned-operations.ts';
import { CataloguePolicyManager } from './policy-manager.ts';
import type { Catalogue } from './ports/catalogue.ts';
import type { Clock } from './ports/clock.ts';
import type { CopyOpener } from './ports/copy-opener.ts';
import type { DrillFolders } from './ports/drill-folders.ts';
import type { HookRunner } from './ports/hook-runner.ts';
import type { IdentityProvider } from './ports/identity-provider.ts';
import type { Logger } from './ports/logger.ts';
import type { Notifier } from './ports/notifier.ts';
import type { PasswordHasher } from './ports/password-hasher.ts';
import type { ResourceTurns } from './ports/resource-turns.ts';
import type { Service } from './ports/service.ts';
import type { SqlSealer } from './ports/sql-sealer.ts';
import type { VariantMaker } from './ports/variant-maker.ts';
import type { VariantVerifier } from './ports/variant-verifier.ts';
import type { OperationRunner, WorkQueue } from './ports/work-queue.ts';
import { RecentChains } from './recent-chains.ts';
import { type OpenRepository, RepositoryRegistry } from './repository-registry.ts';
import { CatalogueResourceManager } from './resource-manager.ts';
import { CatalogueRestoreManager } from './restore-manager.ts';
import { CatalogueScheduleManager } from './schedule-manager.ts';
import { Scheduler } from './scheduler.ts';
import { ServiceRegistry } from './service-registry.ts';
import { RepositoryStorageManager } from './storage-manager.ts';
import { CatalogueTicketManager } from './ticket-manager.ts';
import { TicketOwners } from './ticket-owners.ts';
import { CatalogueUserManager } from './user-manager.ts';
import { CatalogueVariantManager } from './variant-manager.ts';

/** What the application is made of. It takes them over: `close` closes the repositories and the catalogue. */
export interface ApplicationParts {
  configuration: Configuration;
  repositories: readonly OpenRepository[];
  copies: CopyOpener;
  services: readonly Service[];
  catalogue: Catalogue;
  queue: WorkQueue;
  notifier: Notifier;
  hooks?: HookRunner;
  sealer?: SqlSealer;
  /** Absent: no masking policies, raw only. */
  variantMaker?: VariantMaker;
  /** Absent: variants that are to be loaded first cannot be made. */
  variantVerifier?: VariantVerifier;
  /** Beside hooks and masking policies, where other processes use the same data folder. */
  turns?: ResourceTurns;
  clock: Clock;
  logger: Logger;
  version: string;
  /** Names this process among those that use the same catalogue. */
  owner: string;
  /** Whether the process behind such a name still runs. */
  isAlive(owner: string): boolean;
  /** Where restore drills, and downloads that need a server, restore to. */
  drillFolders: DrillFolders;
  /** Whom else than owners of tokens to let in; absent: nobody, and no passwords can be set. */
  identity?: { providers: readonly IdentityProvider[]; passwords: PasswordHasher; refusalMilliseconds?: number };
  /** The host, its system and the runtime, for the evidence of drills. */
  environment: Readonly<Record<string, string>>;
}

/** The application, and what runs its operations where no background is started (the command line). */
export interface CreatedApplication {
  application: Application;
  run: OperationRunner;
}

/** Until what is under way is aborted. */
const GRACE_MILLISECONDS = 10_000;

/** Joins the managers over the ports. Nothing runs by itself before `startBackground`. */
export function createApplication(parts: ApplicationParts): CreatedApplication {
  const context: ManagerContext = {
    ...parts,
    repositories: new RepositoryRegistry(parts.repositories),
    services: new ServiceRegistry(parts.services),
    nextId: createIdentifierSource(parts.clock),
    events: new OperationEvents(),
    backupEnds: new BackupEnds(parts.logger),
    recentChains: new RecentChains(),
    hookedWork: new HookedWork(parts),
    cancellations: new Set(),
  };
  const backups = new CatalogueBackupManager(context);
  const adoptions = new CatalogueAdoptionManager(context, (order) => backups.make(order));
  const restores = new CatalogueRestoreManager(context);
  const policies = new CataloguePolicyManager(context);
  const repositories = new RepositoryStorageManager(context, parts.copies);
  const copies = new RepositoryCopyManager(context, parts.copies);
  const drills = new CatalogueDrillManager(context, parts.drillFolders, {
    holdfast: parts.version,
    ...parts.environment,
  });
  const variants = new CatalogueVariantManager(context);
  const scheduler = new Scheduler(context, { backups, policies, repositories, copies, drills, variants });
  const run = createOperationRunner(context, {
    backup: backups.work,
    restore: restores.work,
    verify: repositories.work,
    prune: repositories.pruneWork,
    repair: repositories.repairWork,
    copy: copies.work,
    drill: drills.work,
    adopt: adoptions.work,
    variant: variants.work,
  });
  const captures = new Captures(context);
  const background = new Background(
    context,
    { repositories, policies, drills, scheduler, captures, variants },
    run,
    parts.isAlive,
  );
  context.backupEnds.listen(({ backup }) => {
    if (backup !== undefined) variants.makeAhead(backup.resourceId, backup.id, background.enqueue);
  });
  const startedAt = parts.clock.now();
  const downloads = new CatalogueDownloadManager(context, parts.version, variants);
  const access = new TokenAccessManager({
    ...context,
    ...parts.catalogue,
    ...parts.identity,
    isVouchedFor: vouchesForCallers(parts.configuration.identity),
  });
  const owners = new TicketOwners({
    ...parts.catalogue,
    clock: parts.clock,
    identity: parts.configuration.identity,
    credentialsExist: () => access.credentialsExist(),
  });
  const application: Application = {
    version: parts.version,
    backups,
    adoptions,
    restores,
    drills,
    downloads,
    tickets: new CatalogueTicketManager(context, downloads, owners),
    variants,
    resources: new CatalogueResourceManager(context, () => void captures.reload()),
    operations: new CatalogueOperationManager(context),
    policies,
    schedules: new CatalogueScheduleManager(context, () => void scheduler.reload()),
    repositories,
    copies,
    logs: new CatalogueLogManager(context, captures),
    access,
    users: new CatalogueUserManager({ ...context, ...parts.catalogue, passwords: parts.identity?.passwords }),
    audit: new CatalogueAuditLog(parts.catalogue.audit, parts.clock),
    idempotency: parts.catalogue.idempotency,
    services: parts.services.map(({ name, description, source, backupTypes }) => ({
      name,
      description,
      source,
      backupTypes,
    })),
    totals: () => parts.catalogue.backups.totals(),
    onBackupEnd: (listener) => context.backupEnds.listen(listener),
    health: () => checkHealth(context, captures, parts.version, startedAt),
    startBackground: () => background.start(),
    close: (graceMilliseconds = GRACE_MILLISECONDS) => background.close(graceMilliseconds),
  };
  return { application, run };
}

/** What runs by itself, from its start to the end of everything. */
class Background {
  readonly #context: ManagerContext;
  readonly #repositories: RepositoryStorageManager;
  readonly #policies: CataloguePolicyManager;
  readonly #drills: CatalogueDrillManager;
  readonly #scheduler: Scheduler;
  readonly #captures: Captures;
  readonly #variants: CatalogueVariantManager;
  readonly #run: OperationRunner;
  readonly #isAlive: (owner: string) => boolean;
  #reconciliation: Promise<void> = Promise.resolve();
  #isStarted = false;
  #closed: Promise<void> | undefined;

  constructor(
    context: ManagerContext,
    parts: {
      repositories: RepositoryStorageManager;
      policies: CataloguePolicyManager;
      drills: CatalogueDrillManager;
      scheduler: Scheduler;
      captures: Captures;
      variants: CatalogueVariantManager;
    },
    run: OperationRunner,
    isAlive: (owner: string) => boolean,
  ) {
    this.#context = context;
    this.#repositories = parts.repositories;
    this.#policies = parts.policies;
    this.#drills = parts.drills;
    this.#scheduler = parts.scheduler;
    this.#captures = parts.captures;
    this.#variants = parts.variants;
    this.#run = run;
    this.#isAlive = isAlive;
  }

  async start(): Promise<void> {
    await this.#context.notifier.start?.();
    await adoptOrphans(this.#context, this.#isAlive);
    await this.#drills.removeLeftovers();
    this.#reconciliation = this.#reconcile();
    await this.#context.queue.start(this.#run);
    this.#isStarted = true;
    await this.#scheduler.start();
    await this.#captures.start();
  }

  /** What is to be done some time is left to the service by processes that do not serve. */
  readonly enqueue = (operation: Operation): Promise<void> => {
    const { queue, catalogue } = this.#context;
    return this.#isStarted ? queue.enqueue(operation) : catalogue.operations.insert(operation);
  };

  close(graceMilliseconds: number): Promise<void> {
    this.#closed ??= this.#end(graceMilliseconds).finally(() => this.#context.notifier.close?.());
    return this.#closed;
  }

  async #end(graceMilliseconds: number): Promise<void> {
    await Promise.all([this.#scheduler.stop(), this.#policies.stop()]);
    await this.#captures.stop();
    await this.#context.queue.stop(graceMilliseconds);
    // The backups that ended until now began them.
    await this.#variants.settled();
    await this.#reconciliation;
    await this.#context.recentChains.close();
    const closings = await Promise.allSettled(this.#context.repositories.all().map((open) => open.close()));
    // Before the catalogue, where what is not delivered is kept.
    await this.#context.notifier.close?.();
    await this.#context.catalogue.close();
    for (const closing of closings) if (closing.status === 'rejected') throw closing.reason;
  }

  /** The service answers meanwhile: what it has to tell is complete when this is over. */
  async #reconcile(): Promise<void> {
    for (const { id } of this.#context.repositories.all()) {
      try {
        const { added, removed, unreadable } = await this.#repositories.reconcile(id);
        if (added + removed + unreadable.length === 0) continue;
        const facts = { repositoryId: id, added, removed, unreadable: unreadable.slice(0, 20) };
        this.#context.logger.warn(facts, 'the catalogue was brought in line with its repository');
      } catch (error) {
        this.#context.logger.error({ err: error, repositoryId: id }, 'comparing catalogue and repository failed');
      }
    }
  }
}
