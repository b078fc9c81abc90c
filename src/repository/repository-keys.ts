import { createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { HoldfastError } from '../core/errors.ts';
import type { KeyProvider } from '../core/ports/key-provider.ts';
import type { KeySlot, RepositoryKeys } from '../core/ports/repository.ts';
import { conditionOf } from './check/slot-checks.ts';
import { addSlot, type KeySlotObject, listSlots, type OpenedSlot, openWithAny, slotName } from './key-slots.ts';
import { keyringName } from './keyring.ts';
import type { OpenKeys, RepositoryParts } from './repository-parts.ts';
import { keyringGenerations } from './stored-keyring.ts';

/** Adds, removes and rotates keys. No pack is rewritten by any of it. */
export class EngineKeys implements RepositoryKeys {
  readonly #parts: RepositoryParts;
  readonly #keys: { current: OpenKeys };

  constructor(parts: RepositoryParts, keys: { current: OpenKeys }) {
    this.#parts = parts;
    this.#keys = keys;
  }

  async list(): Promise<readonly KeySlot[]> {
    const { slots } = await listSlots(this.#parts.storage);
    return slots.map((slot) => this.#describe(slot));
  }

  async add(provider: KeyProvider, label: string): Promise<KeySlot> {
    await this.#parts.followRotation({ now: true });
    const { masterKey, generation } = this.#keys.current;
    const slot = await this.#addSlot(masterKey, generation, provider, label);
    if (((await keyringGenerations(this.#parts.storage)).at(-1) ?? 0) > generation) {
      await this.#parts.storage.delete(slotName(slot.id), { durable: true });
      throw new HoldfastError(
        'conflict',
        'key-rotation-under-way',
        'Another process rotated the key at this moment, so that the new slot would open nothing. Try again.',
      );
    }
    return this.#describe(slot);
  }

  async remove(slotId: string): Promise<void> {
    const { slots, damaged } = await listSlots(this.#parts.storage);
    const key = slotName(slotId);
    const unreadable = damaged.some((slot) => slot.key === key && isDamage(slot.error));
    if (!unreadable && !slots.some((slot) => slot.key === key)) {
      throw new HoldfastError(
        'not-found',
        'key-slot-missing',
        `The repository has no key slot ${slotId}. \`holdfast key list\` shows those it has.`,
      );
    }
    const opens = new Set(['whole', 'unverifiable']);
    const left = slots.filter((slot) => slot.key !== key && opens.has(conditionOf(this.#parts, slot)));
    if (left.length === 0) {
      throw new HoldfastError(
        'conflict',
        'last-key-slot',
        'This is the only key slot that opens the repository: without it nothing would restore. Add another one first.',
      );
    }
    await this.#parts.storage.delete(key, { durable: true });
  }

  /**
   * New slots are written first and open nothing yet; creating the next generation's keyring is what counts. It holds all earlier
   * epochs, so whoever has not heard of it goes on unharmed. Of several that rotate at once, one creates it. The old generation's
   * objects go last.
   */
  async rotate(
    providers: readonly KeyProvider[],
    options: { dropOthers: boolean },
  ): Promise<{ epoch: number; slots: readonly KeySlot[] }> {
    const { storage, clock } = this.#parts;
    await this.#parts.followRotation({ now: true });
    const { generation: current, config, slot: used } = this.#keys.current;
    const slots = (await listSlots(storage)).slots.filter((slot) => slot.generation === current);
    if (slots.length === 0) throw rotatedMeanwhile();
    const carried = await this.#carriedOver(slots, providers);
    if (!options.dropOthers) await this.#refuseToLose(slots, providers);
    const now = clock.now();
    const generation = current + 1;
    const masterKey = createSecretKey(randomBytes(32));
    const keyring = this.#keys.current.keyring.withNewEpoch(now);
    const fresh: KeySlotObject[] = [];
    for (const { provider, opened } of carried)
      fresh.push(await this.#addSlot(masterKey, generation, provider, opened.slot.label));
    // Where it is not known whether the keyring is there, the slots must stay: nothing else would open it.
    if (!(await this.#publish(keyring.seal(masterKey, generation, config), generation))) {
      for (const slot of fresh) await storage.delete(slotName(slot.id), { durable: true });
      throw rotatedMeanwhile();
    }
    const own = fresh[carried.findIndex(({ opened }) => opened.slot.id === used.id)] ?? (fresh[0] as KeySlotObject);
    this.#keys.current = { keyring, masterKey, generation, slot: own, config };
    await this.#removeOlder(generation, fresh);
    return { epoch: keyring.currentEpoch, slots: fresh.map((slot) => this.#describe(slot)) };
  }

  /** @returns false where somebody else's rotation came first */
  async #publish(sealed: Buffer, generation: number): Promise<boolean> {
    const { storage } = this.#parts;
    const name = keyringName(generation);
    const outcome = await storage.putNew(name, sealed).catch(async (error: unknown) => {
      // An answer that was lost on its way: what counts is what is there.
      if (!(error instanceof HoldfastError) || error.kind !== 'unavailable') throw error;
      return (await storage.get(name).catch(() => undefined))?.equals(sealed) ? 'created' : Promise.reject(error);
    });
    if (outcome === 'exists') return (await storage.get(name)).equals(sealed);
    // Had this one slept while others rotated twice, the keyring of its number would have been removed already. As the newest
    // one counts, nobody takes this one for anything, though it may stay for a while.
    if ((await keyringGenerations(storage)).at(-1) === generation) return true;
    await storage.delete(name, { durable: true });
    return false;
  }

  /** Slots of this generation that are not among the fresh ones are of rotations that lost the race or were broken off. */
  async #removeOlder(generation: number, fresh: readonly KeySlotObject[]): Promise<void> {
    const { storage } = this.#parts;
    const ours = new Set(fresh.map(({ id }) => id));
    for (const slot of (await listSlots(storage)).slots)
      if (slot.generation <= generation && !ours.has(slot.id))
        await storage.delete(slotName(slot.id), { durable: true });
    for (const older of await keyringGenerations(storage))
      if (older < generation) await storage.delete(keyringName(older), { durable: true });
  }

  #addSlot(masterKey: KeyObject, generation: number, provider: KeyProvider, label: string): Promise<KeySlotObject> {
    const { storage, settings, clock } = this.#parts;
    return addSlot(storage, settings.repositoryId, masterKey, generation, provider, label, clock.now());
  }

  async #refuseToLose(slots: readonly KeySlotObject[], providers: readonly KeyProvider[]): Promise<void> {
    const lost = await this.#notOpenedBy(slots, providers);
    if (lost.length === 0) return;
    const names = lost.map((slot) => `${slot.label} (${slot.kind}, ${slot.id})`).join(', ');
    throw new HoldfastError(
      'conflict',
      'key-slots-would-be-lost',
      `These key slots cannot be carried over, because their passphrase or key file was not given: ${names}. Configure them too (repository.keys), or say that they may go: --drop-others.`,
      { details: { slots: lost.map((slot) => slot.id) } },
    );
  }

  /** For each provider the newest slot that it opens. */
  async #carriedOver(
    slots: readonly KeySlotObject[],
    providers: readonly KeyProvider[],
  ): Promise<{ provider: KeyProvider; opened: OpenedSlot }[]> {
    const carried: { provider: KeyProvider; opened: OpenedSlot }[] = [];
    for (const provider of providers) {
      const opened = await openWithAny(slots, this.#parts.settings.repositoryId, [provider]);
      if (opened !== undefined) carried.push({ provider, opened });
    }
    if (carried.length === 0) {
      throw new HoldfastError(
        'wrong-key',
        'key-does-not-open',
        'None of the keys given opens a slot of this repository; nothing was rotated.',
      );
    }
    return carried;
  }

  async #notOpenedBy(slots: readonly KeySlotObject[], providers: readonly KeyProvider[]): Promise<KeySlotObject[]> {
    const lost: KeySlotObject[] = [];
    for (const slot of slots) {
      if ((await openWithAny([slot], this.#parts.settings.repositoryId, providers)) === undefined) lost.push(slot);
    }
    return lost;
  }

  #describe(slot: KeySlotObject): KeySlot {
    return {
      id: slot.id,
      kind: slot.kind,
      label: slot.label,
      createdAt: slot.createdAt,
      current: slot.id === this.#keys.current.slot.id,
    };
  }
}

function isDamage(error: unknown): boolean {
  return error instanceof HoldfastError && error.kind === 'damaged';
}

function rotatedMeanwhile(): HoldfastError {
  return new HoldfastError(
    'conflict',
    'key-rotation-under-way',
    'Another process rotated the key at this moment. Nothing is wrong: if the key is to be rotated once more, try again.',
  );
}
