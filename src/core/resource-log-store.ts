import { createHash } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import type { Backup } from './backup.ts';
import { HoldfastError } from './errors.ts';
import { forgetKeptStream, type KeptStream, keptStreamRow } from './kept-stream.ts';
import type { ManagerContext } from './manager-context.ts';
import type { SnapshotReader } from './ports/repository.ts';
import type { LogPiece, NewLogPiece, ResourceLog } from './ports/resource-log.ts';
import { requireResource } from './required-rows.ts';

/** No resource that a user names can have such an id: `~` is not allowed there. */
const LOG_SUFFIX = '~log';

/** The resource that the pieces of a resource's log are filed under. */
export function logIdOf(resourceId: string): string {
  return `${resourceId}${LOG_SUFFIX}`;
}

/** The pieces of one resource's log: snapshots of streams, each listed in the catalogue like a backup. */
export class ResourceLogStore implements ResourceLog {
  readonly #context: ManagerContext;
  readonly #resourceId: string;

  constructor(context: ManagerContext, resourceId: string) {
    this.#context = context;
    this.#resourceId = resourceId;
  }

  async pieces(): Promise<readonly LogPiece[]> {
    const newestFirst = await this.#context.catalogue.backups.allOf(logIdOf(this.#resourceId));
    return newestFirst.flatMap((backup) => toPiece(backup) ?? []).reverse();
  }

  async open(piece: LogPiece): Promise<SnapshotReader> {
    return this.#context.repositories.get(await this.#repositoryIdOf(piece)).openSnapshot(piece.id);
  }

  /** @throws HoldfastError `log-piece-damaged` (damaged); what `open` throws */
  async read(piece: LogPiece): Promise<Buffer> {
    const reader = await this.open(piece);
    try {
      const parts: Uint8Array[] = [];
      for await (const bytes of reader.read()) parts.push(Buffer.from(bytes));
      const content = Buffer.concat(parts);
      const { checksum } = reader.record.backup;
      if (`sha256:${createHash('sha256').update(content).digest('hex')}` === checksum) return content;
      throw new HoldfastError(
        'damaged',
        'log-piece-damaged',
        `The piece ${piece.id} of the log of "${this.#resourceId}" (${piece.from} to ${piece.to}) differs from what was stored. Verify the repository, and make a new backup: moments behind this piece cannot be reached from older ones.`,
        { details: { pieceId: piece.id } },
      );
    } finally {
      await reader.close();
    }
  }

  async append(piece: NewLogPiece): Promise<LogPiece> {
    const { clock, repositories, catalogue, logger } = this.#context;
    const { repositoryId } = await requireResource(this.#context, this.#resourceId);
    const begun = { createdAt: clock.now().toISOString(), ticks: performance.now() };
    const writer = await repositories.get(repositoryId).beginSnapshot({ encrypt: true });
    try {
      const { content } = piece;
      const stored =
        typeof content === 'function' ? await content(writer) : await writer.writeStream(asyncBytes(content));
      const { backup } = await writer.commit((counts) => ({
        backup: this.#row(piece, { id: writer.snapshotId, repositoryId, stored, counts, begun }),
        root: stored.root,
        serviceData: {},
      }));
      // Where the catalogue refuses, the bytes are durable all the same; the next start lists them.
      await catalogue.backups.put(backup);
      const appended = pieceOf(backup, piece);
      await this.#requireWanted(appended);
      return appended;
    } catch (error) {
      await writer.abort().catch((failure: unknown) => {
        logger.warn({ err: failure, snapshotId: writer.snapshotId }, 'giving up a piece of a log failed');
      });
      throw error;
    }
  }

  async remove(pieces: readonly LogPiece[]): Promise<void> {
    await this.forget(pieces, { trashDays: 0, reason: 'other pieces of the log hold its bytes' });
  }

  async forget(pieces: readonly LogPiece[], options: { trashDays: number; reason: string }): Promise<void> {
    for (const piece of pieces) {
      const repositoryId = await this.#repositoryIdOf(piece);
      await forgetKeptStream(this.#context, { id: piece.id, repositoryId }, options);
    }
  }

  /** Whoever deletes a resource lists its pieces after that: either this one is among them, or the resource is seen to be gone here. */
  async #requireWanted(piece: LogPiece): Promise<void> {
    const { catalogue, configuration } = this.#context;
    if ((await catalogue.resources.get(this.#resourceId)) !== undefined) return;
    await this.forget([piece], { trashDays: configuration.trashDays, reason: 'the resource was deleted meanwhile' });
    await requireResource(this.#context, this.#resourceId);
  }

  async #repositoryIdOf(piece: LogPiece): Promise<string> {
    const kept = await this.#context.catalogue.backups.get(piece.id);
    return (kept ?? (await requireResource(this.#context, this.#resourceId))).repositoryId;
  }

  #row({ from, to, facts }: NewLogPiece, kept: KeptStream): Backup {
    const kind = { resourceId: logIdOf(this.#resourceId), resourceType: 'log', log: { from, to, facts } };
    return keptStreamRow(kind, kept, this.#context.clock.now());
  }
}

function toPiece(backup: Backup): LogPiece | undefined {
  return backup.log === undefined ? undefined : pieceOf(backup, backup.log);
}

function pieceOf(backup: Backup, { from, to, facts }: Pick<LogPiece, 'from' | 'to' | 'facts'>): LogPiece {
  const { id, size, createdAt, completedAt } = backup;
  return { id, from, to, facts, size, createdAt, completedAt };
}

async function* asyncBytes(content: AsyncIterable<Uint8Array> | Iterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* content;
}
