import { HoldfastError } from '../core/errors.ts';
import type { CheckFinding, CheckOptions, CheckReport } from '../core/ports/repository.ts';
import type { SnapshotRecord } from '../core/snapshot-record.ts';
import { type CollectionState, isValidSnapshot, readCollectionState } from './collection-state.ts';
import { listSlots } from './key-slots.ts';
import { packIdOf, packKey } from './pack-format.ts';
import type { EngineTask } from './pipeline/engine-tasks.ts';
import { ENGINE_MODULE } from './pipeline/messages.ts';
import type { CheckedPack } from './pipeline/pack-check.ts';
import type { PoolSession } from './pipeline/worker-pool.ts';
import { referencedChunks } from './referenced-chunks.ts';
import type { RepositoryParts } from './repository-parts.ts';
import { snapshotName } from './snapshot-store.ts';

/**
 * Checks a repository up to a level (engines.md 6.4): 0 settings, keys and snapshots decode; 1 packs are there in full;
 * 2 every chunk of every snapshot resolves; 3 packs have the SHA-256 they are named after; 4 every chunk decrypts,
 * decompresses and has the id it is filed under. Whatever it finds is reported once more read, and named.
 */
export async function checkRepository(parts: RepositoryParts, options: CheckOptions): Promise<CheckReport> {
  const started = performance.now();
  const check = new Check(parts, options);
  await check.run();
  return {
    level: options.level,
    findings: check.findings,
    checked: check.checked,
    durationMilliseconds: Math.round(performance.now() - started),
  };
}

class Check {
  readonly findings: CheckFinding[] = [];
  readonly checked = { snapshots: 0, packs: 0, chunks: 0, bytes: 0 };
  readonly #parts: RepositoryParts;
  readonly #options: CheckOptions;
  readonly #records: SnapshotRecord[] = [];
  /** Packs that the chosen snapshots need, once level 2 has walked them. */
  readonly #needed = new Set<string>();
  readonly #sizes = new Map<string, number>();

  constructor(parts: RepositoryParts, options: CheckOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  async run(): Promise<void> {
    await this.#checkKeys();
    await this.#checkSnapshots();
    if (this.#options.level >= 1) await this.#checkPresence();
    if (this.#options.level >= 2) await this.#checkReferences();
    if (this.#options.level >= 3) await this.#checkPacks();
  }

  async #checkKeys(): Promise<void> {
    for (const { key, error } of (await listSlots(this.#parts.storage)).damaged) this.#addError(error, key);
  }

  async #checkSnapshots(): Promise<void> {
    const state = await readCollectionState(this.#parts.storage, this.#parts.keyring());
    const listed = (await this.#parts.storage.list('snapshots/', { sizes: false }))
      .map((object) => object.key.slice('snapshots/'.length))
      .sort();
    const ids = this.#options.snapshotIds ?? listed;
    for (const [index, id] of ids.entries()) {
      this.#options.signal?.throwIfAborted();
      await this.#checkSnapshot(id, state);
      this.#options.report?.({ phase: 'snapshots', done: index + 1, total: ids.length });
    }
  }

  async #checkSnapshot(id: string, state: CollectionState): Promise<void> {
    this.checked.snapshots++;
    try {
      const { record, base } = await this.#parts.snapshots.readUnjudged(id);
      if (isValidSnapshot(state, id, base)) this.#records.push(record);
      else
        this.#add(
          'warning',
          'snapshot-not-committed',
          snapshotName(id),
          `${id} was never committed: its writer ended in the middle of it. It is ignored everywhere.`,
        );
    } catch (error) {
      this.#addError(error, snapshotName(id), [id]);
    }
  }

  async #checkPresence(): Promise<void> {
    const { storage, index } = this.#parts;
    try {
      await index.refresh();
    } catch (error) {
      this.#addError(error, 'index/');
    }
    for (const { key, size } of await storage.list('packs/')) this.#sizes.set(key, size);
    for (const [done, pack] of index.packs.entries()) {
      const key = packKey(pack.idHex);
      const size = this.#sizes.get(key);
      if (size === undefined)
        this.#add('damage', 'pack-missing', key, `${key} is in the index but not in the storage.`);
      else if (size !== pack.size)
        this.#add('damage', 'pack-size-differs', key, `${key} has ${size} bytes where ${pack.size} were written.`);
      if (done % 1000 === 0) this.#options.report?.({ phase: 'packs present', done, total: index.packs.length });
    }
    const known = new Set(index.packs.map((pack) => packKey(pack.idHex)));
    const orphans = [...this.#sizes.keys()].filter((key) => !known.has(key));
    if (orphans.length > 0) {
      this.#add(
        'warning',
        'packs-not-indexed',
        'packs/',
        `${orphans.length} packs are in no index segment: left by backups that were broken off, or, if backups are missing chunks, a lost segment.`,
      );
    }
  }

  async #checkReferences(): Promise<void> {
    const seenPages = new Set<string>();
    const seenChunks = new Set<string>();
    const missingPacks = new Set(
      this.findings.filter((finding) => finding.code === 'pack-missing').map((finding) => finding.object),
    );
    for (const [index, record] of this.#records.entries()) {
      await this.#checkRecord(record, seenPages, seenChunks, missingPacks);
      this.#options.report?.({ phase: 'references', done: index + 1, total: this.#records.length });
    }
  }

  async #checkRecord(
    record: SnapshotRecord,
    seenPages: Set<string>,
    seenChunks: Set<string>,
    missingPacks: ReadonlySet<string>,
  ): Promise<void> {
    const name = snapshotName(record.backup.id);
    const hit = [record.backup.id];
    try {
      for await (const chunk of referencedChunks(this.#parts, record, seenPages)) {
        this.#options.signal?.throwIfAborted();
        const id = Buffer.from(chunk.id).toString('latin1');
        if (seenChunks.has(id)) continue;
        seenChunks.add(id);
        const place = chunk.path === undefined ? record.backup.id : `${record.backup.id}: ${chunk.path}`;
        const location = this.#parts.index.find(chunk.id);
        if (location === undefined) {
          this.#add(
            'damage',
            'chunk-missing',
            name,
            `${place} needs chunk ${Buffer.from(chunk.id).toString('hex')}, which is in no pack that the index knows.`,
            hit,
          );
          continue;
        }
        const key = packKey(this.#parts.index.pack(location.pack).idHex);
        this.#needed.add(key);
        if (missingPacks.has(key))
          this.#add('damage', 'chunk-missing', name, `${place} needs a chunk of ${key}, which is missing.`, hit);
      }
    } catch (error) {
      this.#addError(error, name, hit);
    }
  }

  async #checkPacks(): Promise<void> {
    const keys =
      this.#options.snapshotIds === undefined
        ? [...this.#sizes.keys()]
        : [...this.#needed].filter((key) => this.#sizes.has(key));
    const totalBytes = keys.reduce((sum, key) => sum + (this.#sizes.get(key) ?? 0), 0);
    const { pool, keyring, index } = this.#parts;
    const session = pool.openSession(
      { keyring: keyring().secrets(), index: index.shared },
      { packOf: (number) => index.pack(number) },
    );
    try {
      const queue = keys.values();
      const lanes = Array.from({ length: pool.size * 2 }, async () => {
        for (const key of queue) {
          this.#options.signal?.throwIfAborted();
          await this.#checkPack(session, key);
          this.#options.report?.({
            phase: 'packs',
            done: this.checked.packs,
            total: keys.length,
            doneBytes: this.checked.bytes,
            totalBytes,
          });
        }
      });
      await Promise.all(lanes);
    } finally {
      await session.close(false);
    }
  }

  async #checkPack(session: PoolSession, key: string): Promise<void> {
    if (packIdOf(key) === undefined) {
      this.#add('warning', 'object-unknown', key, `${key} is not named as a pack; nothing reads it.`);
      return;
    }
    const size = this.#sizes.get(key) ?? 0;
    const task: EngineTask = { kind: 'check-pack', key, size, decode: this.#options.level >= 4 };
    try {
      let result = (await session.run(ENGINE_MODULE, {}, task)) as CheckedPack;
      // Memory and networks err too: damage is declared only when a second read shows it again.
      if (result.findings.length > 0) result = (await session.run(ENGINE_MODULE, {}, task)) as CheckedPack;
      this.findings.push(...result.findings);
      this.checked.chunks += result.chunks;
      this.checked.bytes += result.bytes;
      this.checked.packs++;
    } catch (error) {
      this.#addError(error, key);
    }
  }

  #addError(error: unknown, object: string, snapshotIds?: readonly string[]): void {
    if (!(error instanceof HoldfastError) || error.kind === 'cancelled') throw error;
    const named = typeof error.details.object === 'string' ? error.details.object : object;
    const severity = error.kind === 'unsupported' ? 'unsupported' : 'damage';
    if (
      this.findings.some(
        (finding) => finding.object === named && finding.code === error.code && snapshotIds === undefined,
      )
    )
      return;
    this.#add(severity, error.code, named, error.message, snapshotIds);
  }

  #add(
    severity: CheckFinding['severity'],
    code: string,
    object: string,
    message: string,
    snapshotIds?: readonly string[],
  ): void {
    this.findings.push({ severity, code, object, message, ...(snapshotIds === undefined ? {} : { snapshotIds }) });
  }
}
