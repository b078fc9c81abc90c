import { HoldfastError } from '../../core/errors.ts';
import type { RepairStep } from '../../core/ports/repository-repair.ts';
import type { SnapshotRecord } from '../../core/snapshot-record.ts';
import { isLoss } from '../content-list.ts';
import { copyLocated, wantedChunks } from '../copy/copy-chunks.ts';
import { copySnapshots, refuseUnrelated } from '../copy/copy-snapshots.ts';
import type { RepositoryParts } from '../repository-parts.ts';
import { backupIdOf, SNAPSHOTS, snapshotKey } from '../snapshot-name.ts';
import type { PackRepair } from './pack-repair.ts';
import type { BeginSnapshot } from './snapshot-repair.ts';

/**
 * Fetches from copies, which are repositories of their own with the same chunk ids, what is lost here: chunks by chunk, and
 * snapshots whose object does not open. Each chunk is compared with its id as it is read.
 */
export class Donors {
  readonly steps: RepairStep[] = [];
  readonly #parts: RepositoryParts;
  readonly #donors: readonly RepositoryParts[];
  readonly #options: { beginSnapshot: BeginSnapshot; dryRun: boolean; signal: AbortSignal | undefined };

  /** @throws HoldfastError `copy-unrelated`, `copy-of-itself` (invalid) */
  constructor(
    parts: RepositoryParts,
    donors: readonly RepositoryParts[],
    options: { beginSnapshot: BeginSnapshot; dryRun: boolean; signal: AbortSignal | undefined },
  ) {
    for (const donor of donors) refuseUnrelated(donor, parts);
    this.#parts = parts;
    this.#donors = donors;
    this.#options = options;
  }

  /** @param damaged keys of objects that a check called damaged */
  async fetchSnapshots(damaged: ReadonlySet<string>): Promise<void> {
    const wanted = [...damaged].filter((key) => key.startsWith(SNAPSHOTS));
    const { dryRun, signal } = this.#options;
    const abortable = signal === undefined ? {} : { signal };
    const left = new Set(wanted);
    for (const donor of this.#donors) {
      if (left.size === 0) return;
      const there = new Set(await donor.snapshots.list());
      for (const key of left) {
        const id = backupIdOf(key.slice(SNAPSHOTS.length));
        if (!there.has(id)) continue;
        const { failed } = await copySnapshots(donor, this.#parts, { dryRun, snapshotIds: [id], ...abortable });
        // The donor is damaged as well: the next one may have it.
        if (failed.some(({ snapshotId }) => snapshotId === id)) continue;
        left.delete(key);
        this.#step('fetch-object', key, `${key} does not open: ${id} is fetched from ${donor.storage.location}.`);
      }
    }
  }

  async fetchChunks(packs: PackRepair): Promise<void> {
    for (const donor of this.#donors) {
      await donor.followCollection();
      for (const id of await this.#parts.snapshots.list()) {
        this.#options.signal?.throwIfAborted();
        try {
          const { record } = await this.#parts.snapshots.read(id);
          const count = await this.#fetchOf(record, donor, packs);
          const what = `${count} chunks that it needs and that are lost here are fetched from ${donor.storage.location}.`;
          if (count > 0) this.#step('fetch-chunks', snapshotKey(id), what);
        } catch (error) {
          // The snapshot does not open here, or the donor misses pages of its tree as well: the next one may have them.
          if (!isLoss(error) && !(error instanceof HoldfastError && error.kind === 'not-found')) throw error;
        }
      }
    }
  }

  async #fetchOf(record: SnapshotRecord, donor: RepositoryParts, packs: PackRepair): Promise<number> {
    const { beginSnapshot, dryRun, signal } = this.#options;
    let count = 0;
    const isLost = (id: Uint8Array): boolean => packs.isLost(id);
    const writer = await beginSnapshot({
      encrypt: record.backup.encrypted,
      ...(signal === undefined ? {} : { signal }),
    });
    try {
      for await (const wanted of wantedChunks(donor, record, { isWanted: isLost, onMissing: () => undefined })) {
        count += wanted.length;
        if (dryRun) for (const { id } of wanted) packs.saved.add(Buffer.from(id).toString('hex'));
        else await copyLocated(donor, wanted, { writer, signal });
      }
      await writer.flush();
    } finally {
      await writer.abort();
    }
    return count;
  }

  #step(action: RepairStep['action'], object: string, message: string): void {
    this.steps.push({ action, object, message });
  }
}
