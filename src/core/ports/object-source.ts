/** Objects of a bucket or files of a folder that somebody else writes, for reading only. */
export interface ObjectSource {
  /** Where it is, for an operator to read; no secret. */
  readonly location: string;
  /** All objects whose key begins so, in any order. Those that appear or go meanwhile may be among them or not. */
  list(prefix: string, signal: AbortSignal): AsyncIterable<SourceObject>;
  /**
   * Opens an object from a byte on.
   * @param range.entityTag refuses another version of the object
   * @throws HoldfastError `object-missing` (not-found); `object-changed` (conflict): it is not that version any more
   */
  open(key: string, range: { offset: number; entityTag?: string; signal: AbortSignal }): Promise<OpenObject>;
  /** Ends connections. */
  close(): Promise<void>;
}

export interface SourceObject {
  /** Path with `/` between folders and none at its beginning. */
  key: string;
  /** Bytes */
  size: number;
  modifiedAt: Date;
}

export interface OpenObject {
  /** Bytes of the whole object, whatever was asked for of it. */
  size: number;
  /** Names this version of the object. */
  entityTag?: string;
  /** From the asked byte on to the end. Who leaves early ends the connection. */
  bytes: AsyncIterable<Uint8Array>;
}
