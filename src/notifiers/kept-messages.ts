import { z } from 'zod';
import { messageOf } from '../core/errors.ts';
import type { DocumentTable } from '../core/ports/catalogue.ts';
import type { Logger } from '../core/ports/logger.ts';
import { NOTIFICATION_TYPES } from '../core/ports/notifier.ts';
import type { UndeliveredNotification } from '../core/undelivered-notification.ts';
import { jsonOf, type Message } from './message.ts';

/** Of one message: a hundred of each target are kept. */
const MOST_BYTES = 64 * 1024;

/**
 * What targets have not taken yet, in the catalogue: it is there again when the service starts. Writes are done in the background
 * and one after the other; where one fails, the log says so and all else goes on.
 */
export class KeptMessages {
  readonly #table: DocumentTable<UndeliveredNotification>;
  readonly #logger: Pick<Logger, 'warn'>;
  readonly #kept = new Set<string>();
  #sequence = 0;
  #writes: Promise<void> = Promise.resolve();

  constructor(table: DocumentTable<UndeliveredNotification>, logger: Pick<Logger, 'warn'>) {
    this.#table = table;
    this.#logger = logger;
  }

  /** What was kept by processes before this one, in its order. What cannot be read is dropped. */
  async load(): Promise<{ target: string; message: Message }[]> {
    await this.#writes;
    const rows = await this.#table.list().catch((error: unknown) => {
      this.#failed('Notifications that were kept at the end of the service cannot be read', {}, error);
      return [];
    });
    const loaded: { target: string; message: Message }[] = [];
    for (const { id, target, message } of rows.toSorted(inOrder)) {
      // Of this process, which may tell something before it takes up what others left.
      if (this.#kept.has(id)) continue;
      const { data } = messageSchema.safeParse(message);
      this.#kept.add(id);
      if (data === undefined) this.#drop(id, target);
      else loaded.push({ target, message: data as Message });
    }
    return loaded;
  }

  put(target: string, message: Message): void {
    const { at, type, subject } = message;
    const text = jsonOf(message);
    const facts = { target, notification: type, subject };
    const what = `The notification ${type} of ${subject} to "${target}" is lost if the service ends before it is delivered`;
    const id = idOf(target, message);
    this.#write(async () => {
      try {
        if (Buffer.byteLength(text) > MOST_BYTES) throw new Error(`it is longer than ${MOST_BYTES} bytes.`);
        const row = { id, createdAt: at, sequence: this.#sequence++, target, message: JSON.parse(text) };
        await this.#table.put(row);
        this.#kept.add(id);
      } catch (error) {
        this.#failed(what, facts, error);
      }
    });
  }

  has(target: string, message: Message): boolean {
    return this.#kept.has(idOf(target, message));
  }

  remove(target: string, message: Message): void {
    const { type, subject } = message;
    const facts = { target, notification: type, subject };
    const what = `The notification ${type} of ${subject} may come to "${target}" again, under the same id`;
    this.#write(() => this.#delete(idOf(target, message), facts, what));
  }

  /** Waits for what is being written. Never rejects. */
  settled(): Promise<void> {
    return this.#writes;
  }

  #drop(id: string, target: string): void {
    this.#logger.warn({ target }, `A notification that was kept for "${target}" cannot be read, and is dropped.`);
    this.#write(() => this.#delete(id, { target }, 'It stays in the catalogue'));
  }

  async #delete(id: string, facts: object, otherwise: string): Promise<void> {
    if (!this.#kept.delete(id)) return;
    await this.#table.delete(id).catch((error: unknown) => this.#failed(otherwise, facts, error));
  }

  #write(work: () => Promise<void>): void {
    this.#writes = this.#writes.then(work);
  }

  #failed(what: string, facts: object, error: unknown): void {
    this.#logger.warn({ ...facts, err: error }, `${what}: ${messageOf(error)}`);
  }
}

const messageSchema = z.object({
  id: z.string().min(1),
  type: z.enum([...NOTIFICATION_TYPES, 'test']),
  at: z.iso.datetime(),
  host: z.string(),
  subject: z.string(),
  title: z.string(),
  message: z.string(),
  details: z.record(z.string(), z.unknown()),
  repeated: z.number().int().positive().optional(),
});

function idOf(target: string, { id }: Message): string {
  return `${target}/${id}`;
}

function inOrder(one: UndeliveredNotification, other: UndeliveredNotification): number {
  if (one.createdAt !== other.createdAt) return one.createdAt < other.createdAt ? -1 : 1;
  return one.sequence - other.sequence;
}
