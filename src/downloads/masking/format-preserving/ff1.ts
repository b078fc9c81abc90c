import { type Cipheriv, createCipheriv } from 'node:crypto';

/** Below so many values NIST SP 800-38G Rev. 1 allows no FF1: they could be tried one by one. */
export const SMALLEST_DOMAIN = 1_000_000;

const ROUNDS = 10;
const BLOCK = 16;
/** Halves below this are worked on as numbers: 16 bits more still fit into the 53 bits of one. */
const LARGEST_NUMBER_HALF = 2 ** 37;

/** Enough to remember what the rounds make of halves of 17 bits: most keys and short numbers then cost ten look-ups. */
const MOST_MEMORY = 4 * ROUNDS * 2 ** 17;

/**
 * Format-preserving encryption FF1 of NIST SP 800-38G for numeral strings of one radix and length under one tweak: a permutation of the radix^length
 * strings. Two AES calls a round at most; a value costs about 7 µs, less than 1 µs
 * once the rounds' numbers for its halves are known.
 */
export class Ff1 {
  /** Numerals in the left and in the right half. */
  readonly left: number;
  readonly right: number;
  readonly radix: number;
  /** Bytes that it takes at most once it is used. */
  readonly memory: number;
  readonly #cipher: Cipheriv;
  /** The last blocks of Q: the rest of the tweak, padding, the round, the right half. */
  readonly #tail: Buffer;
  readonly #roundAt: number;
  /** CBC-MAC over P and the whole blocks of the tweak, the same for all values. */
  readonly #head: string;
  readonly #block = Buffer.alloc(BLOCK);
  /** What each round adds for each half, plus one; 0 is not known yet. Memory is taken as it is written to. */
  #known?: Uint32Array;
  readonly #halfBytes: number;
  readonly #drawnBytes: number;

  /**
   * @param key 16, 24 or 32 bytes: AES
   * @param radix 2 to 65536
   * @param mostMemory bytes for what is remembered; nothing is, where that takes more
   * @throws RangeError where there are fewer than 1,000,000 strings, or a parameter is out of its range
   */
  constructor(key: Uint8Array, radix: number, length: number, tweak: Uint8Array, mostMemory = MOST_MEMORY) {
    if (!(Number.isInteger(radix) && radix >= 2 && radix <= 65536)) throw new RangeError('FF1 has radixes 2 to 65536.');
    if (!(Number.isInteger(length) && length >= 2)) throw new RangeError('FF1 wants two numerals or more.');
    if (length * Math.log2(radix) < Math.log2(SMALLEST_DOMAIN) - 1e-9) {
      throw new RangeError('FF1 wants a domain of 1,000,000 values or more.');
    }
    this.radix = radix;
    this.left = Math.floor(length / 2);
    this.right = length - this.left;
    const memory = 4 * ROUNDS * radix ** this.right;
    this.memory = memory <= Math.min(mostMemory, MOST_MEMORY) ? memory : 0;
    this.#cipher = createCipheriv(`aes-${key.length * 8}-ecb`, key, null).setAutoPadding(false);
    this.#halfBytes = Math.ceil(bitsOf(radix, this.right) / 8);
    this.#drawnBytes = 4 * Math.ceil(this.#halfBytes / 4) + 4;
    const padding = mod(-tweak.length - this.#halfBytes - 1, BLOCK);
    const q = Buffer.concat([tweak, Buffer.alloc(padding + 1 + this.#halfBytes)]);
    const tailAt = BLOCK * Math.floor((tweak.length + padding) / BLOCK);
    this.#tail = q.subarray(tailAt);
    this.#roundAt = tweak.length + padding - tailAt;
    this.#head = this.#chained(
      this.#encrypted(parameters(radix, this.left, length, tweak.length)),
      q.subarray(0, tailAt),
    );
  }

  /** The ciphertext of a numeral string, most significant numeral first. */
  encrypt(numerals: readonly number[]): number[] {
    if (numerals.length !== this.left + this.right) throw new RangeError('FF1 was made for another length.');
    if (this.isNumeric) {
      const halves = this.encryptHalves(
        numberOf(numerals, 0, this.left, this.radix),
        numberOf(numerals, this.left, numerals.length, this.radix),
      );
      return [...numeralsOf(halves[0], this.left, this.radix), ...numeralsOf(halves[1], this.right, this.radix)];
    }
    const halves = this.encryptLargeHalves(
      bigintOf(numerals.slice(0, this.left), this.radix),
      bigintOf(numerals.slice(this.left), this.radix),
    );
    return [...bigintNumerals(halves[0], this.left, this.radix), ...bigintNumerals(halves[1], this.right, this.radix)];
  }

  /** Whether `encryptHalves` can be used; otherwise `encryptLargeHalves`. */
  get isNumeric(): boolean {
    return this.radix ** this.right < LARGEST_NUMBER_HALF;
  }

  /** `encrypt` with each half as the number that its numerals make. */
  encryptHalves(left: number, right: number): [number, number] {
    const [leftSize, rightSize] = [this.radix ** this.left, this.radix ** this.right];
    const isKnown = this.memory > 0;
    this.#known ??= new Uint32Array(this.memory / 4);
    let [a, b] = [left, right];
    for (let round = 0; round < ROUNDS; round++) {
      const modulus = round % 2 === 0 ? leftSize : rightSize;
      const place = round * rightSize + b;
      let y = isKnown ? (this.#known[place] ?? 0) - 1 : -1;
      if (y < 0) {
        y = this.#numberOf(round, b, modulus);
        if (isKnown) this.#known[place] = y + 1;
      }
      [a, b] = [b, (a + y) % modulus];
    }
    return [a, b];
  }

  /** y, what a round adds to the other half. */
  #numberOf(round: number, half: number, modulus: number): number {
    let rest = half;
    for (let at = this.#tail.length - 1; at > this.#roundAt; at--) {
      this.#tail[at] = rest % 256;
      rest = Math.floor(rest / 256);
    }
    const drawn = this.#roundBlock(round);
    let y = 0;
    // At most 12 of its 16 bytes: a half that is a number has 5 bytes at most.
    for (let at = 0; at < this.#drawnBytes; at += 2) {
      y = (y * 65536 + ((drawn.charCodeAt(at) << 8) | drawn.charCodeAt(at + 1))) % modulus;
    }
    return y;
  }

  encryptLargeHalves(left: bigint, right: bigint): [bigint, bigint] {
    const radix = BigInt(this.radix);
    const moduli = [radix ** BigInt(this.left), radix ** BigInt(this.right)];
    let [a, b] = [left, right];
    for (let round = 0; round < ROUNDS; round++) {
      this.#tail.write(b.toString(16).padStart(2 * this.#halfBytes, '0'), this.#roundAt + 1, 'hex');
      const y = BigInt(`0x${this.#drawn(round).toString('hex')}`);
      const modulus = moduli[round & 1] ?? 1n;
      [a, b] = [b, (a + y) % modulus];
    }
    return [a, b];
  }

  /** The first bytes of S: R, then the encryptions of R ⊕ 1, R ⊕ 2 … */
  #drawn(round: number): Buffer {
    const r = Buffer.from(this.#roundBlock(round), 'latin1');
    const blocks = [r];
    for (let block = 1; block < Math.ceil(this.#drawnBytes / BLOCK); block++) {
      const counted = Buffer.from(r);
      counted.writeUInt32BE((counted.readUInt32BE(12) ^ block) >>> 0, 12);
      blocks.push(Buffer.from(this.#encrypted(counted), 'latin1'));
    }
    return Buffer.concat(blocks).subarray(0, this.#drawnBytes);
  }

  /** R: CBC-MAC over P, tweak, round and right half. */
  #roundBlock(round: number): string {
    this.#tail[this.#roundAt] = round;
    return this.#chained(this.#head, this.#tail);
  }

  #chained(state: string, blocks: Buffer): string {
    const block = this.#block;
    let chained = state;
    for (let at = 0; at < blocks.length; at += BLOCK) {
      for (let index = 0; index < BLOCK; index++) block[index] = chained.charCodeAt(index) ^ (blocks[at + index] ?? 0);
      chained = this.#encrypted(block);
    }
    return chained;
  }

  /** One block, as 16 characters of U+0000 to U+00FF: a string costs half of what a Buffer does. */
  #encrypted(block: Uint8Array): string {
    return this.#cipher.update(block, undefined, 'latin1');
  }
}

/** P: what is encrypted, as the first block of what each round's number is drawn from. */
function parameters(radix: number, left: number, length: number, tweakLength: number): Buffer {
  const block = Buffer.alloc(BLOCK);
  block.set([1, 2, 1, 0, radix >> 8, radix & 255, ROUNDS, left % 256]);
  if (radix === 65536) block.set([1, 0, 0], 3);
  block.writeUInt32BE(length, 8);
  block.writeUInt32BE(tweakLength, 12);
  return block;
}

/** ⌈length · log2(radix)⌉, exactly. */
function bitsOf(radix: number, length: number): number {
  return (BigInt(radix) ** BigInt(length) - 1n).toString(2).length;
}

function numberOf(numerals: readonly number[], from: number, to: number, radix: number): number {
  let value = 0;
  for (let index = from; index < to; index++) value = value * radix + (numerals[index] ?? 0);
  return value;
}

function numeralsOf(value: number, length: number, radix: number): number[] {
  const numerals = new Array<number>(length);
  let rest = value;
  for (let index = length - 1; index >= 0; index--) {
    numerals[index] = rest % radix;
    rest = Math.floor(rest / radix);
  }
  return numerals;
}

function bigintOf(numerals: readonly number[], radix: number): bigint {
  let value = 0n;
  for (const numeral of numerals) value = value * BigInt(radix) + BigInt(numeral);
  return value;
}

function bigintNumerals(value: bigint, length: number, radix: number): number[] {
  const numerals = new Array<number>(length);
  let rest = value;
  for (let index = length - 1; index >= 0; index--) {
    numerals[index] = Number(rest % BigInt(radix));
    rest /= BigInt(radix);
  }
  return numerals;
}

function mod(value: number, modulus: number): number {
  return ((value % modulus) + modulus) % modulus;
}
