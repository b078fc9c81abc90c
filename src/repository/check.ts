import { HoldfastError } from '../core/errors.ts';
import type { CheckFinding, CheckOptions, CheckReport } from '../core/ports/repository-check.ts';
import type { SnapshotRecord } from '../core/snapshot-record.ts';
import { findingOf } from './check/findings.ts';
import { checkPacks } from './check/pack-checks.ts';
import { schedulePacks } from './check/pack-schedule.ts';
import { checkSlots } from './check/slot-checks.ts';
import { SnapshotReferences } from './check/snapshot-references.ts';
import { sizesById, VerificationLedger } from './check/verification-ledger.ts';
import { type CollectionState, isValidSnapshot, readCollectionState } from './collection/collection-state.ts';
import { readTrashEntry } from './collection/trash.ts';
import { listSlots } from './key-slots.ts';
import { packIdOf, packKey } from './pack-format.ts';
import { listBadPacks } from './repair/bad-packs.ts';
import type { RepositoryParts } from './repository-parts.ts';
import { openObject, SEALED_KIND } from './sealed-object.ts';
import { backupIdOf, SNAPSHOTS, snapshotKey, TRASH } from './snapshot-name.ts';

/**
 * Checks a repository up to a level (engines.md 6.4): 0 settings, keys and snapshots decode; 1 packs are there in full;
 * 2 every chunk of every snapshot resolves; 3 packs have the SHA-256 they are named after; 4 every chunk decrypts,
 * decompresses and has the id it is filed under. Whatever it finds is reported once more read, and named. Backups and collections
 * may go on meanwhile: what they remove is not taken for damage.
 */
export async function checkRepository(parts: RepositoryParts, options: CheckOptions): Promise<CheckReport> {
  const started = performance.now();
  const check = new Check(parts, options);
  await check.run();
  return {
    level: options.level,
    findings: check.findings,
    checked: check.checked,
    ...(check.verification === undefined ? {} : { verification: check.verification }),
    durationMilliseconds: Math.round(performance.now() - started),
  };
}

class Check {
  readonly findings: CheckFinding[] = [];
  readonly checked = { snapshots: 0, packs: 0, chunks: 0, bytes: 0 };
  verification: CheckReport['verification'];
  readonly #parts: RepositoryParts;
  readonly #options: CheckOptions;
  readonly #records: SnapshotRecord[] = [];
  readonly #sizes = new Map<string, number>();
  #references: SnapshotReferences | undefined;

  constructor(parts: RepositoryParts, options: CheckOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  async run(): Promise<void> {
    const { level } = this.#options;
    await this.#checkKeys();
    await this.#checkRounds();
    await this.#checkTrash();
    if (!(await this.#checkSnapshots()) || level < 1) return;
    const bad = await listBadPacks(this.#parts.storage);
    await this.#checkPresence(bad);
    if (level >= 2) await this.#checkReferences(bad);
    const ledger = await this.#readLedger();
    if (level >= 3) await this.#checkPacks(bad, ledger);
    this.verification = ledger.state(level >= 4 ? 4 : 3, sizesById(this.#sizes));
  }

  async #checkKeys(): Promise<void> {
    const look = async (): Promise<CheckFinding[]> => {
      const { slots, damaged } = await listSlots(this.#parts.storage);
      return [...damaged.map(({ key, error }) => findingOf(error, key)), ...checkSlots(this.#parts, slots)];
    };
    const found = await look();
    // Of two rotations that met, the slower one takes its slots away, which look like damage until then.
    this.findings.push(...(found.length === 0 ? found : await look()));
  }

  /** Rounds of collections, those as well that nobody has to read any more. */
  async #checkRounds(): Promise<void> {
    for (const { key } of await this.#parts.storage.list('gc/', { sizes: false })) {
      const kind = key.split('/')[2];
      if (kind !== 'condemned' && kind !== 'resolution' && kind !== 'done') continue;
      try {
        const bytes = await this.#parts.storage.get(key);
        openObject(this.#parts.keyring(), bytes, { kind: SEALED_KIND[kind], name: key });
      } catch (error) {
        // A collection has folded it into a later one since it was listed.
        if (!isCode(error, 'object-missing')) this.#addError(error, key);
      }
    }
  }

  /** Forgotten backups that could not be brought back. */
  async #checkTrash(): Promise<void> {
    for (const { key } of await this.#parts.storage.list(TRASH, { sizes: false }))
      try {
        await readTrashEntry(this.#parts, key.slice(TRASH.length));
      } catch (error) {
        this.#addError(error, key, [backupIdOf(key.slice(TRASH.length))]);
      }
  }

  /** @returns false where it cannot be told which snapshots count, so that nothing else can be judged either */
  async #checkSnapshots(): Promise<boolean> {
    const state = await readCollectionState(this.#parts.storage, this.#parts.keyring()).catch((error: unknown) => {
      // Which snapshots count cannot be told; what is damaged was named before.
      if (this.findings.some(({ object }) => object.startsWith('gc/'))) return undefined;
      throw error;
    });
    if (state === undefined) return false;
    const listed = (await this.#parts.storage.list(SNAPSHOTS, { sizes: false }))
      .map((object) => object.key.slice(SNAPSHOTS.length))
      .sort();
    const asked = this.#options.snapshotIds;
    const names = asked === undefined ? listed : commitsOf(asked, listed);
    for (const [index, name] of names.entries()) {
      this.#options.signal?.throwIfAborted();
      await this.#checkSnapshot(name, state);
      this.#options.report?.({ phase: 'snapshots', done: index + 1, total: names.length });
    }
    return true;
  }

  async #checkSnapshot(name: string, state: CollectionState): Promise<void> {
    this.checked.snapshots++;
    try {
      const { record, base } = await this.#parts.snapshots.readUnjudged(name);
      if (isValidSnapshot(state, name, base)) this.#records.push(record);
      else
        this.#add(
          'warning',
          'snapshot-not-committed',
          snapshotKey(name),
          `${record.backup.id} was never committed: its writer ended in the middle of it. It is ignored everywhere.`,
        );
    } catch (error) {
      // Somebody forgot it since it was listed.
      if (this.#options.snapshotIds === undefined && isCode(error, 'snapshot-missing')) this.checked.snapshots--;
      else this.#addError(error, snapshotKey(name), [backupIdOf(name)]);
    }
  }

  async #checkPresence(bad: ReadonlySet<string>): Promise<void> {
    const { storage, index } = this.#parts;
    try {
      await this.#parts.followCollection();
    } catch (error) {
      this.#addError(error, 'index/');
    }
    for (const { key, size } of await storage.list('packs/')) this.#sizes.set(key, size);
    const { packs } = index;
    for (const [done, pack] of packs.entries()) {
      const key = packKey(pack.idHex);
      const size = this.#sizes.get(key);
      if (bad.has(pack.idHex))
        this.#add('warning', 'pack-marked-bad', key, `${key} is known to be damaged: nothing new relies on it.`);
      else if (size === undefined) await this.#addMissing(key);
      else if (size !== pack.size)
        this.#add('damage', 'pack-size-differs', key, `${key} has ${size} bytes where ${pack.size} were written.`);
      if (done % 1000 === 0) this.#options.report?.({ phase: 'packs present', done, total: packs.length });
    }
    const known = new Set(packs.map((pack) => packKey(pack.idHex)));
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

  async #addMissing(key: string): Promise<void> {
    if (await this.#wasRemoved(key)) return;
    this.#add('damage', 'pack-missing', key, `${key} is in the index but not in the storage.`);
  }

  /** Whether a collector has removed a pack since the index was read. */
  async #wasRemoved(key: string): Promise<boolean> {
    const packId = packIdOf(key);
    const { removed } = await this.#parts.followCollection();
    return removed.has(packId ?? '') || !this.#parts.index.packs.some(({ idHex }) => idHex === packId);
  }

  async #checkReferences(bad: ReadonlySet<string>): Promise<void> {
    const absent = new Set(
      this.findings.filter(({ code }) => code === 'pack-missing').map(({ object }) => packIdOf(object) ?? ''),
    );
    const { signal } = this.#options;
    this.#references = new SnapshotReferences(this.#parts, {
      bad,
      absent,
      ...(signal === undefined ? {} : { signal }),
    });
    for (const [index, record] of this.#records.entries()) {
      this.findings.push(...(await this.#references.check(record)));
      this.#options.report?.({ phase: 'references', done: index + 1, total: this.#records.length });
    }
  }

  async #readLedger(): Promise<VerificationLedger> {
    const { storage, keyring } = this.#parts;
    const ledger = await VerificationLedger.read(storage, keyring);
    for (const { key, error } of ledger.damaged)
      this.#add('warning', 'ledger-damaged', key, `${error.message} What it said was verified is verified again.`);
    return ledger;
  }

  async #checkPacks(bad: ReadonlySet<string>, ledger: VerificationLedger): Promise<void> {
    const { level: asked, budget, snapshotIds } = this.#options;
    const level = asked >= 4 ? 4 : 3;
    const needed = snapshotIds === undefined ? undefined : this.#references?.neededPacks;
    const wanted = [...this.#sizes].filter(([key]) => {
      const id = packIdOf(key) ?? '';
      return !bad.has(id) && (needed === undefined || needed.has(id));
    });
    const keys = schedulePacks(new Map(wanted), level, ledger, budget, this.#parts.clock.now());
    const { findings, ...counts } = await checkPacks(this.#parts, keys, {
      ...this.#options,
      level,
      sizes: this.#sizes,
      ledger,
      maxDurationMilliseconds: budget?.maxDurationMilliseconds ?? Number.POSITIVE_INFINITY,
      wasRemoved: (key) => this.#wasRemoved(key),
    });
    Object.assign(this.checked, counts);
    this.findings.push(...(await this.#namingSnapshots(findings)));
  }

  /** Adds to findings of damaged packs which snapshots have chunks in them. */
  async #namingSnapshots(findings: readonly CheckFinding[]): Promise<CheckFinding[]> {
    const damaged = new Set(
      findings.flatMap(({ severity, object }) => (severity === 'damage' ? (packIdOf(object) ?? []) : [])),
    );
    if (damaged.size === 0) return [...findings];
    const users = await this.#references?.usersOf(damaged, this.#records);
    return findings.map((finding) => {
      const snapshotIds = users?.get(packIdOf(finding.object) ?? '');
      return snapshotIds === undefined || finding.severity !== 'damage' ? finding : { ...finding, snapshotIds };
    });
  }

  #addError(error: unknown, object: string, snapshotIds?: readonly string[]): void {
    const finding = findingOf(error, object, snapshotIds);
    const isKnown = (other: CheckFinding): boolean => other.object === finding.object && other.code === finding.code;
    if (snapshotIds === undefined && this.findings.some(isKnown)) return;
    this.findings.push(finding);
  }

  #add(severity: CheckFinding['severity'], code: string, object: string, message: string): void {
    this.findings.push({ severity, code, object, message });
  }
}

function isCode(error: unknown, code: string): boolean {
  return error instanceof HoldfastError && error.code === code;
}

/** What is asked for and not listed is looked for by its id, to be found missing. */
function commitsOf(ids: readonly string[], listed: readonly string[]): string[] {
  return ids.flatMap((id) => {
    const names = listed.filter((name) => backupIdOf(name) === id);
    return names.length === 0 ? [id] : names;
  });
}
