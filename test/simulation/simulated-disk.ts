import type { SeededRandom } from './seeded-random.ts';

/**
 * The names of a folder tree as POSIX keeps them: an operation on a name is seen at once and survives a power cut only after the
 * folder was fsynced. Contents are whole from the start, because they are fsynced before they get a name.
 */
export class SimulatedDisk {
  #visible = new Map<string, Buffer>();
  /** For each key what may be found after a power cut, oldest first: the durable state and all that came after. */
  readonly #unsynced = new Map<string, (Buffer | undefined)[]>();

  static copyOf(disk: SimulatedDisk): SimulatedDisk {
    const copy = new SimulatedDisk();
    copy.#visible = new Map(disk.#visible);
    return copy;
  }

  get(key: string): Buffer | undefined {
    return this.#visible.get(key);
  }

  keys(prefix: string): string[] {
    return [...this.#visible.keys()].filter((key) => key.startsWith(prefix)).sort();
  }

  /** Gives a name to bytes, or takes one away; not durable before `sync`. */
  set(key: string, bytes: Buffer | undefined): void {
    const states = this.#unsynced.get(key) ?? [this.#visible.get(key)];
    states.push(bytes);
    this.#unsynced.set(key, states);
    if (bytes === undefined) this.#visible.delete(key);
    else this.#visible.set(key, bytes);
  }

  /** Makes all names of the folder that holds `key` durable. */
  sync(key: string): void {
    const folder = key.slice(0, key.lastIndexOf('/') + 1);
    for (const name of this.#unsynced.keys())
      if (name.slice(0, name.lastIndexOf('/') + 1) === folder) this.#unsynced.delete(name);
  }

  /** Of operations that were not synced, any may be lost; those on one name in reverse order. @returns how many were */
  powerCut(random: SeededRandom): number {
    let lost = 0;
    for (const [key, states] of this.#unsynced) {
      const kept = random.below(states.length);
      lost += states.length - 1 - kept;
      const state = states[kept];
      if (state === undefined) this.#visible.delete(key);
      else this.#visible.set(key, state);
    }
    this.#unsynced.clear();
    return lost;
  }
}
