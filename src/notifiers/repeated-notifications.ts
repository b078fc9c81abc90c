import type { Notification } from '../core/ports/notifier.ts';

/** Shorter than an hour, so that what fails every hour is told each time. */
const QUIET_MILLISECONDS = 55 * 60_000;
const MOST_REMEMBERED = 1000;

/**
 * Holds back what was told within the hour: a cause that stays would be told every few seconds. The same are notifications of one
 * type and subject whose messages differ in numbers at most.
 */
export class RepeatedNotifications {
  readonly #told = new Map<string, { at: number; heldBack: number }>();

  /** @returns whether to tell it now, and how often the same was held back since it was told last */
  consider({ type, subject, message }: Notification, now: Date): { tell: boolean; heldBack: number } {
    const key = JSON.stringify([type, subject, message.replaceAll(/\d+/g, '0')]);
    const before = this.#told.get(key);
    if (before !== undefined && now.getTime() - before.at < QUIET_MILLISECONDS) {
      before.heldBack++;
      return { tell: false, heldBack: before.heldBack };
    }
    // Inserted anew, so that the first of the map is what was told longest ago.
    this.#told.delete(key);
    this.#told.set(key, { at: now.getTime(), heldBack: 0 });
    const [oldest] = this.#told.keys();
    if (this.#told.size > MOST_REMEMBERED && oldest !== undefined) this.#told.delete(oldest);
    return { tell: true, heldBack: before?.heldBack ?? 0 };
  }
}
