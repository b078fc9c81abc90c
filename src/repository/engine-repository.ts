import { monotonicFactory } from 'ulid';
import type { Backup } from '../core/backup.ts';
import type {
  RepairOptions,
  Repository,
  RepositoryKeys,
  RepositoryStatistics,
  SnapshotReader,
} from '../core/ports/repository.ts';
import type { CheckOptions, CheckReport } from '../core/ports/repository-check.ts';
import type { CollectionOptions, CollectionReport, ForgottenSnapshot } from '../core/ports/repository-collection.ts';
import type { CopyOptions, CopyReport, NewCopy } from '../core/ports/repository-copy.ts';
import type { IndexRebuildReport, RepairReport } from '../core/ports/repository-repair.ts';
import type { StepProgress } from '../core/ports/step-progress.ts';
import { randomFraction } from '../core/random-fraction.ts';
import type { SnapshotRecord } from '../core/snapshot-record.ts';
import { sizesById, VerificationLedger } from './check/verification-ledger.ts';
import { checkRepository } from './check.ts';
import { newestRound, readLastCollection } from './collection/collection-state.ts';
import { collect } from './collection/collector.ts';
import { hasOldKey } from './collection/old-keys.ts';
import { readTrash } from './collection/trash.ts';
import { undelete } from './collection/undelete.ts';
import { copySnapshots } from './copy/copy-snapshots.ts';
import { rebuildIndex } from './index-rebuild.ts';
import { initialiseRepository } from './initialise-repository.ts';
import { repairRepository } from './repair/repair-repository.ts';
import { EngineKeys } from './repository-keys.ts';
import type { OpenKeys, RepositoryParts } from './repository-parts.ts';
import { EngineSnapshotReader } from './snapshot-reader.ts';
import { EngineSnapshotWriter } from './snapshot-writer.ts';

/** An open repository: the engine's face to the managers. */
export class EngineRepository implements Repository {
  readonly id: string;
  readonly keys: RepositoryKeys;
  readonly #parts: RepositoryParts;

  constructor(parts: RepositoryParts, keys: { current: OpenKeys }, id: string) {
    this.id = id;
    this.#parts = parts;
    this.keys = new EngineKeys(parts, keys);
  }

  get location(): string {
    return this.#parts.storage.location;
  }

  async beginSnapshot(options: { encrypt: boolean; signal?: AbortSignal }): Promise<EngineSnapshotWriter> {
    // New data must not be sealed with a key that another process has replaced.
    await this.#parts.followRotation();
    const base = await newestRound(this.#parts.storage);
    return new EngineSnapshotWriter(this.#parts, {
      snapshotId: nextSnapshotId(this.#parts.clock.now()),
      base,
      ...options,
    });
  }

  async openSnapshot(id: string): Promise<SnapshotReader> {
    const { record } = await this.#parts.following(() => this.#parts.snapshots.read(id));
    if (!('inline' in record.root.content) || record.root.kind === 'tree')
      await this.#parts.following(() => this.#parts.followCollection());
    return new EngineSnapshotReader(this.#parts, record);
  }

  async listSnapshots(): Promise<readonly string[]> {
    return this.#parts.following(() => this.#parts.snapshots.list());
  }

  async updateSnapshot(id: string, change: (backup: Backup) => Backup): Promise<void> {
    await this.#parts.followRotation();
    const { record } = await this.#parts.following(() => this.#parts.snapshots.read(id));
    await this.#parts.snapshots.update(change(record.backup));
  }

  async forgetSnapshot(id: string, options: { trashDays: number; reason: string }): Promise<void> {
    const now = this.#parts.clock.now();
    await this.#parts.following(() => this.#parts.snapshots.forget(id, { ...options, now }));
  }

  async check(options: CheckOptions): Promise<CheckReport> {
    await this.#parts.followRotation();
    return this.#parts.following(() => checkRepository(this.#parts, options));
  }

  async repair(options: RepairOptions): Promise<RepairReport> {
    await this.#parts.followRotation();
    const { donors = [], ...rest } = options;
    return repairRepository(
      this.#parts,
      (snapshot) => this.beginSnapshot(snapshot),
      rest,
      donors.map((donor) => EngineRepository.#partsOf(donor)),
    );
  }

  rebuildIndex(options: {
    signal?: AbortSignal;
    report?: (progress: StepProgress) => void;
  }): Promise<IndexRebuildReport> {
    return this.#parts.following(() => rebuildIndex(this.#parts, options));
  }

  async statistics(): Promise<RepositoryStatistics> {
    const { storage, index, settings, keyring } = this.#parts;
    await this.#parts.following(() => index.refresh());
    const [packs, segments, snapshots, trash] = await Promise.all([
      storage.list('packs/'),
      storage.list('index/'),
      storage.list('snapshots/'),
      storage.list('trash/'),
    ]);
    const ledger = await this.#parts.following(() => VerificationLedger.read(storage, keyring));
    const lastCollection = await this.#parts.following(() => readLastCollection(storage, keyring()));
    const sum = (objects: readonly { size: number }[]): number =>
      objects.reduce((total, object) => total + object.size, 0);
    return {
      formatVersion: settings.formatVersion,
      snapshots: snapshots.length,
      packs: packs.length,
      packBytes: sum(packs),
      indexSegments: segments.length,
      chunks: index.chunkCount,
      totalBytes: sum(packs) + sum(segments) + sum(snapshots) + sum(trash),
      cipher: settings.cipher,
      codec: settings.codec.name,
      keyEpoch: keyring().currentEpoch,
      oldKeyBytes: sum(index.packs.filter((pack) => hasOldKey(pack, keyring()))),
      trash: trash.length,
      verification: ledger.state(3, sizesById(new Map(packs.map(({ key, size }) => [key, size])))),
      ...(lastCollection === undefined ? {} : { lastCollection }),
    };
  }

  async collect(options: CollectionOptions): Promise<CollectionReport> {
    await this.#parts.followRotation();
    return this.#parts.following(() => collect(this.#parts, options));
  }

  async listTrash(): Promise<readonly ForgottenSnapshot[]> {
    const entries = await this.#parts.following(() => readTrash(this.#parts));
    return entries.map(({ record, ...entry }) => ({ ...entry, backup: record.backup }));
  }

  async undeleteSnapshot(id: string): Promise<SnapshotRecord> {
    await this.#parts.followRotation();
    return this.#parts.following(() => undelete(this.#parts, id));
  }

  async initialiseCopy(options: NewCopy): Promise<void> {
    const { chunker, pages, inlineFileLimit, inlineContentLimit, packs, frameTarget } = this.#parts.settings;
    await this.#parts.followRotation();
    await initialiseRepository({
      ...options,
      settings: { chunker, pages, inlineFileLimit, inlineContentLimit, packs, frameTarget, ...options.settings },
      clock: this.#parts.clock,
      kin: this.#parts.keyring(),
    });
  }

  async copyFrom(source: Repository, options: CopyOptions): Promise<CopyReport> {
    const from = EngineRepository.#partsOf(source);
    await Promise.all([from.followRotation({ now: true }), this.#parts.followRotation({ now: true })]);
    return from.following(() => this.#parts.following(() => copySnapshots(from, this.#parts, options)));
  }

  static #partsOf(repository: Repository): RepositoryParts {
    if (repository instanceof EngineRepository) return repository.#parts;
    throw new TypeError('Snapshots are copied between repositories of one engine.');
  }

  async close(): Promise<void> {
    await this.#parts.pool.close();
    await this.#parts.storage.close();
  }
}

const nextUlid = monotonicFactory(randomFraction);

/** `backup-` and a monotonic ULID: ids sort as they were made. */
function nextSnapshotId(now: Date): string {
  return `backup-${nextUlid(now.getTime())}`;
}
