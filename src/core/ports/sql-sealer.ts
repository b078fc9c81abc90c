import type { SqlDialect } from './service-download.ts';

/** Makes SQL for a pipe such that a client which got a part of it fails and changes nothing, as far as its database can. */
export interface SqlSealer {
  /**
   * The seal around a dump. What commits the whole is given only after the source has ended well and the dump's own footer was seen.
   *
   * An error before the first bytes were given is thrown alone, so that it can still be answered in another way. A later one, of the
   * source or of the seal, is first given as a statement that fails with its message (that of a HoldfastError; of others only that there
   * was one) and then thrown; the connection must then be broken off.
   *
   * The bytes that are given are in part those of the source, which must not use them again.
   * @throws HoldfastError `dump-not-sealable` (unsupported, too-large) naming what must not be let through, `dump-cut` (damaged): no
   * footer; at once, `mode-not-possible` (unsupported): the dialect has no transaction that a replacement could be in
   */
  seal(source: AsyncIterable<Uint8Array>, options: SealOptions): AsyncIterable<Uint8Array>;
  /** SQL that makes each client that is fed with it fail, and shows the message, of which MySQL has 128 characters. It is quoted here. */
  failure(message: string): string;
}

export interface SealOptions {
  dialect: SqlDialect;
  /** `create`: into an empty database, or it fails; `replace`: what is there goes in the same transaction, in PostgreSQL alone. */
  mode: 'create' | 'replace';
  /** For the comment at the head and the last line: what this is. No secrets. */
  title: string;
}
