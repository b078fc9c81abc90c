import { argon2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { HoldfastError } from '../../core/errors.ts';
import type { PasswordHasher } from '../../core/ports/password-hasher.ts';

/** What Argon2id costs; written down with each hash, so that it can grow. */
export interface Argon2Cost {
  memoryKiB: number;
  passes: number;
  parallelism: number;
}

/** OWASP's recommendation (Password Storage Cheat Sheet): 19 MiB, two passes, one lane. */
const DEFAULT_COST: Argon2Cost = { memoryKiB: 19_456, passes: 2, parallelism: 1 };

/** Computed at once: each takes its memory, and a thread of the pool that also reads files. */
const AT_ONCE = 2;
const LONGEST_QUEUE = 64;
const TAG_BYTES = 32;

const argon2Async = promisify(argon2);

/**
 * Passwords as Argon2id (RFC 9106) in the PHC string format, of Unicode form NFKC. Off the main thread, two at a time; more wait, and
 * more than can be expected to wait are refused, so that wrong passwords fill no memory.
 */
export function createArgon2Passwords(cost: Argon2Cost = DEFAULT_COST): PasswordHasher {
  const places = new Places();
  const absent: Hash = { cost, salt: randomBytes(16), tag: randomBytes(TAG_BYTES) };
  return {
    async hash(password) {
      const salt = randomBytes(16);
      const tag = await places.take(() => derive(password, salt, cost, TAG_BYTES));
      return written({ cost, salt, tag });
    },
    async verify(password, text) {
      const kept = text === undefined ? undefined : read(text);
      const { salt, tag, cost: usedCost } = kept ?? absent;
      const derived = await places.take(() => derive(password, salt, usedCost, tag.length));
      return timingSafeEqual(derived, tag) && kept !== undefined;
    },
  };
}

interface Hash {
  cost: Argon2Cost;
  salt: Buffer;
  tag: Buffer;
}

function derive(password: string, salt: Buffer, cost: Argon2Cost, tagLength: number): Promise<Buffer> {
  const { memoryKiB, passes, parallelism } = cost;
  const message = Buffer.from(password.normalize('NFKC'));
  return argon2Async('argon2id', { message, nonce: salt, memory: memoryKiB, passes, parallelism, tagLength });
}

function written({ cost, salt, tag }: Hash): string {
  const parameters = `m=${cost.memoryKiB},t=${cost.passes},p=${cost.parallelism}`;
  return `$argon2id$v=19$${parameters}$${unpadded(salt)}$${unpadded(tag)}`;
}

const PHC = /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,64})\$([A-Za-z0-9+/]{22,86})$/;

/** @throws HoldfastError `password-hash-unreadable` (damaged) */
function read(text: string): Hash {
  const [, memory, passes, parallelism, salt, tag] = PHC.exec(text) ?? [];
  if (salt === undefined || tag === undefined || Number(memory) > 4 * 1024 * 1024) {
    throw new HoldfastError(
      'damaged',
      'password-hash-unreadable',
      'The catalogue holds a password that this version cannot compare with. Set a new one: holdfast user password NAME.',
    );
  }
  return {
    cost: { memoryKiB: Number(memory), passes: Number(passes), parallelism: Number(parallelism) },
    salt: Buffer.from(salt, 'base64'),
    tag: Buffer.from(tag, 'base64'),
  };
}

function unpadded(bytes: Buffer): string {
  return bytes.toString('base64').replaceAll('=', '');
}

/** Lets a few pieces of work run at once, and a few more wait. */
class Places {
  #taken = 0;
  readonly #waiting: (() => void)[] = [];

  async take<Result>(work: () => Promise<Result>): Promise<Result> {
    if (this.#taken < AT_ONCE) this.#taken++;
    else {
      if (this.#waiting.length >= LONGEST_QUEUE) throw busy();
      // Whoever leaves hands over its place.
      await new Promise<void>((next) => this.#waiting.push(next));
    }
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#taken--;
      else next();
    }
  }
}

function busy(): HoldfastError {
  const message = 'Too many callers sign in at this moment. Try again in a second.';
  return new HoldfastError('too-many', 'sign-in-busy', message, { details: { retryAfterSeconds: 1 } });
}
