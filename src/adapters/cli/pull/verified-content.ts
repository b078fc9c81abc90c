import { createHash, type Hash } from 'node:crypto';
import { type ContentFacts, cutOff } from './snapshot-server.ts';

/** Counts and hashes content as it comes, and tells in the end whether it is what the server announced. */
export class VerifiedContent {
  #bytes = 0;
  readonly #hash: Hash = createHash('sha256');

  get bytes(): number {
    return this.#bytes;
  }

  add(piece: Uint8Array): void {
    this.#bytes += piece.length;
    this.#hash.update(piece);
  }

  /**
   * @returns whether there was a digest to compare with
   * @throws HoldfastError `download-cut` (damaged)
   */
  verify({ length, sha256 }: Pick<ContentFacts, 'length' | 'sha256'>): boolean {
    if (length !== undefined && length !== this.#bytes) throw cutOff(`${this.#bytes} of ${length} bytes came`);
    if (sha256 === undefined) return false;
    const found = this.#hash.digest('hex');
    if (found !== sha256) throw cutOff(`its SHA-256 is ${found}, and the server announced ${sha256}`);
    return true;
  }
}
