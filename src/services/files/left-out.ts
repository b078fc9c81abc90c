import type { ByteString } from '../../core/tree-entry.ts';
import { printable } from './byte-path.ts';

/** Tells what an archive cannot hold: the first names, and of the others how many there are. */
export class LeftOut {
  readonly #warn: (message: string) => void;
  #count = 0;

  constructor(warn: (message: string) => void) {
    this.#warn = warn;
  }

  add(name: ByteString, type: string): void {
    this.#count++;
    if (this.#count <= TOLD) this.#warn(`${printable(name)} is not in the archive, which cannot hold a ${type}.`);
  }

  end(): void {
    if (this.#count > TOLD)
      this.#warn(`${this.#count - TOLD} more names are not in the archive, which cannot hold what they are.`);
  }
}

const TOLD = 20;
