import { createHash } from 'node:crypto';
import { HoldfastError } from '../../core/errors.ts';
import type { RepairOptions } from '../../core/ports/repository.ts';
import type { CheckFinding } from '../../core/ports/repository-check.ts';
import type { IncompleteSnapshot, RepairReport, RepairStep } from '../../core/ports/repository-repair.ts';
import type { StepProgress } from '../../core/ports/step-progress.ts';
import { VerificationLedger } from '../check/verification-ledger.ts';
import { checkRepository } from '../check.ts';
import { readCollectionState } from '../collection/collection-state.ts';
import { isLoss } from '../content-list.ts';
import { rebuildIndex } from '../index-rebuild.ts';
import { packKey } from '../pack-format.ts';
import type { RepositoryParts } from '../repository-parts.ts';
import { WriterSessionMark } from '../session-mark.ts';
import { listBadPacks } from './bad-packs.ts';
import { Donors } from './donors.ts';
import { ObjectRepair } from './object-repair.ts';
import { damagedPacksOf, PackRepair } from './pack-repair.ts';
import { quarantine } from './quarantine.ts';
import { Replicas } from './replicas.ts';
import { type BeginSnapshot, SnapshotRepair } from './snapshot-repair.ts';

/**
 * Repairs a repository (engines.md 6.5), in an order in which each step can rely on the ones before: look → index → packs →
 * snapshot objects → snapshots beside those that miss something. Each step is complete by itself and says the same again, so
 * that an interrupted repair is simply begun anew. Nothing that may still be of use is deleted, and what a newer Holdfast wrote
 * is not touched at all.
 */
export async function repairRepository(
  parts: RepositoryParts,
  beginSnapshot: BeginSnapshot,
  options: Omit<RepairOptions, 'donors'>,
  donors: readonly RepositoryParts[],
): Promise<RepairReport> {
  const started = performance.now();
  const repair = new Repair(parts, beginSnapshot, options, donors);
  const mark = new WriterSessionMark(parts, `repair-${process.pid}`);
  // Collectors spare packs that no segment names yet while somebody is at work.
  if (!options.dryRun) await mark.write();
  try {
    await repair.run();
  } finally {
    if (!options.dryRun) await mark.remove();
  }
  return {
    dryRun: options.dryRun,
    findings: repair.findings,
    steps: repair.steps,
    incomplete: repair.incomplete,
    durationMilliseconds: Math.round(performance.now() - started),
  };
}

class Repair {
  findings: readonly CheckFinding[] = [];
  readonly steps: RepairStep[] = [];
  readonly incomplete: IncompleteSnapshot[] = [];
  readonly #parts: RepositoryParts;
  readonly #beginSnapshot: BeginSnapshot;
  readonly #options: Omit<RepairOptions, 'donors'>;
  readonly #donors: readonly RepositoryParts[];

  constructor(
    parts: RepositoryParts,
    beginSnapshot: BeginSnapshot,
    options: Omit<RepairOptions, 'donors'>,
    donors: readonly RepositoryParts[],
  ) {
    this.#parts = parts;
    this.#donors = donors;
    this.#beginSnapshot = beginSnapshot;
    this.#options = options;
  }

  async run(): Promise<void> {
    const { level = 4, replicas: storages = [], dryRun, signal, report } = this.#options;
    const replicas = await Replicas.open(storages, this.#parts.settings.repositoryId);
    this.findings = await this.#check(level);
    refuseNewer(this.findings);
    const objects = new ObjectRepair(this.#parts, replicas, dryRun);
    if (!(await this.#knowsRounds()) && !(await this.#mendRounds(objects, level))) {
      this.steps.push(...objects.steps);
      return;
    }
    const marked = await listBadPacks(this.#parts.storage);
    const packs = new PackRepair(this.#parts, replicas, { dryRun, marked });
    const indexIsHurt = isIndexHurt(this.findings);
    if (indexIsHurt) await this.#mendIndex();
    await this.#mendPacks(packs, marked);
    for (const key of new Set(this.findings.filter(isDamage).map(({ object }) => object))) await objects.mend(key);
    this.steps.push(...objects.steps);
    await this.#fetchFromDonors(packs);
    if (indexIsHurt && dryRun) {
      this.steps.push(NOT_YET_KNOWN);
      return;
    }
    const snapshots = new SnapshotRepair(this.#parts, packs, {
      beginSnapshot: this.#beginSnapshot,
      dryRun,
      signal,
      report,
    });
    await snapshots.run();
    this.steps.push(...snapshots.steps);
    this.incomplete.push(...snapshots.incomplete);
  }

  /** What collections decided says which backups count. */
  async #knowsRounds(): Promise<boolean> {
    try {
      await readCollectionState(this.#parts.storage, this.#parts.keyring());
      return true;
    } catch (error) {
      if (!isLoss(error)) throw error;
      return false;
    }
  }

  /**
   * @returns whether the rest can be looked at now, which is in `findings` then as well; false in dry runs alone
   * @throws HoldfastError `collection-round-damaged` (damaged): without a copy nothing else can be mended either
   */
  async #mendRounds(objects: ObjectRepair, level: RepairOptions['level'] & {}): Promise<boolean> {
    const rounds = this.findings.filter((finding) => isDamage(finding) && finding.object.startsWith('gc/'));
    for (const { object } of rounds) await objects.mend(object);
    const left = objects.steps.find(({ action }) => action === 'leave');
    if (left !== undefined)
      throw new HoldfastError('damaged', 'collection-round-damaged', left.message, {
        details: { object: left.object },
      });
    if (!(await this.#knowsRounds())) return false;
    this.findings = [...rounds, ...(await this.#check(level)).filter(({ object }) => !isOneOf(rounds, object))];
    refuseNewer(this.findings);
    return true;
  }

  /** What is lost here may be whole in a copy. */
  async #fetchFromDonors(packs: PackRepair): Promise<void> {
    const { dryRun, signal } = this.#options;
    const damaged = this.findings.filter(isDamage);
    if (damaged.length === 0 && packs.bad.size === 0) return;
    const donors = new Donors(this.#parts, this.#donors, { beginSnapshot: this.#beginSnapshot, dryRun, signal });
    await donors.fetchSnapshots(new Set(damaged.map(({ object }) => object)));
    await donors.fetchChunks(packs);
    this.steps.push(...donors.steps);
  }

  async #check(level: RepairOptions['level'] & {}): Promise<readonly CheckFinding[]> {
    const { signal, report } = this.#options;
    const { findings } = await checkRepository(this.#parts, {
      level,
      ...(signal === undefined ? {} : { signal }),
      ...(report === undefined
        ? {}
        : { report: (step: StepProgress) => report({ ...step, phase: `check: ${step.phase}` }) }),
    });
    return findings;
  }

  async #mendIndex(): Promise<void> {
    const { storage } = this.#parts;
    const segments = await this.#damagedSegments();
    if (!this.#options.dryRun) {
      for (const [key, bytes] of segments) await quarantine(storage, key, bytes);
      const { signal } = this.#options;
      await rebuildIndex(this.#parts, signal === undefined ? {} : { signal });
    }
    const why = segments.size === 0 ? 'Packs are in no index segment' : `${segments.size} index segments are damaged`;
    const message = `${why}: the index is written anew from the packs.`;
    this.steps.push({ action: 'rebuild-index', object: [...segments.keys()][0] ?? 'index/', message });
  }

  /** Segments that do not have the SHA-256 of their name. */
  async #damagedSegments(): Promise<Map<string, Buffer>> {
    const { storage } = this.#parts;
    const damaged = new Map<string, Buffer>();
    for (const { key } of await storage.list('index/', { sizes: false })) {
      const bytes = await storage.get(key);
      if (createHash('sha256').update(bytes).digest('hex') !== key.slice('index/'.length)) damaged.set(key, bytes);
    }
    return damaged;
  }

  async #mendPacks(packs: PackRepair, marked: ReadonlySet<string>): Promise<void> {
    const { storage, keyring } = this.#parts;
    const { removed } = await this.#parts.followCollection().catch((error: unknown) => {
      // In a dry run a damaged segment is still there.
      if (this.#options.dryRun && error instanceof HoldfastError && error.kind === 'damaged') return { removed: NONE };
      throw error;
    });
    const ledger = await VerificationLedger.read(storage, keyring);
    const indexed = this.#parts.index.packs.map(({ idHex }) => idHex);
    const suspects = new Set([
      ...damagedPacksOf(this.findings),
      ...marked,
      ...indexed.filter((packId) => ledger.isDamaged(packId)),
    ]);
    for (const [done, packId] of [...suspects].sort().entries()) {
      this.#options.signal?.throwIfAborted();
      this.#options.report?.({ phase: 'packs', done, total: suspects.size });
      if (!removed.has(packId))
        await packs.mend(
          packId,
          this.findings.filter(({ object }) => object === packKey(packId)),
        );
      else if (marked.has(packId)) await packs.forgetRemoved(packId);
    }
    this.steps.push(...packs.steps);
  }
}

const NONE: ReadonlySet<string> = new Set();

const NOT_YET_KNOWN: RepairStep = {
  action: 'leave',
  object: 'index/',
  message: 'Which backups miss something can be told only once the index is rebuilt.',
};

function isOneOf(findings: readonly CheckFinding[], object: string): boolean {
  return findings.some((finding) => finding.object === object);
}

function isDamage({ severity }: CheckFinding): boolean {
  return severity === 'damage';
}

/** Segments that are damaged, or lost: packs that none names while chunks are missing. */
function isIndexHurt(findings: readonly CheckFinding[]): boolean {
  if (findings.some((finding) => isDamage(finding) && finding.object.startsWith('index/'))) return true;
  const has = (wanted: string): boolean => findings.some(({ code }) => code === wanted);
  return has('packs-not-indexed') && has('chunk-missing');
}

/** A pack that does not have the SHA-256 of its name is damaged, whatever its version byte says now. */
function refuseNewer(findings: readonly CheckFinding[]): void {
  const changed = new Set(findings.filter(({ code }) => code === 'pack-hash-differs').map(({ object }) => object));
  const newer = findings.filter(({ severity, object }) => severity === 'unsupported' && !changed.has(object));
  if (newer.length === 0) return;
  throw new HoldfastError(
    'unsupported',
    'format-newer',
    `${newer[0]?.object} was written by a newer Holdfast${newer.length > 1 ? `, as were ${newer.length - 1} more objects` : ''}. Nothing was changed. Repair this repository with that version.`,
    { details: { objects: newer.slice(0, 20).map(({ object }) => object) } },
  );
}
