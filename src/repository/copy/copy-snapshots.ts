import type { Backup } from '../../core/backup.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { CopyOptions, CopyReport } from '../../core/ports/repository-copy.ts';
import type { RepositoryParts } from '../repository-parts.ts';
import { backupIdOf, laterCommitName, SNAPSHOTS, TRASH } from '../snapshot-name.ts';
import { EngineSnapshotWriter } from '../snapshot-writer.ts';
import { copyChunks } from './copy-chunks.ts';

/**
 * Copies snapshots from one repository to another whose chunks have the same ids: chunks that are not there yet are read, compared
 * with their ids, stored and indexed, and then the same record is committed, which looks for each of its chunks once more. A copy
 * that is broken off goes on from the chunks that are there.
 *
 * @throws HoldfastError `copy-unrelated` (invalid), `copy-would-forget-most` (conflict), `snapshot-missing` (not-found)
 */
export async function copySnapshots(
  source: RepositoryParts,
  target: RepositoryParts,
  options: CopyOptions,
): Promise<CopyReport> {
  refuseUnrelated(source, target);
  const started = performance.now();
  const report = await new Copying(source, target, options).run();
  return { ...report, durationMilliseconds: Math.round(performance.now() - started) };
}

/** A collection that takes away what a copy relies on has it begin again. */
const MOST_ATTEMPTS = 3;

class Copying {
  readonly #source: RepositoryParts;
  readonly #target: RepositoryParts;
  readonly #options: CopyOptions;
  readonly #copied: string[] = [];
  readonly #failed: { snapshotId: string; code: string; message: string }[] = [];
  /** Names of commits in the target that are taken: forgotten there, or void. */
  #taken: ReadonlySet<string> = new Set();
  #updated = 0;
  #chunks = 0;
  #bytes = 0;

  constructor(source: RepositoryParts, target: RepositoryParts, options: CopyOptions) {
    this.#source = source;
    this.#target = target;
    this.#options = options;
  }

  async run(): Promise<CopyReport> {
    const { dryRun, signal, report, snapshotIds } = this.#options;
    const there = await this.#source.snapshots.list();
    const here = new Set(await this.#target.snapshots.list());
    const wanted = snapshotIds === undefined ? there : await this.#withBases(snapshotIds);
    this.#taken = new Set([...(await namesBelow(this.#target, SNAPSHOTS)), ...(await namesBelow(this.#target, TRASH))]);
    // What was never changed there was copied as it is.
    const changed = new Set([...(await namesBelow(this.#source, 'updates/'))].map(backupIdOf));
    for (const [done, id] of wanted.entries()) {
      signal?.throwIfAborted();
      if (here.has(id)) {
        if (changed.has(id)) await this.#update(id);
      } else if (dryRun) this.#copied.push(id);
      else await this.#copyOrNote(id);
      report?.({ phase: 'snapshots', done: done + 1, total: wanted.length });
    }
    const forgotten = await this.#forget(there, [...here]);
    const idsOf = (backups: readonly Backup[]) => backups.map(({ id }) => id);
    return {
      dryRun,
      copied: this.#copied,
      present: wanted.filter((id) => here.has(id)),
      updated: this.#updated,
      forgotten: idsOf(forgotten.filter(isBackup)),
      forgottenKept: idsOf(forgotten.filter((backup) => !isBackup(backup))),
      failed: this.#failed,
      chunks: this.#chunks,
      bytes: this.#bytes,
      durationMilliseconds: 0,
    };
  }

  /** Bases come before what builds on them: ids are ordered as backups were made. */
  async #withBases(ids: readonly string[]): Promise<string[]> {
    const wanted = new Set<string>();
    for (let open = [...ids]; open.length > 0; ) {
      const next: string[] = [];
      for (const id of open) {
        if (wanted.has(id)) continue;
        wanted.add(id);
        next.push(...(await this.#basesOf(id)));
      }
      open = next;
    }
    return [...wanted].sort();
  }

  /** What does not open is noted when it is to be copied, beside which all others are. */
  async #basesOf(id: string): Promise<string[]> {
    try {
      const { parentId, baseFullId } = (await this.#source.snapshots.read(id)).record.backup;
      return [parentId, baseFullId].filter((base) => base !== undefined);
    } catch (error) {
      if (error instanceof HoldfastError && error.kind === 'damaged') return [];
      throw error;
    }
  }

  async #copyOrNote(id: string): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        await this.#copy(id);
        this.#copied.push(id);
        return;
      } catch (error) {
        if (!(error instanceof HoldfastError)) throw error;
        if (error.code === 'collected-meanwhile' && attempt < MOST_ATTEMPTS) continue;
        // Forgotten since the listing; or somebody else copies at this moment.
        if (error.code === 'snapshot-missing' || error.code === 'snapshot-exists') return;
        if (error.kind !== 'damaged' && error.kind !== 'not-found') throw error;
        this.#failed.push({ snapshotId: id, code: error.code, message: error.message });
        return;
      }
    }
  }

  async #copy(id: string): Promise<void> {
    const [source, target] = [this.#source, this.#target];
    const { signal } = this.#options;
    const { record } = await source.snapshots.read(id);
    await source.followCollection();
    const { base } = await target.followCollection();
    const writer = new EngineSnapshotWriter(target, {
      snapshotId: id,
      commitName: this.#taken.has(id) ? laterCommitName(id) : id,
      base,
      encrypt: record.backup.encrypted,
      ...(signal === undefined ? {} : { signal }),
    });
    try {
      const { chunks, bytes } = await copyChunks(source, target, { record, writer, signal });
      await writer.adopt(record);
      this.#chunks += chunks;
      this.#bytes += bytes;
    } catch (error) {
      await writer.abort();
      throw error;
    }
  }

  async #update(id: string): Promise<void> {
    let now: Backup;
    let before: Backup;
    try {
      now = (await this.#source.snapshots.read(id)).record.backup;
      before = (await this.#target.snapshots.read(id)).record.backup;
    } catch (error) {
      // Damage on one side is for a check of that side to name; the other one stays as it is.
      if (error instanceof HoldfastError && ['damaged', 'not-found'].includes(error.kind)) return;
      throw error;
    }
    if (changeable(now) === changeable(before)) return;
    this.#updated++;
    if (!this.#options.dryRun) await this.#target.snapshots.update({ ...before, ...now, status: before.status });
  }

  /** What is held is never forgotten, and neither is most of a copy because of what somebody did to the source. */
  async #forget(there: readonly string[], here: readonly string[]): Promise<Backup[]> {
    const { forgetMissing, dryRun, snapshotIds } = this.#options;
    if (forgetMissing === undefined || snapshotIds !== undefined) return [];
    const { trashDays, allowMost } = forgetMissing;
    const exists = new Set(there);
    const missing = new Map<string, Backup>();
    for (const id of here.filter((known) => !exists.has(known))) {
      const backup = await this.#readHere(id);
      if (backup !== undefined && !backup.held) missing.set(id, backup);
    }
    if (!allowMost) await this.#refuseMost(missing, here);
    const reason = 'The repository that this one is a copy of has it no more.';
    if (!dryRun)
      for (const id of missing.keys()) {
        const now = this.#target.clock.now();
        await this.#target.snapshots.forget(id, { now, trashDays, reason });
      }
    return [...missing.values()];
  }

  /** Pieces of logs and kept variants do not count: they are soon replaced by others, and many would hide that backups go. */
  async #refuseMost(missing: ReadonlyMap<string, Backup>, here: readonly string[]): Promise<void> {
    const going = [...missing.values()].filter(isBackup);
    if (going.length < 2) return;
    let backups = going.length;
    for (const id of here) {
      if (backups >= 2 * going.length) return;
      if (missing.has(id)) continue;
      const backup = await this.#readHere(id);
      if (backup === undefined || isBackup(backup)) backups++;
    }
    if (backups >= 2 * going.length) return;
    throw new HoldfastError(
      'conflict',
      'copy-would-forget-most',
      `${going.length} of the ${backups} backups in ${this.#target.storage.location} are not in ${this.#source.storage.location} any more. None of them was forgotten in the copy; what is new was copied. If they were deleted on purpose, copy again and allow it.`,
      { details: { backupIds: going.slice(0, 20).map(({ id }) => id) } },
    );
  }

  /** Undefined for what does not open, as it may be held, and for what was forgotten meanwhile. */
  async #readHere(id: string): Promise<Backup | undefined> {
    try {
      return (await this.#target.snapshots.read(id)).record.backup;
    } catch (error) {
      if (error instanceof HoldfastError && ['damaged', 'not-found'].includes(error.kind)) return undefined;
      throw error;
    }
  }
}

function isBackup({ log, variant, sidecar }: Backup): boolean {
  return (log ?? variant ?? sidecar) === undefined;
}

/** Of commits; `updates/` holds a folder for each. */
async function namesBelow({ storage }: RepositoryParts, prefix: string): Promise<Set<string>> {
  const keys = (await storage.list(prefix, { sizes: false })).map(({ key }) => key);
  return new Set(keys.map((key) => key.slice(prefix.length).split('/', 1)[0] as string));
}

/** The state is of the bytes here, not of those there. */
function changeable({ held, expiresAt, metadata }: Backup): string {
  return JSON.stringify([held, expiresAt, metadata.tags, metadata.version, metadata.source, metadata.retentionDays]);
}

/** @throws HoldfastError `copy-unrelated`, `copy-of-itself` (invalid) */
export function refuseUnrelated(source: RepositoryParts, target: RepositoryParts): void {
  if (source.settings.repositoryId === target.settings.repositoryId)
    throw new HoldfastError(
      'invalid',
      'copy-of-itself',
      `${target.storage.location} holds the same repository as ${source.storage.location}. Choose another place for the copy.`,
    );
  const [theirs, ours] = [source.keyring(), target.keyring()];
  if (theirs.idKey.equals(ours.idKey) && theirs.chunkerKey.equals(ours.chunkerKey)) return;
  throw new HoldfastError(
    'invalid',
    'copy-unrelated',
    `${target.storage.location} was not made as a copy of ${source.storage.location}: their chunks have different names. Name an empty place, and the copy is made there.`,
  );
}
