import type { Principal } from './access.ts';
import { declaredVariant } from './declared-variants.ts';
import {
  DEFAULT_DOWNLOADS,
  type Download,
  type DownloadManager,
  type DownloadRequest,
  type ListedSnapshot,
  RAW_VARIANT,
  type Snapshot,
  type SnapshotListRequest,
} from './download.ts';
import type { DownloadMode } from './download-format.ts';
import { momentOfChoice } from './download-moment.ts';
import { DownloadOpener } from './download-opener.ts';
import {
  allowsSnapshot,
  allowsVariant,
  type Permission,
  permissionsFor,
  permissionsReaching,
} from './download-permissions.ts';
import { DownloadPlaces } from './download-places.ts';
import { DownloadableSnapshots, type FoundSnapshot } from './downloadable-snapshots.ts';
import { HoldfastError } from './errors.ts';
import type { ManagerContext } from './manager-context.ts';
import type { Page } from './ports/catalogue.ts';
import type { DownloadFormat } from './ports/service-download.ts';
import type { DeclaredVariant } from './ports/variant-maker.ts';
import { listSnapshots } from './snapshot-list.ts';
import { olderReady } from './stale-variant.ts';
import { unnamedResource } from './unnamed-resource.ts';
import { isCutFromKept, isKept } from './variant.ts';
import {
  defaultVariants,
  permissionsWithReason,
  requireChoosable,
  variantNeeded,
  variantNotAvailable,
} from './variant-choice.ts';
import { chosenFormat, variantFormat, variantFormats } from './variant-formats.ts';
import type { CatalogueVariantManager } from './variant-manager.ts';
import { toldToReaders, withFingerprint } from './variant-outcomes.ts';

/** For a variant that has to be made first, where the caller does not say how long. */
const WAIT_MILLISECONDS = 30_000;

/** Finds what may be downloaded; see `DownloadManager` for what each method promises. */
export class CatalogueDownloadManager implements DownloadManager {
  readonly #context: ManagerContext;
  readonly #snapshots: DownloadableSnapshots;
  readonly #variants: CatalogueVariantManager;
  readonly #opener: DownloadOpener;
  readonly #places: DownloadPlaces;

  constructor(context: ManagerContext, version: string, variants: CatalogueVariantManager) {
    const { configuration, catalogue, clock, logger } = context;
    this.#context = context;
    this.#snapshots = new DownloadableSnapshots(context);
    this.#variants = variants;
    this.#opener = new DownloadOpener(context, version, variants);
    this.#places = new DownloadPlaces({
      usage: catalogue.downloadUsage,
      configuration: configuration.downloads ?? DEFAULT_DOWNLOADS,
      clock,
      logger,
    });
  }

  async find(request: DownloadRequest, signal: AbortSignal): Promise<Download> {
    if (request.at !== undefined && request.snapshotId !== undefined)
      throw choiceInvalid('`at` and `backup` both say which one. Give one of them.', 'at');
    if (request.stale !== undefined && request.snapshotId !== undefined)
      throw choiceInvalid('`backup` asks for the very one, and `stale=ok` for another one. Give one of them.', 'stale');
    const completeBy = momentOfChoice(request.at ?? 'latest', this.#context.clock.now());
    const resourceId = request.resourceId ?? (await this.#resourceOf(request.principal, signal));
    const permissions = permissionsFor(request.principal, resourceId, this.#context.clock.now());
    if (permissions.length === 0) throw notFound();
    const declared = await this.#variants.declared(resourceId);
    const wanted = { ...request, resourceId, completeBy };
    const { variant, chosen } = await this.#chooseVariant(wanted, declared, permissions, signal);
    const made = declaredVariant(declared, variant);
    if (variant !== RAW_VARIANT && made === undefined)
      throw variantNotAvailable(chosen.snapshot, declared, permissions);
    const usable = permissionsWithReason(chosen.permissions, variant, request.reason, chosen.snapshot);
    const download = this.#download({ ...chosen, permissions: usable }, request, made);
    const allowing = permissions.filter((permission) => allowsVariant(permission, variant));
    return (await this.#older(chosen.snapshot, { request, made, allowing, completeBy }, signal)) ?? download;
  }

  /** Of a variant that is not made yet: that of an older snapshot, where the caller takes that and may have it. */
  async #older(
    newer: FoundSnapshot,
    { request, made, allowing, completeBy }: WantedOlder,
    signal: AbortSignal,
  ): Promise<Download | undefined> {
    const { stale, tables, paths, database, reason } = request;
    if (stale === undefined || made === undefined || !isKept(made)) return undefined;
    // Parts of other variants need not be waited for.
    if ((tables ?? paths) !== undefined && !isCutFromKept(made)) return undefined;
    const format = variantFormat(newer, made, request.format);
    const declared = usableVariant(made, newer);
    const order = { snapshot: newer, declared, format, ...(database === undefined ? {} : { database }) };
    const permissions = allowing.filter(({ reasonFor }) => reason !== undefined || !reasonFor.includes(made.name));
    const found = await olderReady(this.#context, this.#variants.outcomes, { order, permissions, completeBy }, signal);
    return found === undefined ? undefined : this.#download(found, { ...request, format }, made, newer);
  }

  list(request: SnapshotListRequest, signal: AbortSignal): Promise<Page<ListedSnapshot>> {
    return listSnapshots(this.#snapshots, this.#context, request, signal);
  }

  failure(message: string): string | undefined {
    return this.#context.sealer?.failure(message);
  }

  /**
   * The variant that is asked for, or the first one that the caller may have of such a snapshot. Who may have nothing of a resource
   * learns nothing of it.
   */
  async #chooseVariant(
    wanted: Omit<Choice, 'permissions'> & Pick<DownloadRequest, 'variant'>,
    declared: readonly DeclaredVariant[],
    permissions: readonly Permission[],
    signal: AbortSignal,
  ): Promise<{ variant: string; chosen: Chosen }> {
    const { defaultVariant } = this.#context.configuration.downloads ?? DEFAULT_DOWNLOADS;
    const names =
      wanted.variant === undefined ? defaultVariants(declared, permissions, defaultVariant) : [wanted.variant];
    let refusal: unknown;
    for (const variant of names) {
      const allowing = permissions.filter((permission) => allowsVariant(permission, variant));
      if (allowing.length === 0) throw notFound();
      try {
        return { variant, chosen: await this.#choose({ ...wanted, permissions: allowing }, signal) };
      } catch (error) {
        // Another grant may give another variant of just this snapshot.
        if (!(error instanceof HoldfastError && error.code === 'snapshot-not-found')) throw error;
        refusal ??= error;
      }
    }
    if (refusal !== undefined) throw refusal;
    const { snapshot } = await this.#choose({ ...wanted, permissions }, signal);
    throw variantNeeded(snapshot, permissions);
  }

  async #resourceOf(principal: Principal, signal: AbortSignal): Promise<string> {
    const id = await unnamedResource(this.#snapshots, this.#context, principal, signal);
    if (id === undefined) throw notFound();
    return id;
  }

  async #choose(wanted: Choice, signal: AbortSignal): Promise<Chosen> {
    const { resourceId, snapshotId, permissions, completeBy } = wanted;
    const named = snapshotId === undefined ? undefined : await this.#snapshots.get(resourceId, snapshotId, signal);
    const needsNewest = permissions.some(({ latestOnly }) => latestOnly);
    const filter = { resourceId, ...(needsNewest || completeBy === undefined ? {} : { completeBy }) };
    let newest: FoundSnapshot | undefined;
    if (named === undefined || needsNewest) {
      for await (const snapshot of this.#snapshots.newestFirst(filter, signal)) {
        newest ??= snapshot;
        if (snapshotId !== undefined) break;
        const isOldEnough = completeBy === undefined || snapshot.completedAt <= completeBy;
        const reaching = permissionsReaching(permissions, snapshot, newest);
        if (isOldEnough && reaching.length > 0) return { snapshot, permissions: reaching };
        if (!permissions.some((permission) => allowsSnapshot(permission, snapshot, false))) break;
      }
    }
    const reaching = named === undefined ? [] : permissionsReaching(permissions, named, newest);
    if (named !== undefined && reaching.length > 0) return { snapshot: named, permissions: reaching };
    throw await this.#nothingFound(resourceId, newest ?? named);
  }

  async #nothingFound(resourceId: string, some: Snapshot | undefined): Promise<HoldfastError> {
    if (some !== undefined) return snapshotNotFound(some.formats);
    const resource = await this.#context.catalogue.resources.get(resourceId);
    if (resource === undefined) return notFound();
    const service = this.#context.services.find(resource.service);
    if (service?.downloads === undefined && service?.externalSnapshots === undefined) return notOffered(resource);
    return snapshotNotFound(service.downloads?.formats ?? service.externalSnapshots?.formats(resource).formats ?? []);
  }

  #download(
    { snapshot, permissions }: Chosen,
    request: DownloadRequest,
    made: DeclaredVariant | undefined,
    newer?: FoundSnapshot,
  ): Download {
    const { tables, paths, database, mode = 'create', principal } = request;
    const variant = made === undefined ? {} : { variant: usableVariant(made, snapshot) };
    if (made !== undefined) requireChoosable(made, snapshot, request);
    const offered = made === undefined ? snapshot : { ...snapshot, formats: variantFormats(snapshot, made) };
    const format = chosenFormat(offered, request.format);
    const isSealed = format === 'sql' && request.seal !== 'none';
    requireFittingMode(snapshot, mode, isSealed);
    const choice = {
      format,
      ...(tables === undefined ? {} : { tables }),
      ...(paths === undefined ? {} : { paths }),
      ...(database === undefined ? {} : { database }),
    };
    const { waitMilliseconds = WAIT_MILLISECONDS } = request;
    const order = { snapshot, choice, mode, isSealed, waitMilliseconds, caller: principal.name, ...variant };
    const instead = newer === undefined ? {} : { newer };
    return {
      snapshot,
      variant: made?.name ?? RAW_VARIANT,
      ...(newer === undefined ? {} : { newerId: newer.id }),
      format,
      mode,
      isSealed,
      fingerprint: this.#opener.fingerprint(order),
      enter: () => this.#places.enter(permissions),
      open: (signal, options) =>
        this.#opener.open(
          options?.withoutMaking === true ? { ...order, waitMilliseconds: 0 } : { ...order, ...instead },
          signal,
        ),
    };
  }
}

interface Choice {
  resourceId: string;
  snapshotId?: string;
  permissions: readonly Permission[];
  completeBy: string | undefined;
}

interface WantedOlder {
  request: DownloadRequest;
  made: DeclaredVariant | undefined;
  /** Permissions for the variant, whatever snapshots they reach. */
  allowing: readonly Permission[];
  completeBy: string | undefined;
}

/** A snapshot, and those permissions by which this very one may be had: its download is counted by one of them. */
interface Chosen {
  snapshot: FoundSnapshot;
  permissions: readonly Permission[];
}

function usableVariant(made: DeclaredVariant, { resourceId, formats }: Snapshot) {
  try {
    return withFingerprint(made, resourceId);
  } catch (error) {
    throw toldToReaders(error, { resourceId, variant: made.name, formats });
  }
}

function requireFittingMode({ formats }: Snapshot, mode: DownloadMode, isSealed: boolean): void {
  if (mode === 'create' || isSealed) return;
  throw choiceInvalid('`mode=replace` is for sealed SQL only: nothing else could be taken back.', 'mode', formats);
}

function choiceInvalid(message: string, field: string, formats?: readonly DownloadFormat[]): HoldfastError {
  const details = { field, ...(formats === undefined ? {} : { formats }) };
  return new HoldfastError('invalid', 'download-choice-invalid', message, { details });
}

/** One answer for what does not exist and for what somebody may not have. */
function notFound(): HoldfastError {
  const message =
    'There is nothing here that you may download under this name. GET /snapshots lists what there is for you.';
  return new HoldfastError('not-found', 'download-not-found', message);
}

function snapshotNotFound(formats: readonly DownloadFormat[]): HoldfastError {
  const message =
    'There is no complete snapshot of it that you asked for and may have. GET /snapshots lists what there is for you.';
  return new HoldfastError('not-found', 'snapshot-not-found', message, { details: { formats } });
}

function notOffered({ id, service }: { id: string; service: string }): HoldfastError {
  const message = `What the service ${service} backs up (${id}) cannot be downloaded, only restored.`;
  return new HoldfastError('unsupported', 'download-not-offered', message, { details: { service, formats: [] } });
}
