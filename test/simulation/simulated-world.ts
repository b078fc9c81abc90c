import { HoldfastError } from '../../src/core/errors.ts';
import type { PendingObject, Storage, StoredObject } from '../../src/core/ports/storage.ts';
import type { SeededRandom } from './seeded-random.ts';
import { SimulatedDisk } from './simulated-disk.ts';

/** How often what goes wrong, as parts of one. */
export interface FaultRates {
  /** An actor ends at an operation, before or after it was done. */
  crash: number;
  /** An operation is answered by an error, done or not. */
  timeout: number;
  /** Several operations of an actor in a row are answered 503. */
  storm: number;
  /** A listing breaks off between two of its pages. */
  listing: number;
  /** A deletion is refused. */
  refusal: number;
  /** Writes fail for a while for want of space. */
  fullDisk: number;
  /** An fsync fails: of the file, or of the folder when the name is there already. */
  fsync: number;
  /** The clock jumps by up to a day. */
  clock: number;
  /** An actor stands still while others go on. */
  suspension: number;
  /** The machine loses power: every actor ends, what was not synced may be lost. */
  powerCut: number;
}

export const NO_FAULTS: FaultRates = {
  crash: 0,
  timeout: 0,
  storm: 0,
  listing: 0,
  refusal: 0,
  fullDisk: 0,
  fsync: 0,
  clock: 0,
  suspension: 0,
  powerCut: 0,
};

interface PendingOperation {
  actor: Actor;
  kind: OperationKind;
  key: string;
  apply: () => unknown;
  resolve: (value: unknown) => void;
  reject: (error: unknown) => void;
}

type OperationKind = 'put' | 'replace' | 'get' | 'list' | 'delete' | 'time';

export interface Actor {
  readonly name: string;
  dead: boolean;
  /** Operations that will be answered 503. */
  storm: number;
  /** Steps until it goes on. */
  suspended: number;
}

/**
 * One disk and the actors that use it. Each operation of each actor waits until the world lets it happen, one at a time, in an
 * order and with faults that a seed decides.
 */
export class SimulatedWorld {
  readonly random: SeededRandom;
  readonly disk: SimulatedDisk;
  readonly trace: string[] = [];
  faults: FaultRates;
  readonly #actors: Actor[] = [];
  readonly #pending: PendingOperation[] = [];
  #clock = Date.UTC(2026, 0, 1);
  #latest = 0;
  #fullFor = 0;

  constructor(random: SeededRandom, disk: SimulatedDisk, faults: FaultRates) {
    this.random = random;
    this.disk = SimulatedDisk.copyOf(disk);
    this.faults = faults;
  }

  now(): Date {
    return new Date(this.#clock);
  }

  /** The latest time that anybody was told. */
  latest(): Date {
    return new Date(Math.max(this.#latest, this.#clock));
  }

  actor(name: string): Actor {
    const actor: Actor = { name, dead: false, storm: 0, suspended: 0 };
    this.#actors.push(actor);
    return actor;
  }

  /** Lets things happen until `work` has ended for every actor that lives. @returns whether the power was cut */
  async run(work: ReadonlyMap<Actor, Promise<void>>): Promise<boolean> {
    const running = new Set(work.keys());
    for (const [actor, promise] of work) void promise.finally(() => running.delete(actor));
    for (let steps = 0; ; steps++) {
      await settled();
      for (const actor of running) if (actor.dead) running.delete(actor);
      if (running.size === 0) return false;
      if (steps > MOST_STEPS) throw new Error('The actors do not come to an end.');
      if (this.random.chance(this.faults.powerCut)) {
        this.#cutPower();
        return true;
      }
      if (!this.#step()) await waitForOperation(() => this.#pending.length > 0 || running.size === 0);
    }
  }

  storageFor(actor: Actor): Storage {
    const ask = <Result>(kind: OperationKind, key: string, apply: () => Result): Promise<Result> =>
      new Promise((resolve, reject) => {
        if (!actor.dead)
          this.#pending.push({ actor, kind, key, apply, resolve: resolve as (value: unknown) => void, reject });
      });
    const put = (key: string, bytes: Uint8Array): Promise<'created' | 'exists'> =>
      ask('put', key, () => this.#putNew(key, Buffer.from(bytes)));
    return {
      kind: 'simulated',
      location: 'a simulated disk',
      reopen: { module: 'none', options: {} },
      putNew: (key, bytes) => put(key, bytes instanceof Uint8Array ? bytes : Buffer.concat(bytes)),
      beginNew: () => pendingObject(put),
      replace: (key, bytes) => {
        const copy = Buffer.from(bytes);
        return ask('replace', key, () => {
          this.disk.set(key, copy);
          this.disk.sync(key);
        });
      },
      get: (key) => ask('get', key, () => Buffer.from(this.#require(key))),
      getRange: (key, offset, length) =>
        ask('get', key, () => {
          const bytes = this.#require(key);
          if (offset + length > bytes.length)
            throw new HoldfastError('damaged', 'object-truncated', `${key} is too short.`, {
              details: { object: key },
            });
          return Buffer.from(bytes.subarray(offset, offset + length));
        }),
      list: (prefix) =>
        ask('list', prefix, (): StoredObject[] =>
          this.disk.keys(prefix).map((key) => ({ key, size: this.disk.get(key)?.length ?? 0 })),
        ),
      delete: (key, options) =>
        ask('delete', key, () => {
          this.disk.set(key, undefined);
          if (options?.durable === true) this.disk.sync(key);
        }),
      serverTime: () => ask('time', '', () => this.now()),
      close: async () => undefined,
    };
  }

  #require(key: string): Buffer {
    const bytes = this.disk.get(key);
    if (bytes === undefined)
      throw new HoldfastError('not-found', 'object-missing', `${key} is not in the storage.`, {
        details: { object: key },
      });
    return bytes;
  }

  #putNew(key: string, bytes: Buffer): 'created' | 'exists' {
    const exists = this.disk.get(key) !== undefined;
    if (!exists) this.disk.set(key, bytes);
    this.disk.sync(key);
    return exists ? 'exists' : 'created';
  }

  /** @returns false where every actor computes, so that nothing can happen yet */
  #step(): boolean {
    for (const actor of this.#actors) actor.suspended = Math.max(0, actor.suspended - 1);
    const ready = this.#pending.filter(({ actor }) => !actor.dead && actor.suspended === 0);
    const choices = ready.length > 0 ? ready : this.#pending.filter(({ actor }) => !actor.dead);
    if (choices.length === 0) return false;
    const operation = this.random.pick(choices);
    const { actor } = operation;
    if (this.random.chance(this.faults.suspension)) actor.suspended = 5 + this.random.below(60);
    if (this.random.chance(this.faults.clock)) this.#clock += (this.random.below(2 * 86_400) - 86_400) * 1000;
    this.#clock += 1000;
    this.#latest = Math.max(this.#latest, this.#clock);
    this.#pending.splice(this.#pending.indexOf(operation), 1);
    this.#perform(operation);
    return true;
  }

  #perform(operation: PendingOperation): void {
    const { actor, kind, key } = operation;
    const { random, faults } = this;
    const note = (what: string): void => {
      this.trace.push(`${actor.name} ${kind} ${key.slice(0, 40)}${what}`);
    };
    if (random.chance(faults.crash)) {
      const done = random.chance(0.5);
      if (done) attempt(operation.apply);
      this.kill(actor);
      note(done ? ': crashed after it' : ': crashed before it');
      return;
    }
    const fault = this.#faultFor(operation, note);
    if (fault !== undefined) {
      operation.reject(fault);
      return;
    }
    const outcome = attempt(operation.apply);
    note(outcome.error === undefined ? (kind === 'put' ? `: ${outcome.value}` : '') : `: ${codeOf(outcome.error)}`);
    if (outcome.error === undefined) operation.resolve(outcome.value);
    else operation.reject(outcome.error);
  }

  #faultFor(operation: PendingOperation, note: (what: string) => void): Error | undefined {
    const { actor, kind, key, apply } = operation;
    const { random, faults } = this;
    if (faults === NO_FAULTS) return undefined;
    if (actor.storm === 0 && random.chance(faults.storm)) actor.storm = 1 + random.below(6);
    if (actor.storm > 0) {
      actor.storm--;
      note(': 503');
      return new HoldfastError('unavailable', 'storage-unavailable', 'The storage answers 503.');
    }
    if (kind === 'list' && random.chance(faults.listing)) {
      note(': broke off after a page');
      return new HoldfastError('unavailable', 'storage-unavailable', 'A listing broke off after its first page.');
    }
    if (kind === 'delete' && random.chance(faults.refusal)) {
      note(': refused');
      return new HoldfastError('denied', 'storage-denied', 'A retention lock.', { details: { object: key } });
    }
    if (kind === 'put' || kind === 'replace') {
      if (random.chance(faults.fullDisk)) this.#fullFor = 10;
      if (this.#fullFor-- > 0) {
        note(': no space left');
        return new HoldfastError('unavailable', 'storage-full', 'The storage is full.');
      }
      if (random.chance(faults.fsync)) {
        const named = random.chance(0.5);
        if (named) attempt(apply);
        note(named ? ': the fsync of its folder failed' : ': its fsync failed');
        return new HoldfastError('damaged', 'storage-broken', `The disk reported an error at ${key}.`);
      }
    }
    if (random.chance(faults.timeout)) {
      const done = random.chance(0.5);
      if (done) attempt(apply);
      note(done ? ': done, but no answer came' : ': timed out');
      return new HoldfastError('unavailable', 'storage-timeout', 'The storage did not answer.');
    }
    return undefined;
  }

  kill(actor: Actor): void {
    actor.dead = true;
    for (let at = this.#pending.length - 1; at >= 0; at--)
      if (this.#pending[at]?.actor === actor) this.#pending.splice(at, 1);
  }

  #cutPower(): void {
    for (const actor of this.#actors) this.kill(actor);
    this.trace.push(`the power was cut: ${this.disk.powerCut(this.random)} operations were lost`);
  }
}

const MOST_STEPS = 20_000;

function pendingObject(put: (key: string, bytes: Uint8Array) => Promise<'created' | 'exists'>): PendingObject {
  const parts: Buffer[] = [];
  return {
    write(bytes, onFree) {
      parts.push(Buffer.from(bytes));
      onFree?.();
    },
    commit: (key) => put(key, Buffer.concat(parts)),
    abort: async () => undefined,
  };
}

function attempt(apply: () => unknown): { value?: unknown; error?: unknown } {
  try {
    return { value: apply() };
  } catch (error) {
    return { error };
  }
}

function codeOf(error: unknown): string {
  return error instanceof HoldfastError ? error.code : String(error);
}

/** After it every promise that can go on has gone on. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

async function waitForOperation(isReady: () => boolean): Promise<void> {
  for (let turns = 0; !isReady(); turns++) {
    if (turns > 100_000) throw new Error('No actor asks for anything, and none has ended.');
    await settled();
  }
}
