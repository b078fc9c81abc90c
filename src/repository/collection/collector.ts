import { HoldfastError } from '../../core/errors.ts';
import type { CollectionOptions, CollectionReport } from '../../core/ports/repository-collection.ts';
import type { SnapshotRecord } from '../../core/snapshot-record.ts';
import { encodeMetadata } from '../metadata-encoding.ts';
import { CIPHER_GCM } from '../record-cipher.ts';
import { listBadPacks } from '../repair/bad-packs.ts';
import type { RepositoryParts } from '../repository-parts.ts';
import { SEALED_KIND, sealObject } from '../sealed-object.ts';
import type { StoredSnapshot } from '../snapshot-codec.ts';
import {
  type CollectionState,
  latestRound,
  newestRound,
  type RoundPart,
  readCollectionState,
  roundName,
} from './collection-state.ts';
import { keptPacks } from './kept-packs.ts';
import { hasOldKey, oldObjects, sealAgain } from './old-keys.ts';
import { foldRounds, type Removal, RemovalRun } from './removal.ts';
import { repack } from './repack.ts';
import { listSnapshots, type Survey, survey } from './survey.ts';
import { readTrash } from './trash.ts';

/**
 * Removes what no backup needs, by rounds of condemn → list again → seal → remove (engines.md 6.2; docs/repository-format.md,
 * section 15). Any number may run at once, of which at most one makes progress; what a crash leaves, the next one finishes.
 */
export async function collect(parts: RepositoryParts, options: CollectionOptions): Promise<CollectionReport> {
  const started = performance.now();
  let report = await new Collector(parts, options).run();
  while (options.rewriteOldKeys?.all === true && report.outcome === 'removed' && report.oldKeyPacks > 0) {
    const next = await new Collector(parts, options).run();
    const hasProgress = next.outcome === 'removed' && next.oldKeyPacks < report.oldKeyPacks;
    report = next.outcome === 'lost-race' ? report : added(report, next);
    if (!hasProgress) break;
  }
  return { ...report, durationMilliseconds: Math.round(performance.now() - started) };
}

/** What two collections did one after the other. */
function added(first: CollectionReport, second: CollectionReport): CollectionReport {
  const sum = { ...second, outcome: first.outcome };
  for (const count of COUNTS) sum[count] += first[count];
  return sum;
}

const COUNTS = [
  'packsRemoved',
  'packsRepacked',
  'bytesFreed',
  'packsKept',
  'orphanPacks',
  'segmentsMerged',
  'sealedAgain',
  'trashExpired',
  'snapshotsVoided',
  'refusedDeletes',
] as const;

class Collector {
  readonly #parts: RepositoryParts;
  readonly #options: CollectionOptions;
  readonly #report: CollectionReport;

  constructor(parts: RepositoryParts, options: CollectionOptions) {
    this.#parts = parts;
    this.#options = options;
    this.#report = {
      dryRun: options.dryRun,
      outcome: 'nothing-to-do',
      packsRemoved: 0,
      packsRepacked: 0,
      bytesFreed: 0,
      packsKept: 0,
      orphanPacks: 0,
      segmentsMerged: 0,
      oldKeyPacks: 0,
      oldKeyBytes: 0,
      oldKeyQuarantined: 0,
      sealedAgain: 0,
      trashExpired: 0,
      snapshotsVoided: 0,
      refusedDeletes: 0,
      liveChunks: 0,
      missingChunks: 0,
      durationMilliseconds: 0,
    };
  }

  async run(): Promise<CollectionReport> {
    if (this.#options.dryRun) return this.#countOldKeys(this.#describe(await survey(this.#parts, this.#options)));
    if (!(await this.#settleEarlierRounds())) return this.#lostRace();
    if (this.#options.rewriteOldKeys !== undefined)
      this.#report.sealedAgain = await sealAgain(this.#parts, this.#options.signal);
    const base = await newestRound(this.#parts.storage);
    let found: Survey;
    try {
      found = await survey(this.#parts, this.#options);
    } catch (error) {
      // Another collector took away what this one was looking at.
      if (
        error instanceof HoldfastError &&
        error.code === 'collection-stopped-by-damage' &&
        (await this.#isBehind(base))
      )
        return this.#lostRace();
      throw error;
    }
    if (found.state.newest !== base) return this.#lostRace();
    this.#report.liveChunks = found.liveness.liveChunks;
    this.#report.missingChunks = found.liveness.missingChunks;
    return this.#countOldKeys(await this.#round(found));
  }

  /** A round that was sealed is finished; one that was not will never be. @returns false where another collector is at it */
  async #settleEarlierRounds(): Promise<boolean> {
    const state = await readCollectionState(this.#parts.storage, this.#parts.keyring());
    for (const { round, condemned, outcome } of state.rounds)
      if (condemned && outcome === undefined && !(await this.#resolve(round, 'cancelled', [], []))) return false;
    const newest = state.rounds.at(-1);
    if (newest?.outcome === 'sealed' && !newest.done) await this.#remove(newest.round, 0);
    return true;
  }

  async #round(found: Survey): Promise<CollectionReport> {
    const { index } = this.#parts;
    const { signal } = this.#options;
    const { rewritten, bytes } = await repack(this.#parts, found, signal);
    const candidates = [
      ...[...found.dead, ...rewritten].map((number) => index.pack(number).idHex),
      ...found.orphans.keys(),
    ];
    const nothingGoes = candidates.length === 0 && found.expiredTrash.length === 0 && found.leftOver.size === 0;
    // A round of its own takes the place of those that earlier keys sealed.
    if (nothingGoes && !(await this.#hasRoundsOfOldKeys())) return this.#onlyTidy(found);
    signal?.throwIfAborted();
    const round = found.state.newest + 1;
    if (!(await this.#condemn(round, candidates, found.state))) return this.#lostRace();
    const { valid } = await listSnapshots(this.#parts, found.state);
    const kept = await keptPacks(this.#parts, new Set(candidates), await this.#unmarked(found, valid));
    // The copy that a chunk was to be kept in may have been found bad since: the next collection knows.
    if ([...(await listBadPacks(this.#parts.storage))].some((idHex) => !found.bad.has(idHex))) {
      await this.#resolve(round, 'cancelled', [], []);
      return this.#lostRace();
    }
    if (!(await this.#resolve(round, 'sealed', [...valid.keys()], kept)) || (await this.#isBehind(round)))
      return this.#lostRace();
    const removal = await this.#remove(round, bytes);
    const orphans = [...found.orphans.keys()].filter((idHex) => !kept.includes(idHex)).length;
    return Object.assign(this.#report, counted(removal), {
      outcome: 'removed',
      round,
      packsRepacked: rewritten.length,
      bytesFreed: removal.bytesRemoved - bytes,
      packsKept: kept.length,
      orphanPacks: orphans,
    });
  }

  /** What came since the first look: snapshots, and such as were made and forgotten in between. In this order, as they move. */
  async #unmarked(found: Survey, valid: ReadonlyMap<string, StoredSnapshot>): Promise<SnapshotRecord[]> {
    const expired = new Set(found.expiredTrash.map(({ commitName }) => commitName));
    const trash = (await readTrash(this.#parts)).filter(({ commitName }) => !expired.has(commitName));
    const since = [...[...valid].map(([commitName, { record }]) => ({ commitName, record })), ...trash];
    return since.filter(({ commitName }) => !found.marked.has(commitName)).map(({ record }) => record);
  }

  /** Nothing goes, so no round is needed; small segments are merged all the same. */
  async #onlyTidy(found: Survey): Promise<CollectionReport> {
    const removal = await this.#removalRun(found.state);
    return Object.assign(this.#report, counted(removal));
  }

  /**
   * Packs that earlier rounds removed stay condemned for ever: a writer that was suspended for a week may still write a row that
   * names one. They are carried on, so that earlier rounds' objects can go.
   *
   * @returns false where another collector is ahead
   */
  async #condemn(round: number, candidates: readonly string[], state: CollectionState): Promise<boolean> {
    const packs = [...new Set([...candidates, ...state.removed])].sort().map((idHex) => Buffer.from(idHex, 'hex'));
    if (!(await this.#create(round, 'condemned', { version: 1, packs }))) return false;
    if (!(await this.#isBehind(round))) return true;
    // This collector slept while others came and folded the round of this number: writers have not looked for it.
    await this.#resolve(round, 'cancelled', [], []);
    return false;
  }

  async #resolve(
    round: number,
    outcome: 'sealed' | 'cancelled',
    snapshots: readonly string[],
    kept: readonly string[],
  ): Promise<boolean> {
    return this.#create(round, 'resolution', {
      version: 1,
      outcome,
      snapshots,
      kept: kept.map((idHex) => Buffer.from(idHex, 'hex')),
    });
  }

  /** @param written bytes of packs that this round wrote anew */
  async #remove(round: number, written: number): Promise<Removal> {
    const { storage, keyring } = this.#parts;
    const state = await readCollectionState(storage, keyring());
    const removal = await this.#removalRun(state);
    const { packsRemoved, bytesRemoved, trashExpired } = removal;
    await this.#create(round, 'done', {
      version: 1,
      completedAt: (await storage.serverTime()).toISOString(),
      packsRemoved,
      bytesFreed: bytesRemoved - written,
      snapshotsExpired: trashExpired,
    });
    await foldRounds(this.#parts, state, round);
    await this.#parts.followCollection();
    return removal;
  }

  async #removalRun(state: CollectionState): Promise<Removal> {
    const now = this.#options.now ?? (await this.#parts.storage.serverTime());
    const rewriteOldKeys = this.#options.rewriteOldKeys !== undefined;
    return new RemovalRun(this.#parts, state, { now, rewriteOldKeys }).run(this.#options.signal);
  }

  async #hasRoundsOfOldKeys(): Promise<boolean> {
    return this.#options.rewriteOldKeys !== undefined && (await oldObjects(this.#parts, 'gc/')).length > 0;
  }

  async #countOldKeys(report: CollectionReport): Promise<CollectionReport> {
    const { index, keyring } = this.#parts;
    const old = index.packs.filter((pack) => hasOldKey(pack, keyring()));
    return Object.assign(report, {
      oldKeyPacks: old.length,
      oldKeyBytes: old.reduce((sum, { size }) => sum + size, 0),
      // What is damaged cannot be sealed again, and people may still want it.
      oldKeyQuarantined: (await oldObjects(this.#parts, 'quarantine/')).length,
    });
  }

  async #create(round: number, part: RoundPart, content: Readonly<Record<string, unknown>>): Promise<boolean> {
    const { storage, keyring } = this.#parts;
    const name = roundName(round, part);
    const codec = { name: 'zstd', level: 3 } as const;
    const bytes = sealObject(keyring(), encodeMetadata(content), {
      kind: SEALED_KIND[part],
      name,
      cipher: CIPHER_GCM,
      codec,
    });
    if ((await storage.putNew(name, bytes)) === 'created') return true;
    // An answer that was lost on its way may have been to this very call.
    return (await storage.get(name).catch(() => undefined))?.equals(bytes) ?? false;
  }

  async #isBehind(round: number): Promise<boolean> {
    return (await latestRound(this.#parts.storage)) > round;
  }

  #lostRace(): CollectionReport {
    return Object.assign(this.#report, { outcome: 'lost-race' });
  }

  #describe(found: Survey): CollectionReport {
    const { index } = this.#parts;
    const uses = found.liveness.packUses();
    const sizeOf = (number: number): number => index.pack(number).size;
    const sum = (sizes: Iterable<number>): number => [...sizes].reduce((total, size) => total + size, 0);
    const spareBytes = found.sparse.map((number) => {
      const use = uses[number] ?? { length: 1, liveLength: 1 };
      return Math.round(sizeOf(number) * (1 - use.liveLength / Math.max(use.length, 1)));
    });
    const packsRemoved = found.dead.length + found.sparse.length + found.orphans.size + found.leftOver.size;
    return Object.assign(this.#report, {
      outcome: packsRemoved + found.expiredTrash.length > 0 ? 'would-remove' : 'nothing-to-do',
      packsRemoved,
      packsRepacked: found.sparse.length,
      orphanPacks: found.orphans.size,
      bytesFreed:
        sum(found.dead.map(sizeOf)) + sum(spareBytes) + sum(found.orphans.values()) + sum(found.leftOver.values()),
      trashExpired: found.expiredTrash.length,
      liveChunks: found.liveness.liveChunks,
      missingChunks: found.liveness.missingChunks,
    });
  }
}

function counted(removal: Removal): Partial<CollectionReport> {
  const { bytesRemoved, ...counts } = removal;
  return { ...counts, bytesFreed: bytesRemoved };
}
