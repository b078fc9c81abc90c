import type { Message } from './message.ts';

const MOST_WAITING = 100;
/** After each attempt; the last one again and again. */
const PAUSES_MILLISECONDS = [2000, 10_000, 60_000, 300_000, 900_000, 3_600_000];
const LONGEST_PAUSE_MILLISECONDS = 3_600_000;
const LONGEST_PAUSE_AT_END_MILLISECONDS = 1000;
/** What breaks backups at night (a network, a name server) breaks the way to people too, and until morning. */
const PATIENCE_MILLISECONDS = 24 * 3_600_000;
/** Between attempts at a place that takes nothing, while something waits that was never tried. */
const LONGEST_PAUSE_BEFORE_NEW_MILLISECONDS = 300_000;

export interface WaitingOptions {
  /** After each attempt; the last one is repeated. Default: from 2 seconds to an hour. */
  pausesMilliseconds?: readonly number[];
  /** How long a message is tried again. Default: a day. */
  patienceMilliseconds?: number;
}

/** A message that was not taken yet. */
export interface WaitingMessage {
  readonly message: Message;
  /** Why it was not taken, or nothing is; undefined before the first attempt. */
  reason: string | undefined;
}

interface Waiting extends WaitingMessage {
  /** In the order of arrival. */
  readonly arrival: number;
  readonly givenUpAt: number;
  attempts: number;
  /** The number of the attempt among all; 0: there was none. */
  triedAs: number;
  dueAt: number;
  /** Another one was taken, so it is tried before its time: once, or each success would try it again. */
  haste: 'possible' | 'now' | 'none';
}

/**
 * What waits for one place, and what is to be tried when. Knows no timers: moments are milliseconds of any one clock.
 *
 * Whatever was tried longest ago comes first, what was never tried before all else, in the order of arrival. So what is refused
 * again and again holds back nobody. Where two different messages in a row are not taken, it is the place that is away: all wait for
 * one moment, at which one is tried for all of them, with pauses that grow. When one is taken, the others go at once.
 */
export class WaitingMessages {
  readonly #pauses: readonly number[];
  readonly #patience: number;
  readonly #waiting: Waiting[] = [];
  #arrivals = 0;
  #attempts = 0;
  #lastFailed: Waiting | undefined;
  /** Where the place takes nothing: when it is tried again. */
  #away: { failures: number; failedAt: number; until: number } | undefined;
  #longestPause = LONGEST_PAUSE_MILLISECONDS;

  constructor({ pausesMilliseconds, patienceMilliseconds }: WaitingOptions = {}) {
    this.#pauses = pausesMilliseconds ?? PAUSES_MILLISECONDS;
    this.#patience = patienceMilliseconds ?? PATIENCE_MILLISECONDS;
  }

  get size(): number {
    return this.#waiting.length;
  }

  /** @returns what made room */
  add(message: Message, now: number): WaitingMessage[] {
    const givenUpAt = now + this.#patience;
    const fresh = { attempts: 0, triedAs: 0, dueAt: now, haste: 'possible', reason: undefined } as const;
    return this.#insert({ message, arrival: ++this.#arrivals, givenUpAt, ...fresh });
  }

  /** Takes out what is to be tried now. @returns when to ask again where that is nothing yet; undefined where nothing waits */
  next(now: number): { one: WaitingMessage } | { at: number } | undefined {
    if (this.#waiting.length === 0) return undefined;
    const awayUntil = this.#awayUntil();
    if (awayUntil !== undefined && awayUntil > now) return { at: awayUntil };
    const due = awayUntil === undefined ? this.#waiting.filter(({ dueAt }) => dueAt <= now) : this.#waiting;
    const [one] = due.toSorted((one, other) => one.triedAs - other.triedAs || one.arrival - other.arrival);
    if (one === undefined) return { at: Math.min(...this.#waiting.map(({ dueAt }) => dueAt)) };
    this.#waiting.splice(this.#waiting.indexOf(one), 1);
    return { one };
  }

  /** The place takes messages: what waits for it goes at once. */
  taken(now: number): void {
    this.#lastFailed = undefined;
    this.#away = undefined;
    for (const one of this.#waiting) {
      if (one.haste !== 'possible' || one.dueAt <= now) continue;
      one.dueAt = now;
      one.haste = 'now';
    }
  }

  /**
   * Puts back what `next` gave and was not taken.
   * @param retryAfterMilliseconds what the place asked for; it is heeded for all, as long as for a place that takes nothing
   * @returns what is given up, or made room
   */
  failed(one: WaitingMessage, now: number, reason: string, retryAfterMilliseconds = 0): WaitingMessage[] {
    const waiting = one as Waiting;
    waiting.reason = reason;
    waiting.dueAt = now + this.#pause(waiting.attempts++, retryAfterMilliseconds);
    waiting.triedAs = ++this.#attempts;
    waiting.haste = waiting.haste === 'now' ? 'none' : 'possible';
    const isAnother = this.#lastFailed !== undefined && this.#lastFailed !== waiting;
    this.#lastFailed = waiting;
    if (this.#away !== undefined || isAnother || retryAfterMilliseconds > 0) this.#missed(now, retryAfterMilliseconds);
    const givenUp = this.#givenUp(waiting, now);
    return givenUp.includes(waiting) ? givenUp : [...givenUp, ...this.#insert(waiting)];
  }

  /** The end is near: all is due, and pauses are short. */
  hasten(now: number): void {
    this.#longestPause = LONGEST_PAUSE_AT_END_MILLISECONDS;
    for (const one of this.#waiting) one.dueAt = Math.min(one.dueAt, now);
    if (this.#away !== undefined) this.#away.until = now;
  }

  /** Takes out all. */
  drain(): WaitingMessage[] {
    return this.#waiting.splice(0);
  }

  #insert(one: Waiting): WaitingMessage[] {
    this.#waiting.push(one);
    this.#waiting.sort((one, other) => one.arrival - other.arrival);
    const dropped = this.#waiting.splice(0, Math.max(0, this.#waiting.length - MOST_WAITING));
    for (const each of dropped) each.reason = `${MOST_WAITING} newer ones wait.`;
    return dropped;
  }

  #missed(now: number, retryAfterMilliseconds: number): void {
    const failures = this.#away?.failures ?? 0;
    const until = now + this.#pause(failures, retryAfterMilliseconds);
    this.#away = { failures: failures + 1, failedAt: now, until };
  }

  #awayUntil(): number | undefined {
    if (this.#away === undefined) return undefined;
    const { failedAt, until } = this.#away;
    if (this.#waiting.every(({ triedAs }) => triedAs > 0)) return until;
    return Math.min(until, failedAt + LONGEST_PAUSE_BEFORE_NEW_MILLISECONDS);
  }

  /** Where the place takes nothing, nothing needs an attempt of its own. */
  #givenUp(failed: Waiting, now: number): WaitingMessage[] {
    const isOver = ({ givenUpAt }: Waiting) => givenUpAt <= now;
    const others = this.#away === undefined ? [] : this.#waiting.filter(isOver);
    for (const one of others) {
      one.reason ??= failed.reason;
      this.#waiting.splice(this.#waiting.indexOf(one), 1);
    }
    return isOver(failed) ? [failed, ...others] : others;
  }

  #pause(attempts: number, retryAfterMilliseconds: number): number {
    const pause = this.#pauses[Math.min(attempts, this.#pauses.length - 1)] ?? LONGEST_PAUSE_MILLISECONDS;
    return Math.min(Math.max(pause * (0.75 + Math.random() / 4), retryAfterMilliseconds), this.#longestPause);
  }
}
