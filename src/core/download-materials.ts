import type { FoundSnapshot } from './downloadable-snapshots.ts';
import { HoldfastError } from './errors.ts';
import type { ManagerContext } from './manager-context.ts';
import type { DownloadChoice, DownloadMaterial } from './ports/service-download.ts';
import { openChain } from './snapshot-chain.ts';

/** Content, and what ends all that was begun for it. */
export interface OpenMaterial {
  material: DownloadMaterial;
  /** May be called more than once. */
  close(): Promise<void>;
}

/** Opens snapshots as they were backed up, from repositories and from other tools. */
export class DownloadMaterials {
  readonly #context: ManagerContext;

  constructor(context: ManagerContext) {
    this.#context = context;
  }

  /** @throws HoldfastError `download-not-offered` (unsupported); what the service throws */
  async open(snapshot: FoundSnapshot, choice: DownloadChoice, signal: AbortSignal): Promise<OpenMaterial> {
    const warn = (message: string): void => {
      this.#context.logger.warn(
        { snapshotId: snapshot.id, resourceId: snapshot.resourceId, message },
        'a download warns',
      );
    };
    const { services, repositories, catalogue, logger, drillFolders } = this.#context;
    if ('external' in snapshot) {
      const { external, resource } = snapshot;
      const source = services.get(resource.service).externalSnapshots;
      if (source === undefined) throw gone(snapshot);
      // What is opened and never read, to see what it is, ends by this alone: programs and folders of their own may have been begun for it.
      const closing = new AbortController();
      const both = AbortSignal.any([signal, closing.signal]);
      return {
        material: await source.open(resource, external, { choice, signal: both, warn }),
        close: async () => closing.abort(),
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
      const resource = await catalogue.resources.get(backup.resourceId);
      const material = await download({
        ...{ backup, chain: chain.links, choice, signal, warn },
        ...(resource === undefined ? {} : { resource }),
        temporaryFolder: () => drillFolders.make(),
      });
      return { material, close };
    } catch (error) {
      await close();
      throw error;
    }
  }
}

function onlyOnce(close: () => Promise<void>): () => Promise<void> {
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
