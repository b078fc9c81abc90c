import { createHash } from 'node:crypto';
import type { OpenDownload } from './download.ts';
import type { DownloadMode } from './download-format.ts';
import { DownloadMaterials, type OpenMaterial } from './download-materials.ts';
import type { FoundSnapshot } from './downloadable-snapshots.ts';
import { HoldfastError } from './errors.ts';
import type { ManagerContext } from './manager-context.ts';
import type { DownloadChoice, DownloadMaterial } from './ports/service-download.ts';
import type { SealOptions, SqlSealer } from './ports/sql-sealer.ts';
import type { DeclaredVariant, VariantProduction, WantedParts } from './ports/variant-maker.ts';
import { resumedPieces } from './resumed-pieces.ts';
import { isCutFromKept, isKept, type KeptVariant } from './variant.ts';
import type { CatalogueVariantManager } from './variant-manager.ts';
import {
  isLasting,
  isToBeTold,
  LEAK_CODE,
  toldToReaders,
  type VariantSubject,
  withoutValues,
} from './variant-outcomes.ts';
import { planVariant, type VariantOrder } from './variant-production.ts';
import { VariantStore } from './variant-store.ts';

/** What is to be given, and how. */
export interface DownloadOrder {
  snapshot: FoundSnapshot;
  choice: DownloadChoice;
  mode: DownloadMode;
  isSealed: boolean;
  /** Absent: the data as it was backed up. */
  variant?: DeclaredVariant & { fingerprint: string };
  /** Whose variant is to be made meanwhile: what is given is that of an older one, as it is kept. */
  newer?: FoundSnapshot;
  /** How long a kept variant may be waited for that has to be made first. */
  waitMilliseconds: number;
  /** Who asks. */
  caller: string;
}

/** What is given, and by what it was made where that is not as it was backed up. */
type Content = OpenMaterial & Pick<OpenDownload, 'lineage'>;

/** Opens what was chosen, and seals it. */
export class DownloadOpener {
  readonly #context: ManagerContext;
  readonly #version: string;
  readonly #variants: CatalogueVariantManager;
  readonly #materials: DownloadMaterials;

  constructor(context: ManagerContext, version: string, variants: CatalogueVariantManager) {
    this.#context = context;
    this.#version = version;
    this.#variants = variants;
    this.#materials = new DownloadMaterials(context);
  }

  /** Services and seals may give other bytes in another version, and a policy that was changed does. */
  fingerprint({ snapshot, choice, mode, isSealed, variant }: DownloadOrder): string {
    const { id, resourceId } = snapshot;
    const { format, tables = null, paths = null, database = null } = choice;
    const parts = [this.#version, resourceId, id, format, tables, paths, database, isSealed ? mode : null];
    const made = variant === undefined ? [] : [variant.name, variant.fingerprint];
    return createHash('sha256')
      .update(JSON.stringify([...parts, ...made]))
      .digest('hex')
      .slice(0, 24);
  }

  async open(order: DownloadOrder, signal: AbortSignal): Promise<OpenDownload> {
    const { material, close, lineage } = await this.#content(order, signal);
    const made = lineage === undefined ? {} : { lineage };
    if (!order.isSealed) return { ...plain(material, close), ...made };
    try {
      return { ...this.#sealed(order, material, close), ...made };
    } catch (error) {
      await close();
      throw error;
    }
  }

  async #content(order: DownloadOrder, signal: AbortSignal): Promise<Content> {
    const { snapshot, choice, variant } = order;
    if (variant === undefined) return this.#materials.open(snapshot, choice, signal);
    const { format, database, tables, paths } = choice;
    const wanted = { snapshot, declared: variant, format, ...(database === undefined ? {} : { database }) };
    const parts =
      tables === undefined && paths === undefined ? undefined : { ...(tables && { tables }), ...(paths && { paths }) };
    return this.#closedWith(await this.#made(wanted, parts, order, signal), signal);
  }

  async #made(
    wanted: VariantOrder,
    parts: WantedParts | undefined,
    order: DownloadOrder,
    signal: AbortSignal,
  ): Promise<Content> {
    const { declared } = wanted;
    if (parts === undefined && isKept(declared)) return this.#kept(wanted, order, signal);
    if (parts === undefined || !isCutFromKept(declared)) return this.#streamed(wanted, parts, signal);
    return this.#partOfKept(wanted, parts, order, signal);
  }

  /** What is not there is not waited for where it has no such parts; HEAD is told only that it is not there. */
  async #partOfKept(
    wanted: VariantOrder,
    parts: WantedParts,
    order: DownloadOrder,
    signal: AbortSignal,
  ): Promise<Content> {
    if (order.waitMilliseconds === 0 && order.newer === undefined)
      await this.#variants.obtain(wanted, { milliseconds: 0, createdBy: order.caller, signal });
    await this.#variants.requireUnblocked(wanted);
    const production = await this.#planned(wanted, signal);
    production.requirePartsOfKept(parts);
    return this.#kept(wanted, order, signal, (kept, { bytes }) =>
      production.partsOfKept(
        { id: `${kept.checksum} ${kept.size}`, length: kept.size, report: kept.variant.report, bytes },
        parts,
        signal,
      ),
    );
  }

  /** What nobody reads (HEAD, what the client has already) ends as well. */
  async #closedWith(content: Content, signal: AbortSignal): Promise<Content> {
    const closeLogged = (): void =>
      void content.close().catch((err: unknown) => this.#context.logger.warn({ err }, 'closing a variant failed'));
    if (signal.aborted) closeLogged();
    else signal.addEventListener('abort', closeLogged, { once: true });
    return content;
  }

  async #kept(
    wanted: VariantOrder,
    { waitMilliseconds, caller, newer }: DownloadOrder,
    signal: AbortSignal,
    given: (kept: KeptVariant, material: DownloadMaterial) => DownloadMaterial = (_, material) => material,
  ): Promise<Content> {
    if (newer !== undefined) await this.#variants.beginQuietly({ ...wanted, snapshot: newer }, caller);
    // An older one that went meanwhile is not made again.
    const waiting = { milliseconds: newer === undefined ? waitMilliseconds : 0, createdBy: caller, signal };
    const store = new VariantStore(this.#context, wanted.snapshot.resourceId);
    for (let isSecond = false; ; isSecond = true) {
      const kept = await this.#variants.obtain(wanted, waiting);
      const { policyHash, epoch } = kept.variant;
      try {
        const { material, close } = await store.open(kept, signal);
        return { material: given(kept, material), close, lineage: { policyHash, epoch } };
      } catch (error) {
        if (isSecond || !isLost(error)) throw error;
        this.#context.logger.error({ err: error, variantId: kept.id }, 'a kept variant is lost: it is made again');
        await store.forget([kept], 'it cannot be read');
      }
    }
  }

  /**
   * Masked on its way, all of it or parts. Where it leaks, nobody gets it any more before somebody looked at it. What parts fail with says nothing of the whole
   * unless originals came out, and that they ended well does not either.
   */
  async #streamed(wanted: VariantOrder, parts: WantedParts | undefined, signal: AbortSignal): Promise<Content> {
    const { outcomes } = this.#variants;
    const subject = subjectOf(wanted);
    const block = await outcomes.blockOf(subject);
    if (block?.code === LEAK_CODE || isKept(wanted.declared)) await this.#variants.requireUnblocked(wanted);
    const isWhole = parts === undefined;
    const failed = this.#failing(wanted, signal, (error) => isWhole || error.code === LEAK_CODE);
    const ended = async (): Promise<void> => {
      if (block !== undefined && isWhole) await outcomes.mended(subject);
    };
    const production = await this.#planned(wanted, signal);
    try {
      const { material, close } = await production.material(signal, parts);
      const { policyHash, epoch } = production;
      return {
        material: { ...material, bytes: watched(material, { ended, failed }) },
        close,
        lineage: { policyHash, epoch },
      };
    } catch (error) {
      throw await failed(error);
    }
  }

  /** Against the whole content, whatever is wanted of it. */
  async #planned(wanted: VariantOrder, signal: AbortSignal): Promise<VariantProduction> {
    try {
      return await planVariant(this.#context, this.#materials, wanted, signal);
    } catch (error) {
      throw await this.#failing(wanted, signal, () => true)(error);
    }
  }

  /** Remembers what a production fails with, where that is the variant's own; gives what its caller is told. */
  #failing(
    wanted: VariantOrder,
    signal: AbortSignal,
    isOfVariant: (error: HoldfastError) => boolean,
  ): (error: unknown) => Promise<unknown> {
    const subject = subjectOf(wanted);
    return async (error) => {
      const told = withoutValues(error, signal);
      // What is of the moment its caller is told, and nobody else: the next one may have more luck.
      if (isToBeTold(told, signal) && isLasting(told) && isOfVariant(told)) {
        await this.#variants.outcomes.failed(subject, told);
        // By parts more rows are looked at than when the whole was made.
        if (told.code === LEAK_CODE) await this.#variants.withdraw(subject);
      }
      return toldToReaders(told, { ...subject, formats: wanted.snapshot.formats });
    };
  }

  #sealed({ snapshot, mode, variant }: DownloadOrder, material: DownloadMaterial, close: Close): OpenDownload {
    const { sealer } = this.#context;
    const { dialect } = material;
    if (sealer === undefined || dialect === undefined) throw notSealable();
    const { resourceId, id, createdAt } = snapshot;
    const made = variant === undefined ? '' : ` ${variant.name}`;
    const options = { dialect, mode, title: `${resourceId} ${createdAt} ${id}${made}` };
    const { mediaType, fileExtension, isReproducible } = material;
    return {
      ...{ mediaType, fileExtension, isReproducible, acceptsRanges: false },
      bytes: () => sealedBytes(material, sealer, options, close),
    };
  }
}

type Close = () => Promise<void>;

function subjectOf({ snapshot, declared }: VariantOrder): VariantSubject {
  const { resourceId, id: snapshotId } = snapshot;
  return { resourceId, snapshotId, variant: declared.name, fingerprint: declared.fingerprint };
}

function isLost(error: unknown): boolean {
  return error instanceof HoldfastError && (error.kind === 'damaged' || error.code === 'snapshot-missing');
}

/** What the bytes fail with is what `failed` makes of it. */
function watched(
  { bytes }: DownloadMaterial,
  { ended, failed }: { ended: () => Promise<void>; failed: (error: unknown) => Promise<unknown> },
): DownloadMaterial['bytes'] {
  return async function* (range) {
    try {
      yield* bytes(range);
      await ended();
    } catch (error) {
      throw await failed(error);
    }
  };
}

function plain(material: DownloadMaterial, close: Close): OpenDownload {
  const { mediaType, fileExtension, length, sha256, isReproducible, acceptsRanges } = material;
  return {
    ...{ mediaType, fileExtension, isReproducible, acceptsRanges },
    ...(length === undefined ? {} : { length }),
    ...(sha256 === undefined ? {} : { sha256 }),
    async *bytes(range) {
      try {
        yield* material.bytes(range, { isGivenBack: true });
      } finally {
        await close();
      }
    },
  };
}

/** A seal may give its first bytes before it asks for any: whether the material can be read at all is known before that. */
async function* sealedBytes(
  material: DownloadMaterial,
  sealer: SqlSealer,
  options: SealOptions,
  close: Close,
): AsyncGenerator<Uint8Array> {
  const source = material.bytes()[Symbol.asyncIterator]();
  try {
    const begun = [await source.next()];
    yield* sealer.seal(resumedPieces(begun, source), options);
  } finally {
    await source.return?.();
    await close();
  }
}

function notSealable(): HoldfastError {
  const message =
    'This SQL cannot be sealed against being cut here. Ask for it without: seal=none, and look at the exit code of what fetches it.';
  return new HoldfastError('unsupported', 'seal-not-available', message);
}
