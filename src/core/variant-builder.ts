import { PassThrough } from 'node:stream';
import { declaredVariant, declaredVariants } from './declared-variants.ts';
import { DownloadMaterials } from './download-materials.ts';
import { DownloadableSnapshots } from './downloadable-snapshots.ts';
import { HoldfastError, isTransient } from './errors.ts';
import { KeyedLock } from './keyed-lock.ts';
import type { ManagerContext } from './manager-context.ts';
import type { Operation } from './operation.ts';
import { MOST_ATTEMPTS } from './operation-runner.ts';
import type { OperationOutcome, OperationWork, OperationWorkContext } from './operation-work.ts';
import type { DownloadFormat, DownloadMaterial } from './ports/service-download.ts';
import type { OpenVariantContent, VariantProduction } from './ports/variant-maker.ts';
import type { StoredVariant } from './stored-variant.ts';
import type { KeptVariant } from './variant.ts';
import { isToBeTold, toldToReaders, type VariantOutcomes, withFingerprint, withoutValues } from './variant-outcomes.ts';
import { planVariant, type VariantOrder } from './variant-production.ts';
import { VariantStore, variantsIdOf } from './variant-store.ts';

/** What the operation that makes a variant says that it is to do. */
export interface VariantInput {
  snapshotId: string;
  variant: string;
  format: DownloadFormat;
  database?: string;
  /** Nothing is made yet: what it needs to know of the whole content is read and kept. */
  isReadAhead?: true;
}

/** Makes variants to be kept. One at a time of each variant of a resource, in all processes: what one made, the next one finds. */
export class VariantBuilder {
  readonly #context: ManagerContext;
  readonly #outcomes: VariantOutcomes;
  readonly #snapshots: DownloadableSnapshots;
  readonly #materials: DownloadMaterials;
  readonly #turns = new KeyedLock();

  constructor(context: ManagerContext, outcomes: VariantOutcomes) {
    this.#context = context;
    this.#outcomes = outcomes;
    this.#snapshots = new DownloadableSnapshots(context);
    this.#materials = new DownloadMaterials(context);
  }

  /** Runs an operation of the kind `variant`. */
  readonly work: OperationWork = async (operation, work) => {
    const { variant } = operation.input as unknown as VariantInput;
    const turn = `${variantsIdOf(operation.resourceId ?? '')}~${variant}`;
    return this.#turns.run(
      turn,
      async () => {
        const onWait = () => work.report({ percent: 0, phase: 'waiting for another process' });
        const end = await this.#context.turns?.take(turn, work.signal, onWait);
        try {
          return await this.#build(operation, work);
        } catch (error) {
          // Everybody who may download may read operations.
          throw toldToReaders(error, { resourceId: operation.resourceId ?? '', variant });
        } finally {
          end?.();
        }
      },
      work.signal,
    );
  };

  async #build(operation: Operation, work: OperationWorkContext): Promise<OperationOutcome> {
    const order = await this.#orderOf(operation, work.signal);
    const { snapshot, declared, format, database } = order;
    const source = { sourceId: snapshot.id, format, ...(database === undefined ? {} : { database }) };
    const { name: variant, fingerprint } = declared;
    const there = await new VariantStore(this.#context, snapshot.resourceId).find({
      ...source,
      name: variant,
      fingerprint,
    });
    if (there !== undefined) return outcomeOf(there);
    const subject = { resourceId: snapshot.resourceId, snapshotId: snapshot.id, variant, fingerprint };
    try {
      if ((operation.input as unknown as VariantInput).isReadAhead === true) {
        await this.#readAhead(order, work);
        return { result: { variant, snapshotId: snapshot.id, isReadAhead: true } };
      }
      const kept = await this.#make(order, work);
      await this.#outcomes.made(subject);
      return outcomeOf(kept);
    } catch (error) {
      const told = withoutValues(error, work.signal);
      const isLast = !isTransient(told) || operation.attempts >= MOST_ATTEMPTS;
      if (isLast && isToBeTold(told, work.signal)) await this.#outcomes.failed(subject, told);
      throw told;
    }
  }

  async #orderOf({ input, resourceId = '' }: Operation, signal: AbortSignal): Promise<VariantOrder> {
    const { snapshotId, variant, format, database } = input as unknown as VariantInput;
    const snapshot = await this.#snapshots.get(resourceId, snapshotId, signal);
    if (snapshot === undefined) throw sourceGone(resourceId, snapshotId);
    const declared = declaredVariant(await declaredVariants(this.#context, resourceId), variant);
    if (declared === undefined) {
      const message = `The policy of ${resourceId} has no variant "${variant}" any more.`;
      throw new HoldfastError('unsupported', 'variant-not-available', message);
    }
    return {
      ...{ snapshot, declared: withFingerprint(declared, resourceId), format },
      ...(database === undefined ? {} : { database }),
    };
  }

  async #readAhead(order: VariantOrder, { signal, report }: OperationWorkContext): Promise<void> {
    report({ percent: 0, phase: 'planning' });
    const production = await planVariant(this.#context, this.#materials, order, signal);
    report({ percent: 0, phase: 'reading keys' });
    await production.readAhead(signal);
  }

  async #make(order: VariantOrder, { signal, report }: OperationWorkContext): Promise<KeptVariant> {
    const { variantVerifier } = this.#context;
    const { verifiesByLoading } = order.declared;
    if (verifiesByLoading && variantVerifier === undefined) throw verifierMissing(order);
    report({ percent: 0, phase: 'planning' });
    const production = await planVariant(this.#context, this.#materials, order, signal);
    // What fails on one side ends the other.
    const giveUp = new AbortController();
    let cause: unknown;
    const fail = (error: unknown): void => {
      cause ??= error;
      giveUp.abort(error);
    };
    const both = AbortSignal.any([signal, giveUp.signal]);
    const made = await production.material(both);
    const { material } = made;
    const branch = verifiesByLoading ? new PassThrough() : undefined;
    const { format, dialect, fileExtension } = material;
    const loaded = {
      format,
      fileExtension,
      ...(dialect === undefined ? {} : { dialect }),
      report: () => made.report(),
    };
    const verified = branch === undefined ? undefined : variantVerifier?.verify(loaded, branch, both);
    // Looked at where everything has been given; until then nobody waits for it.
    verified?.catch(fail);
    try {
      return await new VariantStore(this.#context, order.snapshot.resourceId).keep({
        bytes: branch === undefined ? material.bytes() : branched(material, branch, fail),
        onBytes: (doneBytes) => report({ percent: 0, phase: 'making', doneBytes }),
        signal: both,
        approve: async () => {
          if (verified !== undefined) report({ percent: 0, phase: 'verifying' });
          await verified;
          await this.#requireSame(order);
          return factsOf(order, production, made);
        },
      });
    } catch (error) {
      fail(error);
      branch?.destroy();
      await verified?.catch(() => undefined);
      throw cause;
    } finally {
      await made.close();
    }
  }

  /** What a policy said that was changed meanwhile is not published. */
  async #requireSame({ snapshot: { resourceId }, declared }: VariantOrder): Promise<void> {
    const now = declaredVariant(await declaredVariants(this.#context, resourceId), declared.name);
    if (now?.fingerprint === declared.fingerprint) return;
    const message = `The policy of ${resourceId} was changed while "${declared.name}" was made by it. Nothing was kept.`;
    throw new HoldfastError('unavailable', 'variant-changed', message);
  }
}

/** Gives the bytes and feeds them to a second reader, as fast as the slower of both. */
async function* branched(
  { bytes }: DownloadMaterial,
  branch: PassThrough,
  onFailure: (error: unknown) => void,
): AsyncGenerator<Uint8Array> {
  // A reader that leaves early or fails says so itself.
  branch.on('error', () => undefined);
  try {
    for await (const piece of bytes()) {
      if (!branch.destroyed && !branch.write(piece)) await roomIn(branch);
      yield piece;
    }
    branch.end();
  } catch (error) {
    onFailure(error);
    branch.destroy(new HoldfastError('cancelled', 'operation-cancelled', 'The variant was given up.'));
    throw error;
  }
}

/** Until it takes more, or nobody reads it any more. */
function roomIn(branch: PassThrough): Promise<void> {
  return new Promise((resolve) => {
    const end = (): void => {
      branch.off('drain', end).off('close', end);
      resolve();
    };
    branch.on('drain', end).on('close', end);
  });
}

function factsOf(
  { snapshot, declared, format, database }: VariantOrder,
  { policyHash, epoch, fingerprint }: VariantProduction,
  { material, report }: OpenVariantContent & Pick<Awaited<ReturnType<VariantProduction['material']>>, 'report'>,
): StoredVariant {
  const { dialect, mediaType, fileExtension, isReproducible } = material;
  return {
    ...{ sourceId: snapshot.id, name: declared.name, format, policyHash, epoch, fingerprint },
    ...(database === undefined ? {} : { database }),
    ...(dialect === undefined ? {} : { dialect }),
    ...{ mediaType, fileExtension, isReproducible, report: report() },
  };
}

function outcomeOf({ id, size, checksum, variant }: KeptVariant): OperationOutcome {
  const { name, sourceId, report } = variant;
  return {
    result: { variantId: id, variant: name, snapshotId: sourceId, size, checksum, tables: report.tables.length },
  };
}

function sourceGone(resourceId: string, snapshotId: string): HoldfastError {
  const message = `${snapshotId} of ${resourceId} is not there any more, or not whole.`;
  return new HoldfastError('not-found', 'variant-source-gone', message, { details: { snapshotId } });
}

function verifierMissing({ declared }: VariantOrder): HoldfastError {
  const message = `The policy wants "${declared.name}" to be loaded before anybody gets it (verify: load), and there is no server here to load it into. Install the programs of a server of that database, or take that out of the policy.`;
  return new HoldfastError('unsupported', 'variant-verifier-missing', message);
}
