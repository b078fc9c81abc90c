/** The canonical texts of the documents that were backed up last, so that the next delta need not restore its base. */
export class RecentDocuments {
  readonly #budgetBytes: number;
  /** Longest unused first. */
  readonly #documents = new Map<string, Uint8Array>();
  #bytes = 0;

  constructor(budgetBytes: number) {
    this.#budgetBytes = budgetBytes;
  }

  /** @returns a copy */
  get(backupId: string): Uint8Array | undefined {
    const canonical = this.#documents.get(backupId);
    if (canonical === undefined) return undefined;
    this.#documents.delete(backupId);
    this.#documents.set(backupId, canonical);
    return canonical.slice();
  }

  /** Keeps a text, which must not change any more, unless it is larger than the whole budget. */
  put(backupId: string, canonical: Uint8Array): void {
    if (canonical.byteLength > this.#budgetBytes) return;
    this.#drop(backupId);
    for (const oldest of this.#documents.keys()) {
      if (this.#bytes + canonical.byteLength <= this.#budgetBytes) break;
      this.#drop(oldest);
    }
    this.#documents.set(backupId, canonical);
    this.#bytes += canonical.byteLength;
  }

  #drop(backupId: string): void {
    this.#bytes -= this.#documents.get(backupId)?.byteLength ?? 0;
    this.#documents.delete(backupId);
  }
}
