import { type LocatedChunk, planRanges } from '../chunk-planner.ts';
import { isLoss } from '../content-list.ts';
import { PACK_KIND } from '../pack-format.ts';
import type { WrittenPack } from '../pack-writer.ts';
import { ChunkClaims } from '../pipeline/chunk-claims.ts';
import type { EngineTask } from '../pipeline/engine-tasks.ts';
import { ENGINE_MODULE } from '../pipeline/messages.ts';
import type { PoolSession } from '../pipeline/task-pool.ts';
import type { RepositoryParts } from '../repository-parts.ts';

/** Writes chunks into new packs, in the worker threads, and makes them known to the index. In a dry run it does nothing. */
export class ChunkCopier {
  readonly #parts: RepositoryParts;
  readonly #kind: 'store-chunks' | 'store-pages';
  readonly #encrypt: boolean;
  readonly #dryRun: boolean;
  readonly #packs: WrittenPack[] = [];
  #session: PoolSession | undefined;

  /** @param kind of the packs, as in their header */
  constructor(parts: RepositoryParts, kind: number, encrypt: boolean, dryRun: boolean) {
    this.#parts = parts;
    this.#kind = kind === PACK_KIND.metadata ? 'store-pages' : 'store-chunks';
    this.#encrypt = encrypt;
    this.#dryRun = dryRun;
  }

  /** Stores chunks that are at hand. */
  async copy(chunks: readonly Uint8Array[]): Promise<void> {
    if (chunks.length === 0 || this.#dryRun) return;
    const ends: number[] = [];
    for (const chunk of chunks) ends.push((ends.at(-1) ?? 0) + chunk.length);
    await this.#run({ kind: this.#kind, bytes: Buffer.concat(chunks), ends });
  }

  /** Stores chunks again that lie in packs which are about to go, as far as they can be read. Tags are kinds of packs. */
  async copyFrom(located: readonly LocatedChunk[]): Promise<void> {
    if (located.length === 0 || this.#dryRun) return;
    for (const range of planRanges(located, (number) => this.#parts.index.pack(number))) {
      try {
        await this.#run({ kind: 'copy-chunks', range });
      } catch (error) {
        if (!isLoss(error)) throw error;
      }
    }
  }

  /** Resolves when all is durable and the index says so. */
  async finish(): Promise<void> {
    await this.#session?.flush();
    if (this.#packs.length > 0) await this.#parts.index.add(this.#packs);
  }

  async close(): Promise<void> {
    await this.#session?.close(true);
  }

  async #run(task: EngineTask): Promise<void> {
    await this.#open().run(ENGINE_MODULE, {}, task);
  }

  #open(): PoolSession {
    const { pool, keyring, index } = this.#parts;
    this.#session ??= pool.openSession(
      {
        keyring: keyring().secrets(),
        index: index.shared,
        writing: { claims: new ChunkClaims().shared, encrypt: this.#encrypt },
      },
      { ...index.callbacks, onPack: (pack) => this.#packs.push(pack) },
    );
    return this.#session;
  }
}
