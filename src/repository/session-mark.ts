import { hostname } from 'node:os';
import { encodeMetadata } from './metadata-encoding.ts';
import { cipherIdOf } from './record-cipher.ts';
import type { RepositoryParts } from './repository-parts.ts';
import { SEALED_KIND, sealObject } from './sealed-object.ts';

/**
 * Tells collectors that a writer is at work: `sessions/<id>`, so that they can wait for it and spare each other work. Nothing's
 * safety depends on it: a mark that is missing, old or left behind costs a writer one more commit at worst.
 */
export class WriterSessionMark {
  readonly #parts: RepositoryParts;
  readonly #name: string;
  #timer: NodeJS.Timeout | undefined;
  #renewal: Promise<void> | undefined;

  constructor(parts: RepositoryParts, id: string) {
    this.#parts = parts;
    this.#name = `sessions/${id}`;
  }

  /** Writes the mark, and again from time to time as long as its writer is of use to anybody. */
  async write(): Promise<void> {
    await this.#write();
    this.#timer ??= renewEvery(RENEW_EVERY, new WeakRef(this));
  }

  async remove(): Promise<void> {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    await this.#renewal;
    await this.#parts.storage.delete(this.#name);
  }

  /** A mark that cannot be renewed costs a repeated commit at worst; the backup itself meets the fault, if it lasts. */
  renew(): void {
    this.#renewal = this.#write().catch(() => undefined);
  }

  async #write(): Promise<void> {
    const { storage, keyring, settings, clock } = this.#parts;
    const content = encodeMetadata({
      version: 1,
      host: hostname(),
      process: process.pid,
      time: clock.now().toISOString(),
    });
    await storage.replace(
      this.#name,
      sealObject(keyring(), content, {
        kind: SEALED_KIND.session,
        name: this.#name,
        cipher: cipherIdOf(settings.cipher),
        codec: { name: 'raw', level: 0 },
      }),
    );
  }
}

/** Milliseconds; collectors take a mark for left behind after two hours. */
const RENEW_EVERY = 10 * 60 * 1000;

/** A writer that was dropped without an end must not be kept in memory by its own mark. */
function renewEvery(milliseconds: number, mark: WeakRef<WriterSessionMark>): NodeJS.Timeout {
  const timer = setInterval(() => {
    const living = mark.deref();
    if (living === undefined) clearInterval(timer);
    else living.renew();
  }, milliseconds);
  return timer.unref();
}
