/**
 * The dumb bytes under a repository: a local folder, an S3 bucket. The engine's safety rests on the promises below, so an
 * implementation that cannot keep one must refuse to open instead.
 *
 * Keys are relative, `/`-separated, of `[a-z0-9A-Z._-]`; they never begin with `/` or hold `..`.
 */
export interface Storage {
  /** `local`, `s3` … */
  readonly kind: string;
  /** Where it is, for a person to read; holds no secret. */
  readonly location: string;
  /** How a worker thread opens the same storage again; structured-cloneable. */
  readonly reopen: StorageModuleReference;
  /** Bytes that the packs of a new repository should not exceed by much here. Default: as the repository likes. */
  readonly largestPack?: number;

  /**
   * Creates an object that was not there: atomically (whole or not at all), durably (survives power loss once this
   * resolves), and never over an existing one. `exists` means that somebody made it before; its bytes are untouched.
   */
  putNew(key: string, bytes: Uint8Array | readonly Uint8Array[]): Promise<'created' | 'exists'>;

  /** Begins an object whose key is known only at its end. Nothing is visible until `commit`. */
  beginNew(): PendingObject;

  /**
   * Replaces an object or makes it, atomically. Only for objects that nobody's safety depends on (session heartbeats), and for
   * damaged ones, by authentic bytes of a copy.
   */
  replace(key: string, bytes: Uint8Array): Promise<void>;

  /** @throws HoldfastError `object-missing` (kind not-found) */
  get(key: string): Promise<Buffer>;

  /**
   * Reads exactly `length` bytes from `offset`, into `buffer` if one is given that is large enough (memory that was touched
   * before is much faster than fresh one).
   *
   * @throws HoldfastError `object-missing`, or `object-truncated` (kind damaged)
   */
  getRange(key: string, offset: number, length: number, buffer?: Buffer): Promise<Buffer>;

  /**
   * Memory for `getRange` and `PendingObject.write` that this storage reads into and writes from fastest: `length` bytes and
   * some to spare. Default: any.
   */
  allocate?(length: number): Buffer;

  /** All objects whose key begins with `prefix` (a folder such as `packs/`), or an error: never a part of them. */
  list(prefix: string, options?: { sizes: boolean }): Promise<readonly StoredObject[]>;

  /**
   * Removes an object; no error if it is gone already. Callers must not need it to succeed. A power cut may bring it back, unless
   * `durable` is asked for, which makes an earlier removal by somebody else last, too.
   */
  delete(key: string, options?: { durable: boolean }): Promise<void>;

  /** The storage's clock, for efficiency and for people; nothing's safety depends on it. */
  serverTime(): Promise<Date>;

  /**
   * Resolves when more may be written to pending objects, for a storage that holds them in memory until they are stored. Asked before
   * each task and between the blocks of a long content. Default: at once.
   */
  ready?(): Promise<void>;

  /** Rejects where nothing would be stored now. Default: a pending object that is written to and given up tells. */
  tryWriting?(): Promise<void>;

  close(): Promise<void>;
}

export interface StoredObject {
  key: string;
  /** bytes; 0 where the listing was asked to do without sizes */
  size: number;
}

export interface PendingObject {
  /**
   * Appends without giving up the thread. The bytes may be reused as soon as it returns or, where `onFree` is given, once that
   * is called, which may be before it returns. Fastest for pieces of `Storage.allocate`'s memory, from its start, of a multiple of
   * 4096 bytes each.
   */
  write(bytes: Uint8Array, onFree?: () => void): void;
  /** Makes all that was written durable under `key`, as `putNew` does. */
  commit(key: string): Promise<'created' | 'exists'>;
  abort(): Promise<void>;
}

/** A module that exports `openStorage(options): Promise<Storage>`. */
export interface StorageModuleReference {
  /** file: URL of the module */
  module: string;
  options: Readonly<Record<string, unknown>>;
}
