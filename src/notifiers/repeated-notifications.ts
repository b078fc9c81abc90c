import { createHash } from 'node:crypto';
import { isCompletion, type Notification } from '../core/ports/notifier.ts';

/** Shorter than an hour, so that what fails every hour is told each time. */
const QUIET_MILLISECONDS = 55 * 60_000;
const MOST_REMEMBERED = 1000;
/** Amounts of bytes and time, and moments. Other numbers tell one cause from another: a status, a disk, how much is damaged. */
const AMOUNT = /(?<![\w.-])(\d+(\.\d+)?(?= (bytes|ms|s|seconds|minutes|hours)\b)|\d{4}-\d\d-\d\dT[\d:.]+Z)/g;

/**
 * Holds back what was told within the hour: a cause that stays would be told every few seconds. The same are notifications of one
 * type and subject whose messages differ in amounts of bytes and time, or moments, at most. What went well is never held back, and
 * ends what went wrong before: the next failure is a new one.
 */
export class RepeatedNotifications {
  /** By the hash of what makes it the same: messages may be long. */
  readonly #told = new Map<string, { type: string; subject: string; at: number; heldBack: number }>();

  /** @returns whether to tell it now, and how often the same was held back since it was told last */
  consider(notification: Notification, now: Date): { tell: boolean; heldBack: number } {
    if (isCompletion(notification.type)) {
      this.#end(notification);
      return { tell: true, heldBack: 0 };
    }
    const { type, subject } = notification;
    const key = keyOf(notification);
    const before = this.#told.get(key);
    if (before !== undefined && isWithinQuiet(now.getTime() - before.at)) {
      before.heldBack++;
      return { tell: false, heldBack: before.heldBack };
    }
    // Inserted anew, so that the first of the map is what was told longest ago.
    this.#told.delete(key);
    this.#told.set(key, { type, subject, at: now.getTime(), heldBack: 0 });
    const [oldest] = this.#told.keys();
    if (this.#told.size > MOST_REMEMBERED && oldest !== undefined) this.#told.delete(oldest);
    return { tell: true, heldBack: before?.heldBack ?? 0 };
  }

  /** How often it was held back is still to be told. */
  #end({ type, subject }: Notification): void {
    const failed = type.replace(/-completed$/, '-failed');
    for (const told of this.#told.values())
      if (told.type === failed && told.subject === subject) told.at = Number.NEGATIVE_INFINITY;
  }
}

/** Below zero where the clock was put back: how long ago it was told is not known then. */
function isWithinQuiet(milliseconds: number): boolean {
  return milliseconds >= 0 && milliseconds < QUIET_MILLISECONDS;
}

function keyOf({ type, subject, message }: Notification): string {
  return createHash('sha256')
    .update(JSON.stringify([type, subject, message.replaceAll(AMOUNT, '0')]))
    .digest('base64');
}
