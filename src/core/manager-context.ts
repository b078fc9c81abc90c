import type { BackupEnds } from './backup-ends.ts';
import type { Configuration } from './configuration.ts';
import type { HookedWork } from './hooked-work.ts';
import type { IdentifierSource } from './identifier.ts';
import type { OperationEvents } from './operation-events.ts';
import type { Catalogue } from './ports/catalogue.ts';
import type { Clock } from './ports/clock.ts';
import type { DrillFolders } from './ports/drill-folders.ts';
import type { Logger } from './ports/logger.ts';
import type { Notifier } from './ports/notifier.ts';
import type { ResourceTurns } from './ports/resource-turns.ts';
import type { SqlSealer } from './ports/sql-sealer.ts';
import type { VariantMaker } from './ports/variant-maker.ts';
import type { VariantVerifier } from './ports/variant-verifier.ts';
import type { WorkQueue } from './ports/work-queue.ts';
import type { RecentChains } from './recent-chains.ts';
import type { RepositoryRegistry } from './repository-registry.ts';
import type { ServiceRegistry } from './service-registry.ts';

/** What the managers work with: the ports, and what this process shares among them. */
export interface ManagerContext {
  readonly configuration: Configuration;
  readonly catalogue: Catalogue;
  readonly repositories: RepositoryRegistry;
  readonly services: ServiceRegistry;
  readonly queue: WorkQueue;
  readonly notifier: Notifier;
  /** Absent: SQL can be downloaded unsealed only. */
  readonly sealer?: SqlSealer;
  /** Absent: there are no masking policies here. */
  readonly variantMaker?: VariantMaker;
  /** Absent: variants that are to be loaded before they are given cannot be made. */
  readonly variantVerifier?: VariantVerifier;
  /** Absent: no other process works on the same catalogue. */
  readonly turns?: ResourceTurns;
  /** Where what is only looked at, or only passed on, is restored to. */
  readonly drillFolders: DrillFolders;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly nextId: IdentifierSource;
  readonly events: OperationEvents;
  readonly backupEnds: BackupEnds;
  readonly recentChains: RecentChains;
  readonly hookedWork: HookedWork;
  /** Ids of operations of this process that somebody cancels; what else aborts one is the end of the process. */
  readonly cancellations: Set<string>;
  /** Names this process among those that run operations on the same catalogue. */
  readonly owner: string;
}
