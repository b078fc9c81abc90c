import { hash } from 'node:crypto';
import { mixed } from '../mixed.ts';
import type { KeyList } from './key-list.ts';

const BITS = 16;
const BLOCK = 1 << BITS;

/** 128 bits of each key: UUIDs and short ones as they are, of others a hash. */
export class TextKeys implements KeyList {
  length = 0;
  readonly #blocks: Uint32Array[] = [];
  readonly #nulls: Uint8Array[] = [];
  readonly #buffer = Buffer.alloc(16);

  push(key: string | null): void {
    const at = this.length++;
    const index = at % BLOCK;
    if (index === 0) {
      this.#blocks.push(new Uint32Array(BLOCK * 4));
      this.#nulls.push(new Uint8Array(BLOCK));
    }
    const block = this.#blocks.at(-1);
    const nulls = this.#nulls.at(-1);
    if (block === undefined || nulls === undefined) return;
    if (key === null) {
      nulls[index] = 1;
      return;
    }
    const bytes = this.#bytesOf(key);
    for (let word = 0; word < 4; word++) block[index * 4 + word] = bytes.readUInt32LE(word * 4);
  }

  isNull(at: number): boolean {
    return this.#nulls[at >>> BITS]?.[at % BLOCK] === 1;
  }

  hashOf(at: number): number {
    let hashed = 0;
    for (let word = 0; word < 4; word++) hashed = Math.imul(hashed, 0x01000193) ^ mixed(this.#wordAt(at, word));
    return hashed >>> 0;
  }

  equals(at: number, other: KeyList, otherAt: number): boolean {
    if (!(other instanceof TextKeys)) return false;
    for (let word = 0; word < 4; word++) if (this.#wordAt(at, word) !== other.#wordAt(otherAt, word)) return false;
    return true;
  }

  #wordAt(at: number, word: number): number {
    return this.#blocks[at >>> BITS]?.[(at % BLOCK) * 4 + word] ?? 0;
  }

  #bytesOf(key: string): Buffer {
    if (key.length === UUID_LENGTH && UUID.test(key)) {
      this.#buffer.write(key.replaceAll('-', ''), 'hex');
      return this.#buffer;
    }
    return this.#isWhole(key) ? this.#buffer : hash('sha256', key, 'buffer');
  }

  /** Fifteen characters of ASCII and their number: most keys of several columns, and a hash takes longer than all else. */
  #isWhole(key: string): boolean {
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

/** Characters. */
const SHORT = 15;
const UUID_LENGTH = 36;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
