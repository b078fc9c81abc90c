import { HoldfastError } from '../../core/errors.ts';
import type { CollectionOptions } from '../../core/ports/repository-collection.ts';
import { inLanes, STORAGE_LANES } from '../lanes.ts';
import { PACK_UNUSABLE } from '../pack-flags.ts';
import { packIdOf } from '../pack-format.ts';
import { listBadPacks } from '../repair/bad-packs.ts';
import type { RepositoryParts } from '../repository-parts.ts';
import type { StoredSnapshot } from '../snapshot-codec.ts';
import { backupIdOf, SNAPSHOTS } from '../snapshot-name.ts';
import { type CollectionState, isValidSnapshot } from './collection-state.ts';
import { Liveness, type PackUse } from './liveness.ts';
import { hasOldKey } from './old-keys.ts';
import { sessionsAtWork } from './session-marks.ts';
import { isOver, readTrash, type TrashEntry } from './trash.ts';

/** What a collector found at its first look. Pack numbers are the index's. */
export interface Survey {
  state: CollectionState;
  /** Names of commits, forgotten ones too, whose chunks were marked. */
  marked: ReadonlySet<string>;
  expiredTrash: readonly TrashEntry[];
  liveness: Liveness;
  /** Ids of packs that were marked bad then: copies in them count for nothing. */
  bad: ReadonlySet<string>;
  /** Packs of which nothing is needed. */
  dead: readonly number[];
  /** Packs of which so little is needed that it is worth copying. */
  sparse: readonly number[];
  /** Packs that no segment names and no writer at work may have written: id and bytes. */
  orphans: ReadonlyMap<string, number>;
  /** Packs that an earlier round removed and that are still there: id and bytes. */
  leftOver: ReadonlyMap<string, number>;
}

/** Commits that count, by their names, and those that an interruption left void. */
export interface ListedSnapshots {
  valid: ReadonlyMap<string, StoredSnapshot>;
  voided: readonly string[];
}

/** Reads all snapshot objects, whether the trash holds them as well or not. */
export async function listSnapshots(parts: RepositoryParts, state: CollectionState): Promise<ListedSnapshots> {
  const listed = await parts.storage.list(SNAPSHOTS, { sizes: false });
  const names = listed.map(({ key }) => key.slice(SNAPSHOTS.length)).sort();
  const found = new Map<string, StoredSnapshot>();
  await inLanes(names, STORAGE_LANES, async (name) => {
    try {
      found.set(name, await parts.snapshots.readUnjudged(name));
    } catch (error) {
      // Forgotten or withdrawn since the listing.
      if (!(error instanceof HoldfastError) || error.code !== 'snapshot-missing') throw error;
    }
  });
  const valid = new Map<string, StoredSnapshot>();
  const voided: string[] = [];
  for (const name of names) {
    const stored = found.get(name);
    if (stored === undefined) continue;
    if (isValidSnapshot(state, name, stored.base)) valid.set(name, stored);
    else voided.push(name);
  }
  return { valid, voided };
}

/** The first look: snapshots and trash, then the index, then who is at work. */
export async function survey(parts: RepositoryParts, options: CollectionOptions): Promise<Survey> {
  const { storage, index } = parts;
  const early = await parts.followCollection();
  const [{ valid }, trash] = [await listSnapshots(parts, early), await readTrash(parts)];
  const now = options.now ?? (await storage.serverTime());
  const expiredTrash = trash.filter((entry) => isOver(entry, now) && !valid.has(entry.commitName));
  const expired = new Set(expiredTrash.map(({ commitName }) => commitName));
  if (options.allowEmpty !== true) await refuseToEmpty(parts, early, valid, trash);
  const bad = new Set(await listBadPacks(storage));
  const state = await parts.followCollection();
  const liveness = new Liveness(parts);
  try {
    const live = [...[...valid.values()].map(({ record }) => record), ...unexpired(trash, expired)];
    let done = 0;
    await liveness.markAll(live, options.signal, () =>
      options.report?.({ phase: 'snapshots', done: ++done, total: live.length }),
    );
  } finally {
    await liveness.close();
  }
  const { repackBelow = DEFAULT_REPACK_BELOW } = options;
  const atWork = await sessionsAtWork(parts);
  const spared = new Uint8Array(liveness.packNumbers);
  for (const { packs, session } of index.segments.values())
    if (session !== undefined && atWork.has(session)) for (const number of packs) spared[number] = 1;
  const uses = liveness.packUses();
  const present = uses.flatMap((use, number) =>
    index.isGone(number) || state.removed.has(index.pack(number).idHex) ? [] : [{ use, number }],
  );
  const unspared = present.filter(({ number }) => spared[number] === 0);
  const { rewriteOldKeys } = options;
  const old = rewriteOldKeys === undefined ? new Set() : oldestKeys(parts, unspared, rewriteOldKeys.bytesPerRound);
  return {
    state,
    marked: new Set([
      ...valid.keys(),
      ...trash.map(({ commitName }) => commitName).filter((name) => !expired.has(name)),
    ]),
    expiredTrash,
    liveness,
    bad,
    dead: unspared.filter(({ use }) => use.liveRows === 0).map(({ number }) => number),
    sparse: unspared
      .filter(({ use, number }) => (index.flagsOf(number) & PACK_UNUSABLE) === 0 && use.liveRows > 0)
      .filter(({ use, number }) => isSparse(use, repackBelow) || old.has(number))
      .map(({ number }) => number),
    ...(await unindexed(parts, state, atWork.size > 0)),
  };
}

/** A pack is rewritten once less than this part of it is needed. */
const DEFAULT_REPACK_BELOW = 0.7;

function isSparse(use: PackUse, repackBelow: number): boolean {
  return use.liveLength < use.length * repackBelow;
}

/** Packs under keys that were rotated since, of the earliest epochs first. */
function oldestKeys(
  { index, keyring }: RepositoryParts,
  packs: readonly { use: PackUse; number: number }[],
  mostBytes: number,
): ReadonlySet<number> {
  const epochOf = (number: number): number => index.pack(number).header[7] as number;
  const old = packs
    .map(({ number }) => number)
    .filter((number) => hasOldKey(index.pack(number), keyring()))
    .sort((a, b) => epochOf(a) - epochOf(b) || a - b);
  const chosen = new Set<number>();
  let bytes = 0;
  for (const number of old) {
    bytes += index.pack(number).size;
    if (chosen.size > 0 && bytes > mostBytes) break;
    chosen.add(number);
  }
  return chosen;
}

function unexpired(trash: readonly TrashEntry[], expired: ReadonlySet<string>): TrashEntry['record'][] {
  return trash.filter(({ commitName }) => !expired.has(commitName)).map(({ record }) => record);
}

/** Packs beside the index. A writer at work has packs that its segment does not name yet. */
async function unindexed(
  parts: RepositoryParts,
  state: CollectionState,
  writersAtWork: boolean,
): Promise<Pick<Survey, 'orphans' | 'leftOver'>> {
  const known = new Set(parts.index.packs.map(({ idHex }) => idHex));
  const orphans = new Map<string, number>();
  const leftOver = new Map<string, number>();
  for (const { key, size } of await parts.storage.list('packs/')) {
    const idHex = packIdOf(key);
    if (idHex === undefined) continue;
    if (state.removed.has(idHex)) leftOver.set(idHex, size);
    else if (!known.has(idHex) && !writersAtWork) orphans.set(idHex, size);
  }
  return { orphans, leftOver };
}

/**
 * Errors of people and of storages look alike: of a repository that seems to hold nothing any more, or half of what it held,
 * nothing is removed unless somebody says that it is so (restic's issues 4568 and 4612; engines.md 6.3).
 */
async function refuseToEmpty(
  parts: RepositoryParts,
  state: CollectionState,
  valid: ReadonlyMap<string, unknown>,
  trash: readonly TrashEntry[],
): Promise<void> {
  if (valid.size === 0 && trash.length === 0) {
    if ((await parts.storage.list('packs/', { sizes: false })).length === 0) return;
    throw new HoldfastError(
      'conflict',
      'collection-would-empty-repository',
      'The repository lists no backup at all, so a collection would remove everything. If that is meant, collect again and allow an empty repository; if not, see what happened to `snapshots/` in the storage.',
    );
  }
  const explained = new Set([...[...valid.keys()].map(backupIdOf), ...trash.map(({ id }) => id)]);
  const before = [...new Set([...(state.seal?.commitNames ?? [])].map(backupIdOf))];
  const vanished = before.filter((id) => !explained.has(id));
  if (vanished.length > 1 && vanished.length > before.length / 2) {
    throw new HoldfastError(
      'conflict',
      'snapshots-vanished',
      `${vanished.length} of the ${before.length} backups that the last collection saw are neither there nor in the trash. Nothing was removed. See what happened to \`snapshots/\` in the storage; if it is meant, collect again and allow an empty repository.`,
      { details: { backupIds: vanished.slice(0, 20) } },
    );
  }
}
