import type { SqlDialect } from './service-download.ts';

/** Makes SQL for a pipe such that a client which got a part of it fails and changes nothing, as far as its database can. */
export interface SqlSealer {
  /**
   * The seal around a dump. If the source fails, the stream ends with a statement that fails with the reason, and then with the
   * source's error; what commits the whole is given only after the source has ended well and the dump's own footer was seen.
   * @throws HoldfastError `dump-not-sealable` (unsupported) naming what must not be let through, `dump-cut` (damaged): no footer
   */
  seal(source: AsyncIterable<Uint8Array>, options: SealOptions): AsyncIterable<Uint8Array>;
  /** SQL that makes each client that is fed with it fail, and shows the message. It is quoted here. */
  failure(message: string): string;
}

export interface SealOptions {
  dialect: SqlDialect;
  /** `create`: into an empty database; `replace`: what is there goes in the same transaction, where the dialect has such. */
  mode: 'create' | 'replace';
  /** For the comment at the head and the last line: what this is. No secrets. */
  title: string;
}
