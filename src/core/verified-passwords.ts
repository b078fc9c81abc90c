import { createHmac, randomBytes } from 'node:crypto';
import type { Clock } from './ports/clock.ts';

const MOST_ENTRIES = 10_000;

/**
 * Remembers for some minutes which passwords were right, so that not every request costs a hash or a look into a directory. It holds no
 * password and nothing that one could be tried against elsewhere: an HMAC under a key that only this process has.
 */
export class VerifiedPasswords<Known> {
  readonly #clock: Clock;
  readonly #milliseconds: number;
  readonly #key = randomBytes(32);
  readonly #entries = new Map<string, { known: Known; until: number }>();

  constructor(clock: Clock, milliseconds: number) {
    this.#clock = clock;
    this.#milliseconds = milliseconds;
  }

  /** @param words name, password, and whatever else must be as it was */
  find(words: readonly string[]): Known | undefined {
    const entry = this.#entries.get(this.#digest(words));
    return entry === undefined || entry.until <= this.#clock.now().getTime() ? undefined : entry.known;
  }

  add(words: readonly string[], known: Known): void {
    const now = this.#clock.now().getTime();
    if (this.#entries.size >= MOST_ENTRIES) this.#entries.clear();
    this.#entries.set(this.#digest(words), { known, until: now + this.#milliseconds });
  }

  #digest(words: readonly string[]): string {
    return createHmac('sha256', this.#key).update(JSON.stringify(words)).digest('base64');
  }
}
