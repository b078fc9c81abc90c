import { HoldfastError } from './errors.ts';
import type { Clock } from './ports/clock.ts';
import { guessKey } from './user-name.ts';

/** Wrong passwords in a minute, of one address or for one name. */
const FREE_FAILURES = 5;
const WINDOW = 60_000;
const FIRST_BLOCK = 60_000;
const LONGEST_BLOCK = 3_600_000;
/** A quiet day makes up for everything. */
const FORGIVEN_AFTER = 86_400_000;
/** How long an address that somebody signed in from is not shut out by guesses from elsewhere. */
const KNOWN_FOR = 86_400_000;
/** Attempts that wait because too many others of their name or address are undecided. */
const LONGEST_QUEUE = 256;
const MOST_COUNTERS = 50_000;

interface Counter {
  failures: number;
  windowBegan: number;
  /** Times that it was blocked; each block is twice as long as the one before. */
  blocks: number;
  blockedUntil: number;
  lastFailure: number;
  undecided: number;
  waiting: Set<() => void>;
}

/** One attempt that was let in; to be ended exactly once. */
export interface SignInAttempt {
  succeeded(): void;
  failed(): void;
  /** Nothing was found out. */
  abandoned(): void;
}

/**
 * Slows down whoever guesses passwords: after five wrong ones in a minute for a name, or from an address, the name or the address has to
 * wait, a minute at first and then twice as long each time, up to an hour. Attempts that are not decided yet count as if they might fail,
 * so that nobody gets more guesses by making them at once. Right passwords do not take failures back: else somebody with an account
 * could guess at others for ever.
 *
 * Whoever signed in from an address within a day is not shut out there by guesses from other addresses. Kept in memory: a restart
 * forgets it, and each process counts for itself.
 */
export class SignInAttempts {
  readonly #clock: Clock;
  readonly #most: number;
  readonly #counters = new Map<string, Counter>();
  readonly #known = new Map<string, number>();
  #queue = 0;

  /** @param most names and addresses that are remembered at once */
  constructor(clock: Clock, most = MOST_COUNTERS) {
    this.#clock = clock;
    this.#most = most;
  }

  /** @throws HoldfastError `sign-in-blocked`, `sign-in-busy` (too-many) with `retryAfterSeconds` in their details */
  async begin(name: string, address: string): Promise<SignInAttempt> {
    const place = addressKey(address);
    const pair = `${guessKey(name)}\n${place}`;
    const keys = [`name ${guessKey(name)}`, `address ${place}`];
    const isKnown = this.#now() - (this.#known.get(pair) ?? Number.NEGATIVE_INFINITY) < KNOWN_FOR;
    const counters = await this.#admission(keys, isKnown ? keys.slice(1) : keys);
    const end = (failed: boolean) => {
      for (const counter of counters) this.#decide(counter, failed);
    };
    return {
      succeeded: () => {
        this.#remember(this.#known, pair, this.#now());
        end(false);
      },
      failed: () => end(true),
      abandoned: () => end(false),
    };
  }

  /**
   * Waits until an attempt may be made and counts it as undecided, with nothing in between in which others could be let in too.
   * @param decisive those of the keys that can shut it out
   */
  async #admission(keys: readonly string[], decisive: readonly string[]): Promise<readonly Counter[]> {
    for (;;) {
      const counters = decisive.map((key) => this.#counter(key));
      const blockedUntil = Math.max(...counters.map((counter) => counter.blockedUntil));
      if (blockedUntil > this.#now()) throw blocked(Math.ceil((blockedUntil - this.#now()) / 1000));
      const full = counters.find((counter) => counter.undecided >= FREE_FAILURES - this.#failures(counter));
      if (full === undefined) return this.#reserve(keys);
      if (this.#queue >= LONGEST_QUEUE) throw busy();
      this.#queue++;
      await new Promise<void>((next) => full.waiting.add(next)).finally(() => this.#queue--);
    }
  }

  #reserve(keys: readonly string[]): readonly Counter[] {
    return keys.map((key) => {
      const counter = this.#counter(key);
      counter.undecided++;
      this.#remember(this.#counters, key, counter);
      return counter;
    });
  }

  /** A new one is kept only with an attempt that is let in: else whoever is shut out could push out all others' by many names. */
  #counter(key: string): Counter {
    const counter = this.#counters.get(key);
    if (counter !== undefined && !this.#isForgiven(counter)) return counter;
    return {
      failures: 0,
      windowBegan: 0,
      blocks: 0,
      blockedUntil: 0,
      lastFailure: 0,
      undecided: 0,
      waiting: new Set(),
    };
  }

  /** The newest use comes last; what was not used for longest is forgotten first. */
  #remember<Value>(map: Map<string, Value>, key: string, value: Value): void {
    map.delete(key);
    map.set(key, value);
    if (map.size <= this.#most) return;
    const oldest = map.keys().next();
    if (oldest.done !== true) map.delete(oldest.value);
  }

  #isForgiven(counter: Counter): boolean {
    return counter.undecided === 0 && this.#now() - counter.lastFailure > FORGIVEN_AFTER;
  }

  #failures(counter: Counter): number {
    return this.#now() - counter.windowBegan < WINDOW ? counter.failures : 0;
  }

  #decide(counter: Counter, failed: boolean): void {
    counter.undecided--;
    if (failed) this.#count(counter);
    const { waiting } = counter;
    counter.waiting = new Set();
    for (const next of waiting) next();
  }

  #count(counter: Counter): void {
    const now = this.#now();
    counter.failures = this.#failures(counter) + 1;
    if (counter.failures === 1) counter.windowBegan = now;
    counter.lastFailure = now;
    if (counter.failures < FREE_FAILURES) return;
    counter.blockedUntil = now + Math.min(FIRST_BLOCK * 2 ** counter.blocks, LONGEST_BLOCK);
    counter.blocks++;
    counter.failures = 0;
  }

  #now(): number {
    return this.#clock.now().getTime();
  }
}

/** An IPv6 customer has 2^64 addresses: they count as one. A port, which some proxies write down, does not count. */
export function addressKey(address: string): string {
  const plain = address.replace(/^\[?::ffff:(?=\d+\.)/i, '').replace(/^\[([^\]]*)\].*$/, '$1');
  if (/^\d+\.\d+\.\d+\.\d+/.test(plain)) return plain.replace(/[:\]].*$/, '');
  if (!plain.includes(':')) return plain.slice(0, 64);
  const [head = ''] = plain.toLowerCase().split('%');
  const [before = '', after] = head.split('::');
  const front = before === '' ? [] : before.split(':');
  const back = after === undefined || after === '' ? [] : after.split(':');
  const filling = after === undefined ? 0 : Math.max(0, 8 - front.length - back.length);
  const groups = [...front, ...Array.from({ length: filling }, () => '0'), ...back];
  return `${groups
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, '').slice(0, 8))
    .join(':')}::/64`;
}

function blocked(seconds: number): HoldfastError {
  return new HoldfastError(
    'too-many',
    'sign-in-blocked',
    `There were too many wrong passwords for this name or from this address. Try again in ${seconds} seconds.`,
    { details: { retryAfterSeconds: seconds } },
  );
}

function busy(): HoldfastError {
  return new HoldfastError(
    'too-many',
    'sign-in-busy',
    'Too many callers sign in at this moment. Try again in a second.',
    {
      details: { retryAfterSeconds: 1 },
    },
  );
}
