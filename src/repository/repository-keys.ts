import { createSecretKey, randomBytes } from 'node:crypto';
import { HoldfastError } from '../core/errors.ts';
import type { KeyProvider } from '../core/ports/key-provider.ts';
import type { KeySlot, RepositoryKeys } from '../core/ports/repository.ts';
import type { Storage } from '../core/ports/storage.ts';
import { addSlot, type KeySlotObject, listSlots, type OpenedSlot, openWithAny, slotName } from './key-slots.ts';
import { keyringName } from './keyring.ts';
import type { OpenKeys, RepositoryParts } from './repository-parts.ts';

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
    const { masterKey, generation } = this.#keys.current;
    const { storage, settings, clock } = this.#parts;
    return this.#describe(
      await addSlot(storage, settings.repositoryId, masterKey, generation, provider, label, clock.now()),
    );
  }

  async remove(slotId: string): Promise<void> {
    const { slots } = await listSlots(this.#parts.storage);
    if (!slots.some((slot) => slot.id === slotId)) {
      throw new HoldfastError(
        'not-found',
        'key-slot-missing',
        `The repository has no key slot ${slotId}. \`holdfast key list\` shows those it has.`,
      );
    }
    const left = slots.filter((slot) => slot.id !== slotId && slot.generation === this.#keys.current.generation);
    if (left.length === 0) {
      throw new HoldfastError(
        'conflict',
        'last-key-slot',
        'This is the only key slot that opens the repository: without it nothing would restore. Add another one first.',
      );
    }
    await this.#parts.storage.delete(slotName(slotId));
  }

  /**
   * A crash leaves old and new generation side by side, both whole: the old keyring lacks the new epoch, which nothing was
   * written with yet, or the new one is complete. The old generation's objects go last.
   */
  async rotate(
    providers: readonly KeyProvider[],
    options: { dropOthers: boolean },
  ): Promise<{ epoch: number; slots: readonly KeySlot[] }> {
    const { storage, settings, clock } = this.#parts;
    const { slots } = await listSlots(storage);
    const carried = await this.#carriedOver(slots, providers);
    const lost = await this.#notOpenedBy(slots, providers);
    if (lost.length > 0 && !options.dropOthers) {
      const names = lost.map((slot) => `${slot.label} (${slot.kind}, ${slot.id})`).join(', ');
      throw new HoldfastError(
        'conflict',
        'key-slots-would-be-lost',
        `These key slots cannot be carried over, because their passphrase or key file was not given: ${names}. Give them too, or say that they may go.`,
        {
          details: { slots: lost.map((slot) => slot.id) },
        },
      );
    }
    const now = clock.now();
    const generation = (await newestGeneration(storage)) + 1;
    const masterKey = createSecretKey(randomBytes(32));
    const keyring = this.#keys.current.keyring.withNewEpoch(now);
    const { config } = this.#keys.current;
    const stored = await storage.putNew(keyringName(generation), keyring.seal(masterKey, generation, config));
    if (stored === 'exists')
      throw new HoldfastError(
        'conflict',
        'key-rotation-under-way',
        'Another process is rotating the key, or was interrupted while it did. Open the repository again and try once more.',
      );
    const fresh: KeySlotObject[] = [];
    for (const { provider, opened } of carried)
      fresh.push(
        await addSlot(storage, settings.repositoryId, masterKey, generation, provider, opened.slot.label, now),
      );
    const current = fresh[carried.findIndex(({ opened }) => opened.slot.id === this.#keys.current.slotId)] ?? fresh[0];
    if (current === undefined)
      throw new HoldfastError(
        'wrong-key',
        'key-does-not-open',
        'None of the keys given opens a slot of this repository; nothing was rotated.',
      );
    this.#keys.current = { keyring, masterKey, generation, slotId: current.id, config };
    for (const slot of slots) await storage.delete(slotName(slot.id));
    for (const { key } of await storage.list('keyring/', { sizes: false }))
      if (key < keyringName(generation)) await storage.delete(key);
    return { epoch: keyring.currentEpoch, slots: fresh.map((slot) => this.#describe(slot)) };
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
      current: slot.id === this.#keys.current.slotId,
    };
  }
}

/** Of keyrings, not slots: an interrupted rotation may have left a keyring that no slot opens. */
async function newestGeneration(storage: Storage): Promise<number> {
  const names = (await storage.list('keyring/', { sizes: false })).map((object) => object.key).sort();
  return Number(/(\d+)$/.exec(names.at(-1) ?? '')?.[1] ?? 0);
}
