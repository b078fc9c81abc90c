import { createHash } from 'node:crypto';
import { HoldfastError } from '../../src/core/errors.ts';
import type { KeyProvider } from '../../src/core/ports/key-provider.ts';
import type { Repository } from '../../src/core/ports/repository.ts';
import type { Storage } from '../../src/core/ports/storage.ts';
import { initialiseRepository } from '../../src/repository/initialise-repository.ts';
import { openRepository } from '../../src/repository/open-repository.ts';
import type { SettingsChoice } from '../../src/repository/settings.ts';
import { keyOf, pieces, readBytes, recordOf } from '../temporary-repository.ts';
import { SeededRandom } from './seeded-random.ts';
import { SimulatedDisk } from './simulated-disk.ts';
import { type Actor, type FaultRates, NO_FAULTS, SimulatedWorld } from './simulated-world.ts';

/** A way to break the storage of every actor on purpose, to see that histories notice. */
export type Sabotage = (storage: Storage) => Storage;

export interface HistoryResult {
  seed: number;
  backups: number;
  restored: number;
  steps: number;
  crashes: number;
  collections: number;
}

const SETTINGS: SettingsChoice = {
  chunker: { algorithm: 'fastcdc-k1', minimum: 256, average: 1024, maximum: 4096 },
  pages: { minimum: 64, average: 256, maximum: 1024 },
  packs: { data: 65_536, metadata: 65_536 },
  frameTarget: 4096,
  inlineContentLimit: 64,
  codec: { name: 'raw', level: 0 },
};

/** What every history begins with: an empty repository. */
export async function emptyRepository(): Promise<{ disk: SimulatedDisk; provider: KeyProvider }> {
  const random = new SeededRandom(1);
  const provider = keyOf(random.bytes(32));
  const world = new SimulatedWorld(random, new SimulatedDisk(), NO_FAULTS);
  const actor = world.actor('init');
  const storage = world.storageFor(actor);
  await world.run(
    new Map([[actor, initialiseRepository({ storage, provider, label: 'simulated', settings: SETTINGS })]]),
  );
  return { disk: world.disk, provider };
}

/**
 * Several writers, readers, collectors and others at one repository, with faults, all by one seed; then a look at what is left.
 * @throws Error with the seed and the steps where a promise was broken
 */
export async function runHistory(
  seed: number,
  start: { disk: SimulatedDisk; provider: KeyProvider },
  sabotage: Sabotage = (storage) => storage,
): Promise<HistoryResult> {
  const history = new History(seed, start, sabotage);
  try {
    return await history.run();
  } catch (error) {
    const steps = history.world.trace.map((line, index) => `  ${index + 1}. ${line}`).join('\n');
    throw new Error(
      `History ${seed} broke a promise: ${error instanceof Error ? (error.stack ?? error.message) : error}\n${steps}\nReplay it with HOLDFAST_SIMULATION_SEED=${seed}.`,
      { cause: error },
    );
  }
}

const ALL_KEYS = { bytesPerRound: 1e6, all: true };

type Fate = 'reported' | 'uncertain' | 'forgotten';

class History {
  readonly world: SimulatedWorld;
  readonly #seed: number;
  readonly #random: SeededRandom;
  readonly #provider: KeyProvider;
  readonly #sabotage: Sabotage;
  readonly #contents: readonly Buffer[];
  readonly #backups = new Map<string, { bytes: Buffer; fate: Fate }>();
  readonly #opened: Repository[] = [];
  #broken: unknown;
  #crashes = 0;
  #collections = 0;
  #restored = 0;

  constructor(seed: number, start: { disk: SimulatedDisk; provider: KeyProvider }, sabotage: Sabotage) {
    this.#seed = seed;
    this.#random = new SeededRandom(seed);
    this.#provider = start.provider;
    this.#sabotage = sabotage;
    this.world = new SimulatedWorld(this.#random, start.disk, faultsOf(this.#random));
    this.#contents = Array.from({ length: 4 }, (_, n) => new SeededRandom(n + 1).bytes(1500 + n * 700));
  }

  async run(): Promise<HistoryResult> {
    const lives = 1 + this.#random.below(2);
    for (let life = 0; life < lives; life++) await this.#live(life);
    this.world.faults = NO_FAULTS;
    await this.#alone('judge', (repository) => this.#judge(repository));
    if (this.#broken !== undefined) throw this.#broken;
    return {
      seed: this.#seed,
      backups: this.#backups.size,
      restored: this.#restored,
      steps: this.world.trace.length,
      crashes: this.#crashes,
      collections: this.#collections,
    };
  }

  /** From a start of all actors to the end of all of them. */
  async #live(life: number): Promise<void> {
    const work = new Map<Actor, Promise<void>>();
    const roles: [string, (repository: Repository) => Promise<void>][] = [
      ['writer', (repository) => this.#write(repository)],
      ['writer', (repository) => this.#write(repository)],
      ['collector', (repository) => this.#collect(repository)],
    ];
    const more: typeof roles = [
      ['writer', (repository) => this.#write(repository)],
      ['collector', (repository) => this.#collect(repository)],
      ['reader', (repository) => this.#read(repository)],
      ['forgetter', (repository) => this.#forget(repository)],
      ['undeleter', (repository) => this.#undelete(repository)],
      ['indexer', async (repository) => void (await repository.rebuildIndex({}))],
      ['rotator', async (repository) => void (await repository.keys.rotate([this.#provider], { dropOthers: false }))],
    ];
    for (let count = 1 + this.#random.below(3); count > 0; count--) roles.push(this.#random.pick(more));
    for (const [index, [role, act]] of roles.entries()) {
      const actor = this.world.actor(`${role}${life}${index}`);
      work.set(actor, this.#act(actor, act));
    }
    await this.world.run(work);
    this.#crashes += [...work.keys()].filter(({ dead }) => dead).length;
    // Their promises never end; what they hold is memory only.
    for (const repository of this.#opened.splice(0)) void repository.close();
    if (this.#broken !== undefined) throw this.#broken;
  }

  async #act(actor: Actor, work: (repository: Repository) => Promise<void>): Promise<void> {
    try {
      await work(await this.#open(actor));
    } catch (error) {
      if (!isExpected(error)) this.#broken ??= error;
    }
  }

  async #alone(name: string, work: (repository: Repository) => Promise<void>): Promise<void> {
    const actor = this.world.actor(name);
    let failure: unknown;
    const done = (async () => work(await this.#open(actor)))().catch((error: unknown) => {
      failure = error;
    });
    await this.world.run(new Map([[actor, done]]));
    if (failure !== undefined) throw failure;
  }

  async #open(actor: Actor): Promise<Repository> {
    const repository = await openRepository({
      storage: this.#sabotage(this.world.storageFor(actor)),
      providers: [this.#provider],
      workers: 0,
      clock: { now: () => this.world.now() },
    });
    this.#opened.push(repository);
    return repository;
  }

  async #write(repository: Repository): Promise<void> {
    for (let count = 1 + this.#random.below(3); count > 0; count--) {
      const bytes = Buffer.concat(
        Array.from({ length: 1 + this.#random.below(3) }, () => this.#random.pick(this.#contents)),
      );
      const encrypt = this.#random.chance(0.85);
      try {
        const writer = await repository.beginSnapshot({ encrypt });
        try {
          const stored = await writer.writeStream(pieces(bytes, 3000));
          const { backup } = await writer.commit(recordOf(writer, stored, encrypt));
          this.#backups.set(backup.id, { bytes, fate: 'reported' });
        } catch (error) {
          await writer.abort().catch(ignoreExpected);
          throw error;
        }
      } catch (error) {
        ignoreExpected(error);
      }
    }
  }

  async #read(repository: Repository): Promise<void> {
    for (let count = 2; count > 0; count--) {
      const choice = this.#pickWith('reported');
      if (choice === undefined) continue;
      const [id, backup] = choice;
      try {
        const bytes = await readBytes(repository, id);
        if (!bytes.equals(backup.bytes)) throw new Error(`${id} restored other bytes than were backed up.`);
        this.#restored++;
      } catch (error) {
        // Somebody may have begun to forget it, and a collector may have come by.
        if (backup.fate === 'reported' || !(error instanceof HoldfastError)) ignoreExpected(error);
      }
    }
  }

  async #forget(repository: Repository): Promise<void> {
    for (let count = 1 + this.#random.below(3); count > 0; count--) {
      const choice = this.#pickWith('reported');
      if (choice === undefined) continue;
      const [id, backup] = choice;
      backup.fate = 'uncertain';
      try {
        await repository.forgetSnapshot(id, { trashDays: this.#random.below(2), reason: 'simulated' });
        backup.fate = 'forgotten';
      } catch (error) {
        ignoreExpected(error);
      }
    }
  }

  async #undelete(repository: Repository): Promise<void> {
    const choice = this.#pickWith('forgotten');
    if (choice === undefined) return;
    const [id, backup] = choice;
    backup.fate = 'uncertain';
    await repository.undeleteSnapshot(id);
    backup.fate = 'reported';
  }

  async #collect(repository: Repository): Promise<void> {
    for (let count = 1 + this.#random.below(2); count > 0; count--) {
      const { packsRemoved } = await repository.collect({
        dryRun: false,
        repackBelow: this.#random.pick([0, 0.7, 1]),
        allowEmpty: this.#random.chance(0.9),
        ...(this.#random.chance(0.5) ? { rewriteOldKeys: { bytesPerRound: 3000, all: this.#random.chance(0.5) } } : {}),
      });
      if (packsRemoved > 0) this.#collections++;
    }
  }

  /** What must be true whatever happened, and stay true after one more collection. */
  async #judge(repository: Repository): Promise<void> {
    await this.#assertWhole(repository);
    await this.#assertTrash(repository);
    await repository.collect({ dryRun: false, repackBelow: 1, allowEmpty: true, rewriteOldKeys: ALL_KEYS });
    await this.#assertWhole(repository);
    const { findings } = await repository.check({ level: 4 });
    const damage = findings.filter(({ severity }) => severity === 'damage');
    if (damage.length > 0) throw new Error(`The check found damage: ${JSON.stringify(damage)}`);
  }

  async #assertWhole(repository: Repository): Promise<void> {
    const listed = new Set(await repository.listSnapshots());
    for (const [id, { bytes, fate }] of this.#backups) {
      if (fate === 'forgotten' && listed.has(id)) throw new Error(`${id} was forgotten and is listed.`);
      if (fate !== 'reported') continue;
      if (!listed.has(id)) throw new Error(`${id} was reported complete and is not listed.`);
      if (sha256(await readBytes(repository, id)) !== sha256(bytes)) throw new Error(`${id} restored other bytes.`);
      this.#restored++;
    }
    // Also those that nobody was told of: whoever lists them will rely on them.
    for (const id of listed) if (this.#backups.get(id)?.fate !== 'reported') await readBytes(repository, id);
  }

  /** Until its time is over, what the trash holds comes back bit for bit. */
  async #assertTrash(repository: Repository): Promise<void> {
    for (const { id, expiresAt } of await repository.listTrash()) {
      if (Date.parse(expiresAt) <= this.world.latest().getTime()) continue;
      await repository.undeleteSnapshot(id);
      const backup = this.#backups.get(id);
      if (backup === undefined) continue;
      if (sha256(await readBytes(repository, id)) !== sha256(backup.bytes))
        throw new Error(`${id} came back from the trash with other bytes.`);
      backup.fate = 'reported';
    }
  }

  #pickWith(fate: Fate): [string, { bytes: Buffer; fate: Fate }] | undefined {
    const candidates = [...this.#backups].filter(([, backup]) => backup.fate === fate);
    return candidates.length === 0 ? undefined : this.#random.pick(candidates);
  }
}

/** Most histories have few kinds of faults, so that those are met often. */
function faultsOf(random: SeededRandom): FaultRates {
  const rate = (likely: number, most: number): number =>
    random.chance(likely) ? random.below(1000) * (most / 1000) : 0;
  return {
    crash: rate(0.6, 0.02),
    timeout: rate(0.3, 0.03),
    storm: rate(0.2, 0.03),
    listing: rate(0.2, 0.05),
    refusal: rate(0.2, 0.2),
    fullDisk: rate(0.15, 0.03),
    fsync: rate(0.2, 0.03),
    clock: rate(0.3, 0.1),
    suspension: rate(0.4, 0.08),
    powerCut: rate(0.3, 0.01),
  };
}

/** What the simulated faults, and others who were faster, answer with. */
function isExpected(error: unknown): boolean {
  if (!(error instanceof HoldfastError)) return false;
  return error.kind === 'unavailable' || EXPECTED.has(error.code);
}

function ignoreExpected(error: unknown): void {
  if (!isExpected(error)) throw error;
}

const EXPECTED = new Set([
  'storage-denied',
  'storage-broken',
  // A repeated write finds what the first one left without an answer.
  'snapshot-exists',
  // Two at once.
  'key-rotation-under-way',
  'not-in-trash',
  'backup-collected',
  'snapshots-vanished',
  'collection-would-empty-repository',
]);

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}
