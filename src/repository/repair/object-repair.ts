import { HoldfastError } from '../../core/errors.ts';
import type { RepairStep } from '../../core/ports/repository-repair.ts';
import type { Storage } from '../../core/ports/storage.ts';
import { conditionOf } from '../check/slot-checks.ts';
import { type RoundPart, roundName } from '../collection/collection-state.ts';
import { isLoss } from '../content-list.ts';
import { decodeSlot, slotName } from '../key-slots.ts';
import type { RepositoryParts } from '../repository-parts.ts';
import { openObject, SEALED_KIND } from '../sealed-object.ts';
import { decodeSnapshot } from '../snapshot-codec.ts';
import { quarantine } from './quarantine.ts';
import type { Replicas } from './replicas.ts';

/**
 * Mends objects that describe backups, `snapshots/`, `updates/` and `trash/`, those of collections, `gc/`, and key slots. What does not open is fetched from
 * a copy (its seal proves it) or else, where nothing rests on it, taken out of the way, into the quarantine.
 */
export class ObjectRepair {
  readonly steps: RepairStep[] = [];
  readonly #parts: RepositoryParts;
  readonly #replicas: Replicas;
  readonly #dryRun: boolean;

  constructor(parts: RepositoryParts, replicas: Replicas, dryRun: boolean) {
    this.#parts = parts;
    this.#replicas = replicas;
    this.#dryRun = dryRun;
  }

  /** @param key of an object that a check called damaged, of any kind */
  async mend(key: string): Promise<void> {
    const snapshot = /^snapshots\/([^/]+)$/.exec(key)?.[1];
    const updated = /^updates\/([^/]+)\/\d+$/.exec(key)?.[1];
    const isTrash = /^trash\/[^/]+$/.test(key);
    const [, round, part] = /^gc\/(\d{10})\/(condemned|resolution|done)$/.exec(key) ?? [];
    try {
      if (key.startsWith(slotName(''))) await this.#mendSlot(key);
      else if (snapshot !== undefined) await this.#mendSnapshot(key);
      else if (updated !== undefined) await this.#mendUpdate(key, updated);
      else if (isTrash) await this.#mendTrash(key);
      else if (part !== undefined) await this.#mendRound(key, Number(round), part as RoundPart);
    } catch (error) {
      // It may be whole, and sealed with a key that this keyring lacks.
      if (!(error instanceof HoldfastError) || error.kind !== 'wrong-key') throw error;
      this.#step('leave', key, `${key} is left as it is. ${error.message}`);
    }
  }

  async #mendSnapshot(key: string): Promise<void> {
    const bytes = await this.#damaged(key, SEALED_KIND.snapshot);
    if (bytes === undefined || (await this.#fetch(key, SEALED_KIND.snapshot, bytes))) return;
    await this.#takeAway(key, bytes);
    const message = `${key} does not open, and no copy of that object was found: unless another repository has it, that backup is lost. What is left of the object is in the quarantine.`;
    this.#step('quarantine-object', key, message);
  }

  /** Without its latest description, a backup counts as held: nobody may delete it because of what an older one said. */
  async #mendUpdate(key: string, id: string): Promise<void> {
    const bytes = await this.#damaged(key, SEALED_KIND.update);
    if (bytes === undefined || (await this.#fetch(key, SEALED_KIND.update, bytes))) return;
    await this.#takeAway(key, bytes);
    if (!this.#dryRun) {
      const { snapshots } = this.#parts;
      const { record } = await snapshots.readUnjudged(id);
      await snapshots.update({ ...record.backup, held: true });
    }
    const message = `${key} does not open: ${id} is described as when it was made, and held, because it may have been held. Set its hold and expiry as they should be.`;
    this.#step('quarantine-object', key, message);
  }

  /** Left where it is, it would keep every collection from beginning: what it needs cannot be told. */
  async #mendTrash(key: string): Promise<void> {
    const bytes = await this.#damaged(key, SEALED_KIND.trash);
    if (bytes === undefined || (await this.#fetch(key, SEALED_KIND.trash, bytes))) return;
    await this.#takeAway(key, bytes);
    const message = `${key} does not open, and no copy of that object was found: that forgotten backup cannot be brought back. What is left of the object is in the quarantine; the next collection frees what nothing else needs.`;
    this.#step('quarantine-object', key, message);
  }

  /** Not put into quarantine: who removes a key does not want to find it there. */
  async #mendSlot(key: string): Promise<void> {
    // A key that was removed since must not come back.
    const listed = await this.#parts.storage.list(slotName(''), { sizes: false });
    if (!listed.some((object) => object.key === key)) return;
    const isWhole = (bytes: Buffer): boolean => conditionOf(this.#parts, decodeSlot(bytes, key)) === 'whole';
    const fetched = await this.#replicas.fetch(key, isWhole);
    if (fetched === undefined) {
      this.#step('leave', key, `${key} is damaged. The repository opens with its other keys; add that key again.`);
      return;
    }
    if (!this.#dryRun) await this.#parts.storage.replace(key, fetched.bytes);
    this.#step('fetch-object', key, `${key} was damaged and is fetched from ${fetched.location}.`);
  }

  async #mendRound(key: string, round: number, part: RoundPart): Promise<void> {
    const bytes = await this.#damaged(key, SEALED_KIND[part]);
    if (bytes === undefined) return;
    const siblings = await this.#siblings(round, part);
    const isOfThisRound = async (copy: Storage): Promise<boolean> => {
      for (const [name, sibling] of siblings) if (!(await copy.get(name)).equals(sibling)) return false;
      return siblings.size > 0;
    };
    if (await this.#fetch(key, SEALED_KIND[part], bytes, isOfThisRound)) return;
    if (part !== 'done') {
      const message = `${key} does not open, and no copy of that object was found. Which backups count is told by it, so nothing else can be mended: repair with \`--from\` and a copy of this repository that has it.`;
      this.#step('leave', key, message);
      return;
    }
    // The next collection looks whether anything is left to remove, and writes it anew.
    await this.#takeAway(key, bytes);
    this.#step('quarantine-object', key, `${key} does not open. The next collection makes it anew.`);
  }

  /**
   * The other objects of a round. A copy in which somebody collected by himself has rounds of the same numbers, sealed with the same
   * keys, that decided about other packs: what was taken from it would delete what is needed here.
   */
  async #siblings(round: number, part: RoundPart): Promise<Map<string, Buffer>> {
    const siblings = new Map<string, Buffer>();
    for (const other of ['condemned', 'resolution', 'done'] as const) {
      const name = roundName(round, other);
      if (other === part || (await this.#damaged(name, SEALED_KIND[other])) !== undefined) continue;
      const bytes = await this.#parts.storage.get(name).catch((error: unknown) => {
        if (!isLoss(error)) throw error;
        return undefined;
      });
      if (bytes !== undefined) siblings.set(name, bytes);
    }
    return siblings;
  }

  /** The bytes of an object that is damaged on a second look as well. */
  async #damaged(key: string, kind: Kind): Promise<Buffer | undefined> {
    try {
      const bytes = await this.#parts.storage.get(key);
      return this.#opens(key, kind, bytes) ? undefined : bytes;
    } catch (error) {
      if (!isLoss(error)) throw error;
      return error.code === 'object-missing' ? undefined : Buffer.alloc(0);
    }
  }

  async #fetch(
    key: string,
    kind: Kind,
    bytes: Buffer,
    isCopy: (copy: Storage) => boolean | Promise<boolean> = () => true,
  ): Promise<boolean> {
    const fetched = await this.#replicas.fetch(key, (found, copy) => this.#opens(key, kind, found) && isCopy(copy));
    if (fetched === undefined) return false;
    if (!this.#dryRun) {
      await quarantine(this.#parts.storage, key, bytes);
      await this.#parts.storage.replace(key, fetched.bytes);
    }
    this.#step('fetch-object', key, `${key} was damaged and is fetched from ${fetched.location}.`);
    return true;
  }

  /** Throws what is no damage: an object of a newer version, or of a key that is not at hand. */
  #opens(key: string, kind: Kind, bytes: Buffer): boolean {
    try {
      const plain = openObject(this.#parts.keyring(), bytes, { kind, name: key });
      if (kind === SEALED_KIND.snapshot) decodeSnapshot(plain, key);
      return true;
    } catch (error) {
      if (!isLoss(error)) throw error;
      return false;
    }
  }

  async #takeAway(key: string, bytes: Buffer): Promise<void> {
    if (this.#dryRun) return;
    await quarantine(this.#parts.storage, key, bytes);
    await this.#parts.storage.delete(key, { durable: true });
  }

  #step(action: RepairStep['action'], object: string, message: string): void {
    this.steps.push({ action, object, message });
  }
}

type Kind = (typeof SEALED_KIND)['snapshot' | 'update' | 'trash' | RoundPart];
