import { performance } from 'node:perf_hooks';
import type { Backup } from './backup.ts';
import { contentDownload, sha256Of } from './content-download.ts';
import { HoldfastError } from './errors.ts';
import { forgetKeptStream, type KeptStream, keptStreamRow } from './kept-stream.ts';
import type { ManagerContext } from './manager-context.ts';
import type { Repository } from './ports/repository.ts';
import type { OpenVariantContent, VariantSidecars } from './ports/variant-maker.ts';
import { requireResource } from './required-rows.ts';
import type { StoredSidecar, StoredVariant, VariantSource } from './stored-variant.ts';
import type { KeptVariant } from './variant.ts';

/** No resource that a user names can have such an id: `~` is not allowed there. */
export function variantsIdOf(resourceId: string): string {
  return `${resourceId}~variants`;
}

export interface NewVariant {
  bytes: AsyncIterable<Uint8Array>;
  onBytes?: (bytes: number) => void;
  signal: AbortSignal;
  /** Called when all bytes are stored and nothing is published yet; where it throws, nothing will be. */
  approve(): Promise<StoredVariant>;
}

/**
 * What is kept of one resource's variants: snapshots of streams in the resource's repository, always encrypted, each listed in the
 * catalogue like a backup. The commit of its snapshot publishes one.
 */
export class VariantStore {
  readonly #context: ManagerContext;
  readonly #resourceId: string;

  constructor(context: ManagerContext, resourceId: string) {
    this.#context = context;
    this.#resourceId = resourceId;
  }

  /** Everything that is stored, whole or not, sidecars among it; newest first. */
  async rows(): Promise<readonly Backup[]> {
    return this.#context.catalogue.backups.allOf(variantsIdOf(this.#resourceId));
  }

  /** Those that may be given, newest first. */
  async all(): Promise<readonly KeptVariant[]> {
    return (await this.rows()).filter(isGivable);
  }

  async find(wanted: VariantSource & { name: string; fingerprint: string }): Promise<KeptVariant | undefined> {
    return (await this.all()).find(
      ({ variant }) =>
        isOfSource(variant, wanted) && variant.name === wanted.name && variant.fingerprint === wanted.fingerprint,
    );
  }

  async open(kept: KeptVariant, signal: AbortSignal): Promise<OpenVariantContent> {
    const { id, size, checksum, variant } = kept;
    const reader = await this.#context.repositories.get(kept.repositoryId).openSnapshot(id);
    const { format, dialect, mediaType, fileExtension, isReproducible, name, sourceId } = variant;
    const sha256 = sha256Of(checksum);
    const material = contentDownload({
      ...{ reader, format, mediaType, fileExtension, length: size, signal },
      ...(dialect === undefined ? {} : { dialect }),
      ...(sha256 === undefined ? {} : { sha256 }),
      name: `the variant ${name} of ${sourceId}`,
    });
    return { material: { ...material, isReproducible }, close: () => reader.close() };
  }

  /** @throws what the bytes or `approve` throw; `resource-not-found` where the resource was deleted meanwhile */
  async keep({ approve, ...content }: NewVariant): Promise<KeptVariant> {
    const row = await this.#store(content, async () => ({ variant: await approve() }));
    return row as KeptVariant;
  }

  /** Small facts of one source, kept with it. */
  sidecarsOf(source: VariantSource): VariantSidecars {
    const named = (name: string) => (row: Backup) =>
      row.status === 'completed' && row.sidecar?.name === name && isOfSource(row.sidecar, source);
    return {
      read: async (name, signal) => {
        const found = (await this.rows()).find(named(name));
        return found === undefined ? undefined : this.#bytesOf(found, signal);
      },
      write: async (name, bytes, signal) => {
        try {
          const earlier = (await this.rows()).filter(named(name));
          const sidecar: StoredSidecar = { ...source, name };
          await this.#store({ bytes, signal }, async () => ({ sidecar }));
          await this.forget(earlier, 'kept anew');
        } catch (err) {
          signal.throwIfAborted();
          const { sourceId: snapshotId } = source;
          this.#context.logger.warn(
            { err, snapshotId, sidecar: name },
            'what the next variant would need less time by is not kept',
          );
        }
      },
    };
  }

  /** For good: what may be made again needs no trash. */
  async forget(rows: readonly Backup[], reason: string): Promise<readonly string[]> {
    for (const row of rows) await forgetKeptStream(this.#context, row, { trashDays: 0, reason });
    return rows.map(({ id }) => id);
  }

  /** @param sourceId default: all sources */
  async forgetAll(reason: string, sourceId?: string): Promise<readonly string[]> {
    const rows = await this.rows();
    if (sourceId === undefined) await this.#forgetBlocks();
    return this.forget(
      sourceId === undefined ? rows : rows.filter((row) => sourceOf(row)?.sourceId === sourceId),
      reason,
    );
  }

  /** What is remembered of variants that could not be made. */
  async #forgetBlocks(): Promise<void> {
    const { variantBlocks } = this.#context.catalogue;
    for (const { id, resourceId } of await variantBlocks.list())
      if (resourceId === this.#resourceId) await variantBlocks.delete(id);
  }

  async *#bytesOf({ id, repositoryId }: Backup, signal: AbortSignal): AsyncGenerator<Uint8Array> {
    const reader = await this.#context.repositories.get(repositoryId).openSnapshot(id);
    try {
      for await (const piece of reader.read()) {
        signal.throwIfAborted();
        yield piece;
      }
    } finally {
      await reader.close();
    }
  }

  async #store(
    { bytes, onBytes, signal }: Pick<NewVariant, 'bytes' | 'onBytes' | 'signal'>,
    approve: () => Promise<Pick<Backup, 'variant' | 'sidecar'>>,
  ): Promise<Backup> {
    const { clock, repositories, catalogue, logger } = this.#context;
    const { repositoryId } = await requireResource(this.#context, this.#resourceId);
    const repository = repositories.get(repositoryId);
    const begun = { createdAt: clock.now().toISOString(), ticks: performance.now() };
    const writer = await repository.beginSnapshot({ encrypt: true, signal });
    try {
      const stored = await writer.writeStream(untilAborted(bytes, signal), onBytes === undefined ? {} : { onBytes });
      const facts = await approve();
      signal.throwIfAborted();
      const { backup } = await writer.commit((counts) => ({
        backup: this.#row(facts, { id: writer.snapshotId, repositoryId, stored, counts, begun }),
        root: stored.root,
        serviceData: {},
      }));
      // Where the catalogue refuses, the next start lists it.
      await catalogue.backups.put(backup);
      await this.#requireWanted(backup, repository);
      return backup;
    } catch (error) {
      await writer.abort().catch((failure: unknown) => {
        logger.warn({ err: failure, snapshotId: writer.snapshotId }, 'giving up a variant failed');
      });
      throw error;
    }
  }

  /** Whoever deletes a source lists its variants after that: either this one is among them, or the source is seen to be gone here. */
  async #requireWanted(row: Backup, repository: Repository): Promise<void> {
    const { catalogue } = this.#context;
    const sourceId = sourceOf(row)?.sourceId ?? '';
    const resource = await catalogue.resources.get(this.#resourceId);
    const service = resource === undefined ? undefined : this.#context.services.find(resource.service);
    // Another tool's snapshots are none of the catalogue's.
    const isElsewhere = service?.externalSnapshots !== undefined;
    if (resource !== undefined && (isElsewhere || (await catalogue.backups.get(sourceId)) !== undefined)) return;
    await catalogue.backups.delete(row.id);
    await repository.forgetSnapshot(row.id, { trashDays: 0, reason: 'its source was deleted meanwhile' });
    const message = `${sourceId} of "${this.#resourceId}" was deleted while something was made of it. Nothing of that was kept.`;
    throw new HoldfastError('conflict', 'variant-source-gone', message, { details: { snapshotId: sourceId } });
  }

  #row(facts: Pick<Backup, 'variant' | 'sidecar'>, kept: KeptStream): Backup {
    const kind = { resourceId: variantsIdOf(this.#resourceId), resourceType: 'variant', ...facts };
    return keptStreamRow(kind, kept, this.#context.clock.now());
  }
}

/** Ends with the signal, also where whoever makes the bytes does not notice it. */
async function* untilAborted(bytes: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const source = bytes[Symbol.asyncIterator]();
  try {
    for (;;) {
      const { done, value } = await nextUnlessAborted(source, signal);
      if (done === true) return;
      yield value;
    }
  } finally {
    const ended = source.return?.();
    if (!signal.aborted) await ended;
    else ended?.catch(() => undefined);
  }
}

/** A race with one promise for all pieces would keep every piece in memory until that promise settles. */
function nextUnlessAborted(
  source: AsyncIterator<Uint8Array>,
  signal: AbortSignal,
): Promise<IteratorResult<Uint8Array, unknown>> {
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    if (signal.aborted) return abort();
    signal.addEventListener('abort', abort, { once: true });
    source
      .next()
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', abort));
  });
}

export function sourceOf({ variant, sidecar }: Backup): VariantSource | undefined {
  return variant ?? sidecar;
}

/** What a repair mended lacks something. */
export function isGivable(row: Backup): row is KeptVariant {
  return row.variant !== undefined && row.status === 'completed' && row.derivedFrom === undefined;
}

function isOfSource(one: VariantSource, other: VariantSource): boolean {
  return one.sourceId === other.sourceId && one.format === other.format && one.database === other.database;
}
