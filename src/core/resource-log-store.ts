import { performance } from 'node:perf_hooks';
import type { Backup } from './backup.ts';
import { HoldfastError } from './errors.ts';
import type { ManagerContext } from './manager-context.ts';
import type { SnapshotReader } from './ports/repository.ts';
import type { LogPiece, NewLogPiece, ResourceLog } from './ports/resource-log.ts';
import type { Resource } from './resource.ts';

const REMOVALS_AT_ONCE = 8;

type Parts = Pick<ManagerContext, 'catalogue' | 'repositories' | 'clock'>;

/** Of the snapshots that hold a resource's log; no resource has a name with this sign. */
export const logResourceId = (resourceId: string): string => `${resourceId}~log`;

/** A resource's log as snapshots of its repository, one for each piece, which the catalogue lists. */
export class RepositoryResourceLog implements ResourceLog {
  readonly #parts: Parts;
  readonly #resourceId: string;

  constructor(parts: Parts, resourceId: string) {
    this.#parts = parts;
    this.#resourceId = resourceId;
  }

  async pieces(): Promise<readonly LogPiece[]> {
    const backups = await this.#parts.catalogue.backups.allOf(logResourceId(this.#resourceId));
    return backups.map(pieceOf).reverse();
  }

  async open(piece: LogPiece): Promise<SnapshotReader> {
    const { repositoryId } = await this.#backup(piece);
    return this.#parts.repositories.get(repositoryId).openSnapshot(piece.id);
  }

  async read(piece: LogPiece): Promise<Buffer> {
    const reader = await this.open(piece);
    try {
      const parts: Uint8Array[] = [];
      for await (const bytes of reader.read()) parts.push(bytes);
      return Buffer.concat(parts);
    } finally {
      await reader.close();
    }
  }

  async append(piece: NewLogPiece): Promise<LogPiece> {
    const { catalogue, repositories, clock } = this.#parts;
    const resource = await this.#resource();
    const begun = { createdAt: clock.now().toISOString(), ticks: performance.now() };
    const writer = await repositories.get(resource.repositoryId).beginSnapshot({ encrypt: true });
    try {
      const { length, sha256, root } = await writer.writeStream(asyncOf(piece.content));
      const { backup } = await writer.commit((counts) => ({
        backup: {
          id: writer.snapshotId,
          resourceId: logResourceId(resource.id),
          resourceType: resource.type,
          service: resource.service,
          type: 'full',
          status: 'completed',
          contentKind: 'stream',
          size: length,
          compressedSize: Math.min(counts.compressedBytes, length),
          encrypted: true,
          checksum: `sha256:${sha256}`,
          chainLength: 0,
          metadata: { tags: {} },
          warnings: [],
          warningCount: 0,
          statistics: {
            sourceBytes: length,
            readBytes: length,
            newBytes: counts.newBytes,
            storedBytes: counts.storedBytes,
            durationMilliseconds: Math.round(performance.now() - begun.ticks),
          },
          repositoryId: resource.repositoryId,
          createdAt: begun.createdAt,
          completedAt: clock.now().toISOString(),
          log: { from: piece.from, to: piece.to, facts: piece.facts },
          held: false,
        },
        root,
        serviceData: {},
      }));
      await catalogue.backups.put(backup);
      return pieceOf(backup);
    } catch (error) {
      await writer.abort();
      throw error;
    }
  }

  async remove(pieces: readonly LogPiece[]): Promise<void> {
    const reason = 'other pieces of the log hold it';
    const waiting = [...pieces];
    const removeNext = async (): Promise<void> => {
      for (let piece = waiting.shift(); piece !== undefined; piece = waiting.shift()) {
        const { repositoryId } = await this.#backup(piece);
        await this.#parts.repositories.get(repositoryId).forgetSnapshot(piece.id, { trashDays: 0, reason });
        await this.#parts.catalogue.backups.delete(piece.id);
      }
    };
    await Promise.all(Array.from({ length: REMOVALS_AT_ONCE }, removeNext));
  }

  async #backup({ id }: LogPiece): Promise<Backup> {
    const backup = await this.#parts.catalogue.backups.get(id);
    if (backup !== undefined) return backup;
    throw new HoldfastError('not-found', 'log-piece-missing', `The piece ${id} of a log is not in the catalogue.`);
  }

  async #resource(): Promise<Resource> {
    const resource = await this.#parts.catalogue.resources.get(this.#resourceId);
    if (resource !== undefined) return resource;
    const message = `There is no resource "${this.#resourceId}" whose log could be kept. Define it first.`;
    throw new HoldfastError('not-found', 'resource-not-found', message);
  }
}

function pieceOf(backup: Backup): LogPiece {
  const { from, to, facts } = backup.log ?? { from: '', to: '', facts: {} };
  const { id, size, createdAt, completedAt } = backup;
  return { id, from, to, facts, size, createdAt, completedAt };
}

async function* asyncOf(content: NewLogPiece['content']): AsyncGenerator<Uint8Array> {
  yield* content;
}
