import path from 'node:path';
import { HoldfastError, messageOf } from '../../core/errors.ts';
import type { DrillFolder } from '../../core/ports/drill-folders.ts';
import type { DownloadContext } from '../../core/ports/service-download.ts';
import type { Connection } from '../postgresql/connection.ts';
import { PrivateServer } from '../postgresql/private-server.ts';
import type { ServerPrograms } from '../postgresql/server-programs.ts';
import { requireNoTablespaceMade, startCluster } from './log-replay.ts';
import { restoreForServer } from './private-restore.ts';
import type { RecordedCluster } from './recorded-cluster.ts';
import type { ServerPlace, ServerPlaces } from './server-places.ts';
import type { WalGetCommand } from './wal-get-command.ts';

/** The log that recovery writes, and what a server keeps besides. */
const SPARE_BYTES = 256 * 1024 * 1024;

export interface ThrowAwayOptions {
  cluster: RecordedCluster;
  programs: ServerPrograms;
  walGet: WalGetCommand;
  places: ServerPlaces;
  /** Ends all of it. */
  signal: AbortSignal;
}

/**
 * A backup's cluster as it was at the end of the backup, on a private server of this process: restored into a folder that is removed with all that
 * is in it, recovered by the WAL that the backup holds, and reachable by nobody else.
 */
export class ThrowAwayCluster {
  readonly #server: PrivateServer;
  readonly #end: () => Promise<void>;
  /** Names of those that are no templates, in order. */
  readonly databases: readonly string[];

  private constructor(server: PrivateServer, databases: readonly string[], end: () => Promise<void>) {
    this.#server = server;
    this.databases = databases;
    this.#end = end;
  }

  /**
   * Waits for its turn, restores and starts it.
   * @throws HoldfastError `throw-away-servers-busy` (too-many), `download-space-short` (unavailable), `postgresql-cluster-not-started` (damaged), and
   * those of restores. Nothing is left then.
   */
  static async start(context: DownloadContext, options: ThrowAwayOptions): Promise<ThrowAwayCluster> {
    const { places, signal } = options;
    const ending = new Ending(context.warn);
    try {
      const place = await places.take(signal);
      ending.add(async () => place.leave());
      const folder = await makeFolder(context);
      ending.add(() => folder.remove());
      await requireRoom(folder, place, context.backup.size + SPARE_BYTES);
      const server = await PrivateServer.prepare({ programs: options.programs, folder: folder.path, signal });
      ending.add(() => server.stop());
      const databases = await restoreAndStart(context, server, options);
      place.want(0);
      return new ThrowAwayCluster(server, databases, () => ending.end());
    } catch (error) {
      await ending.end();
      signal.throwIfAborted();
      throw error;
    }
  }

  /** As the cluster's superuser. */
  get connection(): Connection {
    return this.#server.connection;
  }

  /** Stops the server and removes all of it; may be called more than once, and never fails. */
  end(): Promise<void> {
    return this.#end();
  }
}

async function restoreAndStart(
  { backup, chain, resource, warn }: DownloadContext,
  server: PrivateServer,
  { cluster, walGet, signal }: ThrowAwayOptions,
): Promise<readonly string[]> {
  const report = (): void => undefined;
  const restored = { cluster, server, walGet, isDurable: false };
  const { dataFolder } = await restoreForServer({ backup, chain, signal, report, warn }, restored);
  await requireNoTablespaceMade(path.join(dataFolder, 'pg_wal'), cluster, signal);
  const known = resource === undefined ? { signal } : { resource, signal };
  const { databases } = await startCluster(known, { server, dataFolder, cluster, feed: undefined });
  return databases;
}

async function makeFolder({ temporaryFolder }: DownloadContext): Promise<DrillFolder> {
  if (temporaryFolder !== undefined) return temporaryFolder();
  throw new HoldfastError(
    'internal',
    'download-folder-missing',
    'A cluster was to be restored, and there is no folder for it.',
  );
}

async function requireRoom(folder: DrillFolder, place: ServerPlace, bytes: number): Promise<void> {
  place.want(bytes);
  const needed = bytes + place.wantedByOthers;
  const free = await folder.freeBytes();
  if (free >= needed) return;
  throw new HoldfastError(
    'unavailable',
    'download-space-short',
    `To download from this backup, all of it is restored first. That needs ${needed} bytes in ${path.dirname(folder.path)}, and there are ${free}. Free some space there, or let TMPDIR of the service name a larger disk.`,
    { details: { needed, free } },
  );
}

/** What is to be done at the end, the last thing first, once. */
class Ending {
  readonly #steps: (() => Promise<void>)[] = [];
  readonly #warn: (message: string) => void;
  #ended: Promise<void> | undefined;

  constructor(warn: (message: string) => void) {
    this.#warn = warn;
  }

  add(step: () => Promise<void>): void {
    this.#steps.push(step);
  }

  end(): Promise<void> {
    this.#ended ??= this.#endAll();
    return this.#ended;
  }

  async #endAll(): Promise<void> {
    for (const step of this.#steps.reverse()) {
      try {
        await step();
      } catch (error) {
        this.#warn(`A throw-away server left something behind, which goes at the next start: ${messageOf(error)}`);
      }
    }
  }
}
