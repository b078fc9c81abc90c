import { declaredVariant, declaredVariants } from './declared-variants.ts';
import { DownloadableSnapshots, type FoundSnapshot } from './downloadable-snapshots.ts';
import { HoldfastError } from './errors.ts';
import { KeyedLock } from './keyed-lock.ts';
import type { ManagerContext } from './manager-context.ts';
import type { Operation } from './operation.ts';
import { CatalogueOperationManager } from './operation-manager.ts';
import type { DeclaredVariant, VariantContent } from './ports/variant-maker.ts';
import { queuedOperation } from './queued-operation.ts';
import {
  isKept,
  type KeptVariant,
  type VariantContentRequest,
  type VariantEnd,
  type VariantManager,
  type VariantOverview,
  type VariantRequest,
} from './variant.ts';
import { VariantBuilder, type VariantInput } from './variant-builder.ts';
import { variantContents } from './variant-contents.ts';
import { variantFormat } from './variant-formats.ts';
import { blockedError, VariantOutcomes, type VariantSubject, withFingerprint } from './variant-outcomes.ts';
import type { VariantOrder } from './variant-production.ts';
import { VariantStore } from './variant-store.ts';

const RETRY_SECONDS = 10;
/** Of one resource under way at once by downloads: whoever asks for a variant of each old snapshot must not keep all backups waiting. */
const MOST_ASKED_FOR = 4;
/** Operations of a resource that are looked through for one that makes the same. */
const MOST_UNDER_WAY = 1000;

/** See `VariantManager` for what each public method of it promises. */
export class CatalogueVariantManager implements VariantManager {
  readonly outcomes: VariantOutcomes;
  readonly #context: ManagerContext;
  readonly #snapshots: DownloadableSnapshots;
  readonly #operations: CatalogueOperationManager;
  readonly #builder: VariantBuilder;
  readonly #beginning = new KeyedLock();
  readonly #ahead = new Set<Promise<void>>();

  constructor(context: ManagerContext) {
    this.#context = context;
    this.outcomes = new VariantOutcomes(context);
    this.#snapshots = new DownloadableSnapshots(context);
    this.#operations = new CatalogueOperationManager(context);
    this.#builder = new VariantBuilder(context, this.outcomes);
  }

  get work(): VariantBuilder['work'] {
    return this.#builder.work;
  }

  declared(resourceId: string): Promise<readonly DeclaredVariant[]> {
    return declaredVariants(this.#context, resourceId);
  }

  async build(request: VariantRequest, signal: AbortSignal): Promise<Operation> {
    const { resourceId, variant, createdBy, database } = request;
    const found = declaredVariant(await this.declared(resourceId), variant);
    if (found === undefined) throw notDeclared(resourceId, variant);
    const declared = withFingerprint(found, resourceId);
    if (!isKept(declared)) throw notKept(declared);
    const snapshot = await this.#snapshot(request, signal);
    const format = variantFormat(snapshot, declared, request.format);
    const order = {
      ...{ snapshot, declared, format },
      ...(database === undefined ? {} : { database }),
    };
    await this.outcomes.forget({ resourceId, snapshotId: snapshot.id, variant });
    return this.#begin(order, createdBy);
  }

  /**
   * A kept variant, where it has to be made after it was.
   * @param waiting how long at most, and for whom; 0 milliseconds: it is not even begun
   * @throws HoldfastError `variant-being-made` (conflict) with `details.operationId` and `details.retryAfterSeconds`; `variants-busy`
   * (too-many); `variant-blocked` (unsupported)
   */
  async obtain(
    order: VariantOrder,
    { milliseconds, createdBy, signal }: { milliseconds: number; createdBy: string; signal: AbortSignal },
  ): Promise<KeptVariant> {
    const there = await this.#find(order);
    if (there !== undefined) return there;
    await this.requireUnblocked(order);
    if (milliseconds === 0) throw notMadeYet(order);
    const begun = await this.#begin(order, createdBy, { most: MOST_ASKED_FOR });
    const operation = await this.#operations.wait(begun.id, milliseconds, signal);
    signal.throwIfAborted();
    if (operation.status === 'queued' || operation.status === 'running') throw beingMade(order, operation);
    const made = await this.#find(order);
    if (made !== undefined) return made;
    await this.requireUnblocked(order);
    throw notMade(order, operation);
  }

  /** Begins to make one that nobody waits for now. Where that cannot be begun, whoever asks next is told. */
  async beginQuietly(order: VariantOrder, createdBy: string): Promise<void> {
    try {
      await this.#begin(order, createdBy, { most: MOST_ASKED_FOR });
    } catch (err) {
      const { resourceId, id: snapshotId } = order.snapshot;
      this.#context.logger.warn(
        { err, resourceId, snapshotId, variant: order.declared.name },
        'a variant is not begun',
      );
    }
  }

  /** Removes what is kept of it; what is known to be wrong with it stays known. */
  async withdraw({ resourceId, snapshotId, variant: name }: Omit<VariantSubject, 'fingerprint'>): Promise<void> {
    const store = new VariantStore(this.#context, resourceId);
    const kept = (await store.rows()).filter(
      ({ variant }) => variant?.sourceId === snapshotId && variant.name === name,
    );
    await store.forget(kept, 'originals were found in it');
  }

  /** @throws HoldfastError `variant-blocked` (unsupported) where it is known that it cannot be made */
  async requireUnblocked({ snapshot, declared }: VariantOrder): Promise<void> {
    const { name: variant, fingerprint } = declared;
    const subject = { resourceId: snapshot.resourceId, snapshotId: snapshot.id, variant, fingerprint };
    const block = await this.outcomes.blockOf(subject);
    if (block !== undefined) throw blockedError(block);
  }

  contents(request: VariantContentRequest, signal: AbortSignal): AsyncIterable<VariantContent> {
    return variantContents(this.#context, request, signal);
  }

  async list(resourceId: string): Promise<VariantOverview> {
    const declared = await this.declared(resourceId);
    const fingerprints = new Map(declared.map(({ name, fingerprint }) => [name, fingerprint]));
    const kept = await new VariantStore(this.#context, resourceId).all();
    const blocks = await this.#context.catalogue.variantBlocks.list();
    return {
      declared,
      kept: kept.map((row) => ({ ...row, isCurrent: fingerprints.get(row.variant.name) === row.variant.fingerprint })),
      blocks: blocks.filter((block) => block.resourceId === resourceId),
    };
  }

  async remove(what: { resourceId: string; snapshotId: string; variant: string }): Promise<readonly string[]> {
    const { resourceId, snapshotId, variant: name } = what;
    const store = new VariantStore(this.#context, resourceId);
    const rows = (await store.rows()).filter(
      ({ variant }) => variant?.sourceId === snapshotId && variant.name === name,
    );
    const wasBlocked = await this.outcomes.forget(what);
    if (rows.length === 0 && !wasBlocked) {
      const message = `Nothing is kept of a variant "${name}" of ${snapshotId} of ${resourceId}.`;
      throw new HoldfastError('not-found', 'variant-not-found', message);
    }
    return store.forget(rows, 'removed by an operator');
  }

  onEnd(listener: (end: VariantEnd) => void): void {
    this.outcomes.listen(listener);
  }

  /** Queues what a policy wants to be made ahead of a snapshot. That it cannot is told and ends nothing else; `settled` waits for it. */
  makeAhead(resourceId: string, snapshotId: string, enqueue: Enqueue): void {
    if (this.#context.variantMaker === undefined) return;
    const beginning = this.#makeAheadOf(resourceId, snapshotId, enqueue)
      .catch((err: unknown) => {
        this.#context.logger.error({ err, resourceId, snapshotId }, 'variants could not be made ahead');
      })
      .finally(() => this.#ahead.delete(beginning));
    this.#ahead.add(beginning);
  }

  async settled(): Promise<void> {
    await Promise.all(this.#ahead);
  }

  async makeNewestAhead(signal = new AbortController().signal): Promise<void> {
    if (this.#context.variantMaker === undefined) return;
    for await (const { id } of this.#snapshots.resources()) {
      if (signal.aborted) return;
      try {
        if (!(await this.declared(id)).some(isMadeAhead)) continue;
        for await (const newest of this.#snapshots.newestFirst({ resourceId: id }, signal)) {
          await this.#beginAhead(newest, isMadeAhead);
          break;
        }
      } catch (error) {
        if (signal.aborted) return;
        this.#context.logger.error({ err: error, resourceId: id }, 'variants could not be made ahead');
      }
    }
  }

  async #makeAheadOf(resourceId: string, snapshotId: string, enqueue: Enqueue): Promise<void> {
    if (!(await this.declared(resourceId)).some(isWantedAhead)) return;
    const snapshot = await this.#snapshots.get(resourceId, snapshotId, new AbortController().signal);
    if (snapshot !== undefined) await this.#beginAhead(snapshot, isWantedAhead, enqueue);
  }

  async #beginAhead(
    snapshot: FoundSnapshot,
    isWanted: (declared: DeclaredVariant) => boolean,
    enqueue?: Enqueue,
  ): Promise<void> {
    const { resourceId, id: snapshotId } = snapshot;
    for (const each of (await this.declared(resourceId)).filter(isWanted)) {
      const declared = withFingerprint(each, resourceId);
      const order = { snapshot, declared, format: variantFormat(snapshot, declared, undefined) };
      const { name: variant, fingerprint } = declared;
      const isBlocked = (await this.outcomes.blockOf({ resourceId, snapshotId, variant, fingerprint })) !== undefined;
      if (isBlocked || (await this.#find(order)) !== undefined) continue;
      await this.#begin(order, 'holdfast', { enqueue, isReadAhead: declared.produce === 'keys-ahead' });
    }
  }

  async #snapshot({ resourceId, snapshotId }: VariantRequest, signal: AbortSignal): Promise<FoundSnapshot> {
    if (snapshotId !== undefined) {
      const found = await this.#snapshots.get(resourceId, snapshotId, signal);
      if (found !== undefined) return found;
    } else {
      for await (const newest of this.#snapshots.newestFirst({ resourceId }, signal)) return newest;
    }
    const message = `${resourceId} has no complete snapshot ${snapshotId ?? 'at all'}. GET /snapshots?resource=${resourceId} lists what there is.`;
    throw new HoldfastError('not-found', 'snapshot-not-found', message);
  }

  #find({ snapshot, declared, format, database }: VariantOrder): Promise<KeptVariant | undefined> {
    return new VariantStore(this.#context, snapshot.resourceId).find({
      ...{ sourceId: snapshot.id, format, name: declared.name, fingerprint: declared.fingerprint },
      ...(database === undefined ? {} : { database }),
    });
  }

  /** Of many who ask at once, one begins; the others get its operation. */
  #begin(
    { snapshot, declared, format, database }: VariantOrder,
    createdBy: string,
    options: { enqueue?: Enqueue | undefined; most?: number; isReadAhead?: boolean } = {},
  ): Promise<Operation> {
    const { enqueue = (operation) => this.#context.queue.enqueue(operation), most, isReadAhead = false } = options;
    const { resourceId } = snapshot;
    const input: VariantInput = {
      ...{ snapshotId: snapshot.id, variant: declared.name, format },
      ...(database === undefined ? {} : { database }),
      ...(isReadAhead ? { isReadAhead } : {}),
    };
    return this.#beginning.run(resourceId, async () => {
      const underWay = await this.#underWay(resourceId);
      const same = underWay.find((operation) => isSame(operation.input as unknown as VariantInput, input));
      if (same !== undefined) return same;
      if (most !== undefined && underWay.length >= most) throw tooMany(resourceId, underWay.length);
      const operation = queuedOperation(this.#context, {
        ...{ kind: 'variant', input: { ...input }, resourceId, createdBy },
      });
      await enqueue(operation);
      return operation;
    });
  }

  async #underWay(resourceId: string): Promise<readonly Operation[]> {
    const { operations } = this.#context.catalogue;
    const found: Operation[] = [];
    for (const status of ['running', 'queued'] as const) {
      const { items } = await operations.page({ kind: 'variant', status, resourceId }, { limit: MOST_UNDER_WAY });
      found.push(...items);
    }
    return found;
  }
}

type Enqueue = (operation: Operation) => Promise<void>;

/** What cannot be made at all is told by the listings. */
function isWantedAhead({ produce, fingerprint, fault }: DeclaredVariant): boolean {
  return produce !== 'on-demand' && fingerprint !== undefined && fault === undefined;
}

function isMadeAhead(declared: DeclaredVariant): boolean {
  return isWantedAhead(declared) && declared.produce === 'ahead';
}

function isSame(one: VariantInput, other: VariantInput): boolean {
  const { snapshotId, variant, format, database, isReadAhead } = one;
  return (
    snapshotId === other.snapshotId &&
    variant === other.variant &&
    format === other.format &&
    database === other.database &&
    isReadAhead === other.isReadAhead
  );
}

function notDeclared(resourceId: string, variant: string): HoldfastError {
  const message = `The policy of ${resourceId} has no variant "${variant}".`;
  return new HoldfastError('unsupported', 'variant-not-available', message);
}

function notKept({ name }: DeclaredVariant): HoldfastError {
  const message = `The variant "${name}" is made while it is downloaded and never kept. Its policy says otherwise with produce: ahead.`;
  return new HoldfastError('unsupported', 'variant-not-kept', message);
}

function details({ snapshot, declared, format }: VariantOrder): Record<string, unknown> {
  return { variant: declared.name, snapshotId: snapshot.id, format, formats: snapshot.formats };
}

function tooMany(resourceId: string, count: number): HoldfastError {
  const message = `${count} variants of ${resourceId} are being made already. Ask again in a minute.`;
  return new HoldfastError('too-many', 'variants-busy', message, { details: { retryAfterSeconds: 60 } });
}

function beingMade(order: VariantOrder, { id }: Operation): HoldfastError {
  const message = `The variant "${order.declared.name}" is being made: /operations/${id} tells how far it is. Ask again in ${RETRY_SECONDS} seconds, or wait longer with the header "Prefer: wait=600".`;
  return new HoldfastError('conflict', 'variant-being-made', message, {
    details: {
      ...details(order),
      ...{ operationId: id, operation: `/operations/${id}`, retryAfterSeconds: RETRY_SECONDS },
    },
  });
}

function notMadeYet(order: VariantOrder): HoldfastError {
  const message = `The variant "${order.declared.name}" was not made yet. GET makes it.`;
  return new HoldfastError('conflict', 'variant-being-made', message, { details: details(order) });
}

function notMade(order: VariantOrder, { id, status, error }: Operation): HoldfastError {
  const operation = { ...details(order), operationId: id, operation: `/operations/${id}` };
  if (status === 'cancelled') {
    const message = `Somebody cancelled the making of the variant "${order.declared.name}". Ask again to begin anew.`;
    return new HoldfastError('conflict', 'variant-cancelled', message, { details: operation });
  }
  const message = error?.message ?? 'The policy was changed meanwhile. Ask again.';
  return new HoldfastError(error?.kind ?? 'unavailable', error?.code ?? 'variant-changed', message, {
    details: operation,
  });
}
