import type { IndexedPack } from './index-segment.ts';
import { PACK_HEADER_LENGTH } from './pack-format.ts';

const FIRST_ROOM = 1024;
const GROWTH = 1.25;

/**
 * The packs that an index knows, by numbers that they keep. A pack takes about 220 bytes of memory, 7 for each of its 32 chunks, for which
 * reason headers lie in one block instead of being objects.
 */
export class PackList {
  readonly #ids: string[] = [];
  readonly #numbers = new Map<string, number>();
  #sizes = new Float64Array(FIRST_ROOM);
  #headers = Buffer.alloc(FIRST_ROOM * PACK_HEADER_LENGTH);

  get count(): number {
    return this.#ids.length;
  }

  /** By number. */
  get ids(): readonly string[] {
    return this.#ids;
  }

  /** @throws RangeError for a number that no pack has */
  at(number: number): IndexedPack {
    const start = number * PACK_HEADER_LENGTH;
    const header = this.#headers.subarray(start, start + PACK_HEADER_LENGTH);
    return { idHex: this.idAt(number), size: this.#sizes[number] as number, header: Uint8Array.from(header) };
  }

  idAt(number: number): string {
    const idHex = this.#ids[number];
    if (idHex === undefined) throw new RangeError(`No pack has number ${number}.`);
    return idHex;
  }

  numberOf(idHex: string): number | undefined {
    return this.#numbers.get(idHex);
  }

  /** @returns the number of one that was not there */
  add({ idHex, size, header }: IndexedPack): number {
    const number = this.#ids.length;
    if (number === this.#sizes.length) this.#grow();
    this.#ids.push(idHex);
    this.#numbers.set(idHex, number);
    this.#sizes[number] = size;
    this.#headers.set(header, number * PACK_HEADER_LENGTH);
    return number;
  }

  #grow(): void {
    const room = Math.ceil(this.#sizes.length * GROWTH);
    const sizes = new Float64Array(room);
    sizes.set(this.#sizes);
    this.#sizes = sizes;
    const headers = Buffer.alloc(room * PACK_HEADER_LENGTH);
    headers.set(this.#headers);
    this.#headers = headers;
  }
}
