import { HoldfastError } from '../../core/errors.ts';
import { ROW_LENGTH } from '../index-row.ts';
import { decodeIndexSegment, encodeIndexSegment } from '../index-segment.ts';
import { inLanes, STORAGE_LANES } from '../lanes.ts';
import { packIdOf } from '../pack-format.ts';
import type { RepositoryParts } from '../repository-parts.ts';
import { SNAPSHOTS, snapshotKey, TRASH } from '../snapshot-name.ts';
import { type CollectionState, roundName } from './collection-state.ts';
import { groupsToMerge, mergeSegments, type NamedSegment, verifyMerge } from './segment-merge.ts';
import { removeStaleMarks, sessionsAtWork } from './session-marks.ts';
import { listSnapshots } from './survey.ts';
import { isOver, readTrash } from './trash.ts';

/** What a removal did; bytes of packs. */
export interface Removal {
  packsRemoved: number;
  bytesRemoved: number;
  segmentsMerged: number;
  trashExpired: number;
  snapshotsVoided: number;
  refusedDeletes: number;
}

/**
 * Carries out what sealed rounds decided: index segments without the packs that go, then those packs, then what readers ignore
 * already. Everything is told from the storage alone and can be repeated, so whoever comes next finishes it after a crash.
 */
export class RemovalRun {
  readonly removal: Removal = {
    packsRemoved: 0,
    bytesRemoved: 0,
    segmentsMerged: 0,
    trashExpired: 0,
    snapshotsVoided: 0,
    refusedDeletes: 0,
  };
  readonly #parts: RepositoryParts;
  readonly #state: CollectionState;
  readonly #now: Date;
  readonly #rewriteOldKeys: boolean;

  /** @param state read after the newest round was sealed */
  constructor(
    parts: RepositoryParts,
    state: CollectionState,
    { now, rewriteOldKeys }: { now: Date; rewriteOldKeys: boolean },
  ) {
    this.#parts = parts;
    this.#state = state;
    this.#now = now;
    this.#rewriteOldKeys = rewriteOldKeys;
  }

  async run(signal?: AbortSignal): Promise<Removal> {
    await this.#rewriteIndex(signal);
    await this.#removePacks(signal);
    await this.#finishForgetting();
    await this.#emptyTrash();
    await this.#removeVoided();
    await removeStaleMarks(this.#parts);
    return this.removal;
  }

  /** Old segments go only after what takes their place was read again and found complete (kopia's issue 5371). */
  async #rewriteIndex(signal: AbortSignal | undefined): Promise<void> {
    const { index, keyring } = this.#parts;
    await index.refresh();
    const atWork = await sessionsAtWork(this.#parts);
    const { removed } = this.#state;
    const groups = groupsToMerge(
      [...index.segments].map(([name, { packs, rows, epoch, session }]) => ({
        name,
        rows,
        mustGo:
          packs.some((number) => removed.has(index.pack(number).idHex)) ||
          (this.#rewriteOldKeys && epoch !== keyring().currentEpoch),
        spared: session !== undefined && atWork.has(session),
      })),
    );
    for (const group of groups) {
      signal?.throwIfAborted();
      await this.#merge(group);
    }
  }

  async #merge(names: readonly string[]): Promise<void> {
    const { storage, index } = this.#parts;
    const inputs: NamedSegment[] = [];
    for (const name of names) {
      const segment = await this.#readSegment(name);
      // Another collector that finishes the same round was faster.
      if (segment === undefined) return;
      inputs.push({ name, segment });
    }
    const merged = mergeSegments(inputs, this.#state.removed);
    if (merged === undefined) verifyMerge(inputs, this.#state.removed, undefined);
    else {
      const { key, bytes } = encodeIndexSegment(this.#parts.keyring(), merged);
      await storage.putNew(key, bytes);
      const written = await this.#readSegment(key);
      if (written === undefined || written.rows.length / ROW_LENGTH !== merged.rows.length / ROW_LENGTH)
        throw new HoldfastError(
          'internal',
          'index-merge-failed',
          'A merged index segment does not read as it was written; nothing was replaced by it.',
        );
      verifyMerge(inputs, this.#state.removed, written);
      index.learn(key, written);
    }
    await this.#deleteEach(names.map((key) => ({ key })));
    index.unlearn(names);
    this.removal.segmentsMerged += names.length;
  }

  async #readSegment(name: string) {
    try {
      return decodeIndexSegment(this.#parts.keyring(), name, await this.#parts.storage.get(name));
    } catch (error) {
      if (error instanceof HoldfastError && error.code === 'object-missing') return undefined;
      throw error;
    }
  }

  async #removePacks(signal: AbortSignal | undefined): Promise<void> {
    const named = new Set(this.#parts.index.packs.map(({ idHex }) => idHex));
    const packs = (await this.#parts.storage.list('packs/')).filter(({ key }) => {
      const idHex = packIdOf(key);
      // The index never leads the storage: a pack that some segment still names (a late one) waits for the next collection.
      return idHex !== undefined && this.#state.removed.has(idHex) && !named.has(idHex);
    });
    const gone = await this.#deleteEach(packs, signal);
    this.removal.packsRemoved += gone.length;
    this.removal.bytesRemoved += gone.reduce((sum, { size }) => sum + size, 0);
  }

  /** A commit that the trash holds is forgotten; its forgetting was interrupted before the snapshot was deleted. */
  async #finishForgetting(): Promise<void> {
    const { storage } = this.#parts;
    const trash = new Set((await storage.list(TRASH, { sizes: false })).map(({ key }) => key.slice(TRASH.length)));
    const snapshots = await storage.list(SNAPSHOTS, { sizes: false });
    await this.#deleteEach(snapshots.filter(({ key }) => trash.has(key.slice(SNAPSHOTS.length))));
  }

  /**
   * What the newest seal lists was forgotten since, and stays to the next round, or that would find it vanished without a trace.
   * What still is among the snapshots could not be deleted.
   */
  async #emptyTrash(): Promise<void> {
    const { storage } = this.#parts;
    const snapshots = new Set((await storage.list(SNAPSHOTS, { sizes: false })).map(({ key }) => key));
    const expired = (await readTrash(this.#parts)).filter((entry) => {
      const { commitName } = entry;
      const stays = snapshots.has(snapshotKey(commitName)) || this.#state.seal?.commitNames.has(commitName) === true;
      return !stays && isOver(entry, this.#now);
    });
    await inLanes(expired, STORAGE_LANES, async ({ commitName }) => {
      // Whoever forgot it did not wait for that to last: a power cut would bring it back, and without its trash entry it would count.
      if (!(await this.#delete(snapshotKey(commitName), { durable: true }))) return;
      if (await this.#delete(`${TRASH}${commitName}`)) this.removal.trashExpired++;
      for (const { key } of await storage.list(`updates/${commitName}/`, { sizes: false })) await this.#delete(key);
    });
  }

  /** A void commit stays void: its name never comes again, so that its writer's next commit is not the one deleted here. */
  async #removeVoided(): Promise<void> {
    const { voided } = await listSnapshots(this.#parts, this.#state);
    this.removal.snapshotsVoided += (await this.#deleteEach(voided.map((name) => ({ key: snapshotKey(name) })))).length;
  }

  /** Several at a time: only what one step removes must be gone before the next begins, in any order. @returns those that are gone */
  async #deleteEach<Named extends { key: string }>(objects: readonly Named[], signal?: AbortSignal): Promise<Named[]> {
    const gone: Named[] = [];
    await inLanes(objects, STORAGE_LANES, async (object) => {
      signal?.throwIfAborted();
      if (await this.#delete(object.key)) gone.push(object);
    });
    return gone;
  }

  /** @returns false where the storage keeps it, by a retention lock or by its rights */
  async #delete(key: string, options?: { durable: boolean }): Promise<boolean> {
    try {
      await this.#parts.storage.delete(key, options);
      return true;
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.kind !== 'denied') throw error;
      this.removal.refusedDeletes++;
      return false;
    }
  }
}

/** Removes the objects of rounds before `round`, whose condemned packs that one carries on. */
export async function foldRounds(parts: RepositoryParts, state: CollectionState, round: number): Promise<void> {
  for (const earlier of state.rounds) {
    if (earlier.round >= round) continue;
    // In this order: what is left after a crash still says the same, or less than the later round says again.
    for (const part of ['done', 'condemned', 'resolution'] as const) {
      try {
        await parts.storage.delete(roundName(earlier.round, part));
      } catch (error) {
        if (!(error instanceof HoldfastError) || error.kind !== 'denied') throw error;
      }
    }
  }
}
