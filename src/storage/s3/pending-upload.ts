import { HoldfastError } from '../../core/errors.ts';
import type { PendingObject } from '../../core/ports/storage.ts';
import type { UploadMemory } from './upload-memory.ts';

/** An object that grows in memory and is sent when its key is known: S3 has no rename, and nothing must be seen before. */
export class PendingUpload implements PendingObject {
  readonly #memory: UploadMemory;
  readonly #send: (key: string, bytes: Buffer) => Promise<'created' | 'exists'>;
  #buffer: Buffer | undefined;
  #length = 0;
  #done = false;

  constructor(memory: UploadMemory, send: (key: string, bytes: Buffer) => Promise<'created' | 'exists'>) {
    this.#memory = memory;
    this.#send = send;
  }

  write(bytes: Uint8Array, onFree?: () => void): void {
    this.#requireOpen();
    this.#reserve(this.#length + bytes.length).set(bytes, this.#length);
    this.#length += bytes.length;
    onFree?.();
  }

  async commit(key: string): Promise<'created' | 'exists'> {
    this.#requireOpen();
    this.#done = true;
    try {
      const bytes = this.#reserve(this.#length).subarray(0, this.#length);
      return await this.#memory.whileSending(bytes.length, () => this.#send(key, bytes));
    } finally {
      this.#giveBack();
    }
  }

  async abort(): Promise<void> {
    if (this.#done) return;
    this.#done = true;
    this.#giveBack();
  }

  #reserve(length: number): Buffer {
    const current = this.#buffer;
    if (current !== undefined && current.length >= length) return current;
    const larger = this.#memory.take(length);
    current?.copy(larger, 0, 0, this.#length);
    this.#giveBack();
    this.#buffer = larger;
    return larger;
  }

  #giveBack(): void {
    if (this.#buffer !== undefined) this.#memory.giveBack(this.#buffer);
    this.#buffer = undefined;
  }

  #requireOpen(): void {
    if (this.#done)
      throw new HoldfastError('internal', 'pending-object-closed', 'This object was finished or given up already.');
  }
}
