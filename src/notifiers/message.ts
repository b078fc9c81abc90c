import type { Notification } from '../core/ports/notifier.ts';

/** One notification on its way to people. */
export interface Message {
  /** The same for each attempt to deliver it. */
  id: string;
  type: Notification['type'] | 'test';
  /** When it was notified, by RFC 3339. */
  at: string;
  host: string;
  subject: string;
  /** A line that tells what happened, where and to what. */
  title: string;
  message: string;
  details: Readonly<Record<string, unknown>>;
  /** How often the same was held back since it was told last; absent for 0. */
  repeated?: number;
}

/** Takes messages to one place. */
export interface Courier {
  /** For people; no secret is in it. */
  readonly place: string;
  /**
   * One attempt.
   * @throws HoldfastError of the kind `unavailable` where another attempt may help, with `retryAfterSeconds` in its details
   * where that was asked for; no secret is in its message
   */
  deliver(message: Message, signal: AbortSignal): Promise<void>;
  /**
   * Looks whether a message could be sent, and sends none: reads the secrets, connects, and signs in where that can be done.
   * @throws HoldfastError saying what is wrong, with the `reason` of a connection that failed in its details; no secret is in it
   */
  check(signal: AbortSignal): Promise<void>;
}

export function titleOf({ type, subject, host }: Pick<Message, 'type' | 'subject' | 'host'>): string {
  return `Holdfast on ${host}: ${type.replaceAll('-', ' ')} (${subject})`;
}

/** Title and message, for those who take nothing but text. */
export function textOf(message: Message): string {
  return `${message.title}\n${message.message}${repetitionOf(message)}`;
}

/** A line behind a message that was held back before. */
export function repetitionOf({ repeated }: Message): string {
  return repeated === undefined ? '' : `\nThe same was held back ${repeated} times since it was told last.`;
}

/** Details may hold what JSON does not know. */
export function jsonOf(value: object, indent?: number): string {
  const known = (_name: string, member: unknown) => (typeof member === 'bigint' ? String(member) : member);
  return JSON.stringify(value, known, indent);
}
