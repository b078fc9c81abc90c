import { createHash } from 'node:crypto';
import type { DownloadMode, OpenDownload } from './download.ts';
import type { FoundSnapshot } from './downloadable-snapshots.ts';
import { HoldfastError } from './errors.ts';
import type { ManagerContext } from './manager-context.ts';
import type { DownloadChoice, DownloadMaterial } from './ports/service-download.ts';
import type { SealOptions, SqlSealer } from './ports/sql-sealer.ts';
import { resumedPieces } from './resumed-pieces.ts';
import { openChain } from './snapshot-chain.ts';

/** What is to be given, and how. */
export interface DownloadOrder {
  snapshot: FoundSnapshot;
  choice: DownloadChoice;
  mode: DownloadMode;
  isSealed: boolean;
}

/** Opens what was chosen, and seals it. */
export class DownloadOpener {
  readonly #context: ManagerContext;
  readonly #version: string;

  constructor(context: ManagerContext, version: string) {
    this.#context = context;
    this.#version = version;
  }

  /** Services and seals may give other bytes in another version. */
  fingerprint({ snapshot, choice, mode, isSealed }: DownloadOrder): string {
    const { id, resourceId } = snapshot;
    const { format, tables = null, paths = null, database = null } = choice;
    const parts = [this.#version, resourceId, id, format, tables, paths, database, isSealed ? mode : null];
    return createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 24);
  }

  async open(order: DownloadOrder, signal: AbortSignal): Promise<OpenDownload> {
    const { material, close } = await this.#material(order, signal);
    if (!order.isSealed) return plain(material, close);
    try {
      return this.#sealed(order, material, close);
    } catch (error) {
      await close();
      throw error;
    }
  }

  async #material({ snapshot, choice }: DownloadOrder, signal: AbortSignal): Promise<OpenMaterial> {
    const warn = (message: string): void => {
      this.#context.logger.warn(
        { snapshotId: snapshot.id, resourceId: snapshot.resourceId, message },
        'a download warns',
      );
    };
    const { services, repositories, catalogue, logger } = this.#context;
    if ('external' in snapshot) {
      const { external, resource } = snapshot;
      const source = services.get(resource.service).externalSnapshots;
      if (source === undefined) throw gone(snapshot);
      return {
        material: await source.open(resource, external, { choice, signal, warn }),
        close: async () => undefined,
      };
    }
    const { backup } = snapshot;
    const service = services.get(backup.service);
    const download = service.download?.bind(service);
    if (download === undefined) throw gone(snapshot);
    const chain = await openChain(catalogue, repositories.get(backup.repositoryId), backup);
    const close = onlyOnce(() => chain.close());
    const closeLogged = (): void => void close().catch((err: unknown) => logger.warn({ err }, 'closing failed'));
    signal.addEventListener('abort', closeLogged, { once: true });
    try {
      signal.throwIfAborted();
      return { material: await download({ backup, chain: chain.links, choice, signal, warn }), close };
    } catch (error) {
      await close();
      throw error;
    }
  }

  #sealed({ snapshot, mode }: DownloadOrder, material: DownloadMaterial, close: Close): OpenDownload {
    const { sealer } = this.#context;
    const { dialect } = material;
    if (sealer === undefined || dialect === undefined) throw notSealable();
    const { resourceId, id, createdAt } = snapshot;
    const options = { dialect, mode, title: `${resourceId} ${createdAt} ${id}` };
    const { mediaType, fileExtension, isReproducible } = material;
    return {
      ...{ mediaType, fileExtension, isReproducible, acceptsRanges: false },
      bytes: () => sealedBytes(material, sealer, options, close),
    };
  }
}

type Close = () => Promise<void>;

interface OpenMaterial {
  material: DownloadMaterial;
  close: Close;
}

function plain(material: DownloadMaterial, close: Close): OpenDownload {
  const { mediaType, fileExtension, length, sha256, isReproducible, acceptsRanges } = material;
  return {
    ...{ mediaType, fileExtension, isReproducible, acceptsRanges },
    ...(length === undefined ? {} : { length }),
    ...(sha256 === undefined ? {} : { sha256 }),
    async *bytes(range) {
      try {
        yield* material.bytes(range);
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

function onlyOnce(close: Close): Close {
  let closed: Promise<void> | undefined;
  return () => {
    closed ??= close();
    return closed;
  };
}

function gone({ resourceId }: FoundSnapshot): HoldfastError {
  const message = `The service of ${resourceId} offers no downloads any more. Ask whoever runs this service.`;
  return new HoldfastError('unsupported', 'download-not-offered', message);
}

function notSealable(): HoldfastError {
  const message =
    'This SQL cannot be sealed against being cut here. Ask for it without: seal=none, and look at the exit code of what fetches it.';
  return new HoldfastError('unsupported', 'seal-not-available', message);
}
