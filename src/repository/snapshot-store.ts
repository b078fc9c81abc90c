import type { Backup } from '../core/backup.ts';
import { HoldfastError } from '../core/errors.ts';
import type { Storage } from '../core/ports/storage.ts';
import type { SnapshotRecord } from '../core/snapshot-record.ts';
import { type CollectionState, isValidSnapshot, readCollectionState } from './collection/collection-state.ts';
import type { Keyring } from './keyring.ts';
import { encodeMetadata } from './metadata-encoding.ts';
import { CIPHER_NONE, cipherIdOf } from './record-cipher.ts';
import { openObject, SEALED_KIND, type SealedKind, sealObject } from './sealed-object.ts';
import type { RepositorySettings } from './settings.ts';
import {
  decodeSnapshot,
  encodeSnapshot,
  encodeUpdate,
  malformed,
  type StoredSnapshot,
  withUpdate,
} from './snapshot-codec.ts';
import { backupIdOf, SNAPSHOTS, snapshotKey, TRASH } from './snapshot-name.ts';

/** The objects under `snapshots/`, `updates/` and `trash/`. */
export class SnapshotStore {
  readonly #storage: Storage;
  readonly #keyring: () => Keyring;
  readonly #settings: RepositorySettings;

  constructor(storage: Storage, keyring: () => Keyring, settings: RepositorySettings) {
    this.#storage = storage;
    this.#keyring = keyring;
    this.#settings = settings;
  }

  /**
   * Publishes a snapshot; the one act that makes a backup exist.
   * @param commitName see `laterCommitName`
   * @returns bytes written
   */
  async create(record: SnapshotRecord, base: number, commitName: string): Promise<number> {
    const name = snapshotKey(commitName);
    const bytes = this.#seal(SEALED_KIND.snapshot, name, encodeSnapshot(record, base), record.backup.encrypted);
    const outcome = await this.#storage.putNew(name, bytes);
    if (outcome === 'exists' && !(await this.#storage.get(name)).equals(bytes)) {
      throw new HoldfastError('conflict', 'snapshot-exists', `There is a snapshot named ${record.backup.id} already.`, {
        details: { object: name },
      });
    }
    return bytes.length;
  }

  /** Reads a snapshot that counts. @throws HoldfastError `snapshot-missing` (not-found), `object-damaged` */
  async read(id: string): Promise<StoredSnapshot> {
    // All but few backups have one commit, named as they are.
    const first = await this.#readCounting(id);
    if (first !== undefined) return first;
    for (const name of await this.#laterCommits(id)) {
      const later = await this.#readCounting(name);
      if (later !== undefined) return later;
    }
    throw missing(id);
  }

  async #readCounting(commitName: string): Promise<StoredSnapshot | undefined> {
    let stored: StoredSnapshot;
    try {
      stored = await this.readUnjudged(commitName);
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw error;
    }
    const state = await readCollectionState(this.#storage, this.#keyring());
    const counts = isValidSnapshot(state, commitName, stored.base) && !(await this.#isForgotten(commitName));
    return counts ? stored : undefined;
  }

  async #laterCommits(id: string): Promise<string[]> {
    const names = (await this.#storage.list(SNAPSHOTS, { sizes: false })).map(({ key }) => key.slice(SNAPSHOTS.length));
    return names.filter((name) => name !== id && backupIdOf(name) === id).sort();
  }

  /** A crash in the middle of forgetting leaves both objects; the trash counts. */
  #isForgotten(commitName: string): Promise<boolean> {
    return this.#exists(`${TRASH}${commitName}`);
  }

  async #exists(key: string): Promise<boolean> {
    try {
      await this.#storage.getRange(key, 0, 1);
      return true;
    } catch (error) {
      if (error instanceof HoldfastError && error.code === 'object-missing') return false;
      throw error;
    }
  }

  /** Reads a snapshot whether its commit counts or not. @throws HoldfastError `snapshot-missing` (not-found), `object-damaged` */
  async readUnjudged(commitName: string): Promise<StoredSnapshot> {
    const stored = await this.#readAt(commitName);
    return { ...stored, record: await this.updated(commitName, stored.record) };
  }

  /** @returns a record as it was sealed in a snapshot or in the trash, with what was changed of it since */
  async updated(commitName: string, record: SnapshotRecord): Promise<SnapshotRecord> {
    const newest = (await this.#storage.list(`updates/${commitName}/`, { sizes: false }))
      .map((object) => object.key)
      .sort()
      .at(-1);
    if (newest === undefined) return record;
    const plain = openObject(this.#keyring(), await this.#storage.get(newest), {
      kind: SEALED_KIND.update,
      name: newest,
    });
    return withUpdate(record, plain, newest);
  }

  /** Writes what may change of a backup (hold, expiry, metadata) beside each of its commits; the newest one counts. */
  async update(backup: Backup): Promise<void> {
    for (const name of await this.#countingCommits(backup.id)) await this.#updateCommit(name, backup);
  }

  async #updateCommit(commitName: string, backup: Backup): Promise<void> {
    const earlier = (await this.#storage.list(`updates/${commitName}/`, { sizes: false }))
      .map((object) => object.key)
      .sort();
    const last = /(\d+)$/.exec(earlier.at(-1) ?? '')?.[1] ?? '0';
    const name = `updates/${commitName}/${String(Number(last) + 1).padStart(8, '0')}`;
    const bytes = this.#seal(SEALED_KIND.update, name, encodeUpdate(backup), backup.encrypted);
    const outcome = await this.#storage.putNew(name, bytes);
    if (outcome === 'exists')
      throw new HoldfastError(
        'conflict',
        'snapshot-changed',
        `${backup.id} was changed by somebody else at this moment. Try again.`,
      );
    for (const key of earlier) await this.#storage.delete(key);
  }

  /** Ids of the snapshots that count, oldest first. */
  async list(): Promise<string[]> {
    const state = await readCollectionState(this.#storage, this.#keyring());
    const [snapshots, trash] = await Promise.all([
      this.#storage.list(SNAPSHOTS, { sizes: false }),
      this.#storage.list(TRASH, { sizes: false }),
    ]);
    const forgotten = new Set(trash.map((object) => object.key.slice(TRASH.length)));
    const names = snapshots.map((object) => object.key.slice(SNAPSHOTS.length)).filter((name) => !forgotten.has(name));
    const valid = new Set<string>();
    for (const name of names) if (await this.#isListedOrValid(state, name)) valid.add(backupIdOf(name));
    return [...valid].sort();
  }

  /** What does not open is listed, and can be forgotten: it must not hide the others, and opening it says what is wrong. */
  async #isListedOrValid(state: CollectionState, commitName: string): Promise<boolean> {
    if (state.seal === undefined || state.seal.commitNames.has(commitName)) return true;
    try {
      return isValidSnapshot(state, commitName, (await this.#readAt(commitName)).base);
    } catch (error) {
      // Forgotten or withdrawn since the listing.
      if (isMissing(error)) return false;
      if (error instanceof HoldfastError && error.kind === 'damaged') return true;
      throw error;
    }
  }

  /** Moves all commits of a backup to the trash. Crash-safe: a commit that the trash holds counts as forgotten. */
  async forget(id: string, options: { now: Date; trashDays: number; reason: string }): Promise<void> {
    for (const name of await this.#countingCommits(id)) await this.#forgetCommit(name, options);
  }

  /**
   * Names of the commits of a backup that count. Where the first one does, there is no other (whoever brings a backup back finishes
   * the forgetting of it), so that nothing is listed for nearly all backups.
   * @throws HoldfastError `snapshot-missing` (not-found)
   */
  async #countingCommits(id: string): Promise<string[]> {
    const state = await readCollectionState(this.#storage, this.#keyring());
    if (await this.#mayCount(state, id)) return [id];
    const later: string[] = [];
    for (const name of await this.#laterCommits(id)) if (await this.#mayCount(state, name)) later.push(name);
    if (later.length === 0) throw missing(id);
    return later;
  }

  async #mayCount(state: CollectionState, commitName: string): Promise<boolean> {
    if (!(await this.#exists(snapshotKey(commitName))) || (await this.#isForgotten(commitName))) return false;
    return this.#isListedOrValid(state, commitName);
  }

  async #forgetCommit(commitName: string, options: { now: Date; trashDays: number; reason: string }): Promise<void> {
    const name = snapshotKey(commitName);
    let snapshot: Buffer;
    try {
      snapshot = await this.#storage.get(name);
    } catch (error) {
      // Somebody else forgets it at this moment.
      if (error instanceof HoldfastError && error.code === 'object-missing') return;
      throw error;
    }
    const expiresAt = new Date(options.now.getTime() + options.trashDays * 86_400_000).toISOString();
    const trashName = `${TRASH}${commitName}`;
    const content = encodeMetadata({
      version: 1,
      id: commitName,
      forgottenAt: options.now.toISOString(),
      expiresAt,
      reason: options.reason,
      snapshot,
    });
    await this.#storage.putNew(trashName, this.#seal(SEALED_KIND.trash, trashName, content, true));
    await this.#storage.delete(name);
  }

  /** Takes back a snapshot that this writer published and must not stand: a power cut must not put it beside the next commit. */
  async withdraw(commitName: string): Promise<void> {
    await this.#storage.delete(snapshotKey(commitName), { durable: true });
  }

  async #readAt(commitName: string): Promise<StoredSnapshot> {
    const name = snapshotKey(commitName);
    const id = backupIdOf(commitName);
    let bytes: Buffer;
    try {
      bytes = await this.#storage.get(name);
    } catch (error) {
      if (error instanceof HoldfastError && error.code === 'object-missing') throw missing(id);
      throw error;
    }
    const stored = decodeSnapshot(openObject(this.#keyring(), bytes, { kind: SEALED_KIND.snapshot, name }), name);
    if (stored.record.backup.id !== id) throw malformed(name);
    return stored;
  }

  #seal(kind: SealedKind, name: string, plain: Uint8Array, encrypt: boolean): Buffer {
    const cipher = encrypt ? cipherIdOf(this.#settings.cipher) : CIPHER_NONE;
    return sealObject(this.#keyring(), plain, { kind, name, cipher, codec: this.#settings.codec });
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof HoldfastError && error.code === 'snapshot-missing';
}

function missing(id: string): HoldfastError {
  return new HoldfastError('not-found', 'snapshot-missing', `The repository has no snapshot ${id}.`, {
    details: { backupId: id },
  });
}
