import { hash } from 'node:crypto';
import { freeMemory } from '../../core/freed-memory.ts';
import { mixed } from '../mixed.ts';
import type { KeyList } from './key-list.ts';

const BITS = 16;
const BLOCK = 1 << BITS;

/** 128 bits of each key: UUIDs and short ones as they are, of others a hash. */
export class TextKeys implements KeyList {
  length = 0;
  readonly #blocks: Uint32Array[] = [];
  /** What the bits of each key are: the same mean another key where they are of another kind. */
  readonly #kinds: Uint8Array[] = [];
  readonly #buffer = Buffer.alloc(16);

  push(key: string | null): void {
    const at = this.length++;
    const index = at % BLOCK;
    if (index === 0) {
      this.#blocks.push(new Uint32Array(BLOCK * 4));
      this.#kinds.push(new Uint8Array(BLOCK));
    }
    const block = this.#blocks.at(-1);
    const kinds = this.#kinds.at(-1);
    if (block === undefined || kinds === undefined) return;
    if (key === null) {
      kinds[index] = NULL;
      return;
    }
    const kind = this.#kindOf(key);
    kinds[index] = kind;
    const bytes = kind === HASH ? hash('sha256', key, 'buffer') : this.#buffer;
    for (let word = 0; word < 4; word++) block[index * 4 + word] = bytes.readUInt32LE(word * 4);
  }

  isNull(at: number): boolean {
    return this.#kindAt(at) === NULL;
  }

  hashOf(at: number): number {
    let hashed = 0;
    for (let word = 0; word < 4; word++) hashed = Math.imul(hashed, 0x01000193) ^ mixed(this.#wordAt(at, word));
    return hashed >>> 0;
  }

  equals(at: number, other: KeyList, otherAt: number): boolean {
    if (!(other instanceof TextKeys) || this.#kindAt(at) !== other.#kindAt(otherAt)) return false;
    for (let word = 0; word < 4; word++) if (this.#wordAt(at, word) !== other.#wordAt(otherAt, word)) return false;
    return true;
  }

  free(): void {
    for (const block of this.#blocks.splice(0)) freeMemory(new Uint8Array(block.buffer));
    for (const block of this.#kinds.splice(0)) freeMemory(block);
    this.length = 0;
  }

  #wordAt(at: number, word: number): number {
    return this.#blocks[at >>> BITS]?.[(at % BLOCK) * 4 + word] ?? 0;
  }

  #kindAt(at: number): number {
    return this.#kinds[at >>> BITS]?.[at % BLOCK] ?? NULL;
  }

  /** Its bytes are in the buffer then, unless it is to be hashed. */
  #kindOf(key: string): number {
    if (key.length === UUID_LENGTH && UUID.test(key)) {
      this.#buffer.write(key.replaceAll('-', ''), 'hex');
      return WHOLE_UUID;
    }
    return this.#isShort(key) ? WHOLE_TEXT : HASH;
  }

  /** Fifteen characters of ASCII and their number: most keys of several columns, and a hash takes longer than all else. */
  #isShort(key: string): boolean {
    if (key.length > SHORT) return false;
    this.#buffer.fill(0);
    for (let at = 0; at < key.length; at++) {
      const code = key.charCodeAt(at);
      if (code > 0x7f) return false;
      this.#buffer[at] = code;
    }
    this.#buffer[SHORT] = key.length;
    return true;
  }
}

const NULL = 0;
const HASH = 1;
const WHOLE_UUID = 2;
const WHOLE_TEXT = 3;
/** Characters. */
const SHORT = 15;
const UUID_LENGTH = 36;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
