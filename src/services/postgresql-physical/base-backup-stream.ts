import { HoldfastError } from '../../core/errors.ts';
import type { CommandMessage } from './streaming-command.ts';

/** A tablespace outside of the data folder. */
export interface SentTablespace {
  oid: string;
  /** Absolute, or relative to the data folder (those that lie within it). */
  location: string;
}

export interface BackupPosition {
  /** LSN, `X/X` */
  lsn: string;
  timeline: number;
}

/** Bytes that follow each other, in pieces: all that were there at once. They stay as they are until the next run is asked for. */
export type Run = readonly Uint8Array[];

/** One part of a base backup; its bytes must be read to their end before the next part is asked for. */
export type BackupPart =
  | { kind: 'archive'; tablespace: SentTablespace | null; runs: AsyncIterable<Run> }
  | { kind: 'manifest'; runs: AsyncIterable<Run> };

/**
 * Reads what a server answers to BASE_BACKUP, of all versions: since 15 archives and manifest come in one copy stream whose
 * messages begin with their kind, before that each in a stream of its own.
 */
export class BaseBackupStream {
  readonly #batches: AsyncGenerator<readonly CommandMessage[]>;
  readonly #major: number;
  /** Messages that are there, and which of them comes next. */
  #batch: readonly CommandMessage[] = [];
  #at = 0;
  #start: BackupPosition | undefined;
  #end: BackupPosition | undefined;
  #tablespaces: (SentTablespace | null)[] = [];
  #totalBytes = 0;

  constructor(batches: AsyncGenerator<readonly CommandMessage[]>, major: number) {
    this.#batches = batches;
    this.#major = major;
  }

  /** Waits for the checkpoint and for what the server tells before the first byte. */
  async begin(): Promise<{ start: BackupPosition; tablespaces: readonly SentTablespace[]; totalBytes: number }> {
    let rows = 0;
    let names: readonly string[] = [];
    for (;;) {
      const message = await this.#next();
      if (message?.kind === 'copy-begin') {
        // It belongs to the first part.
        this.#at--;
        break;
      }
      if (message === undefined || message.kind === 'data') throw unexpected('no copy stream');
      if (message.kind === 'columns') names = message.names;
      if (message.kind !== 'row') continue;
      if (names.includes('recptr')) this.#start = positionOf(message.values);
      else this.#addTablespace(message.values);
      rows++;
    }
    if (this.#start === undefined || rows < 2) throw unexpected('no start position');
    return {
      start: this.#start,
      tablespaces: this.#tablespaces.filter((each) => each !== null),
      totalBytes: this.#totalBytes,
    };
  }

  async *parts(): AsyncGenerator<BackupPart> {
    yield* this.#major < 15 ? this.#separateStreams() : this.#oneStream();
    for (let message = await this.#next(); message !== undefined; message = await this.#next())
      if (message.kind === 'row') this.#end ??= positionOf(message.values);
    if (this.#end === undefined) throw unexpected('no end position');
  }

  /** Where the backup ends; known when all parts were read. */
  get end(): BackupPosition {
    if (this.#end === undefined) throw unexpected('no end position');
    return this.#end;
  }

  /** The end position comes before the error with which a server reports wrong checksums. */
  get hasEnded(): boolean {
    return this.#end !== undefined;
  }

  async *#separateStreams(): AsyncGenerator<BackupPart> {
    for (const tablespace of this.#tablespaces) {
      await this.#expectCopy();
      yield { kind: 'archive', tablespace, runs: this.#runs(plainBytes) };
      await this.#expectEnd();
    }
    await this.#expectCopy();
    yield { kind: 'manifest', runs: this.#runs(plainBytes) };
    await this.#expectEnd();
  }

  async #expectCopy(): Promise<void> {
    const message = await this.#next();
    if (message?.kind !== 'copy-begin') throw unexpected('an archive is missing');
  }

  async #expectEnd(): Promise<void> {
    const message = await this.#next();
    if (message?.kind !== 'copy-end') throw unexpected('an archive ends early');
  }

  async *#oneStream(): AsyncGenerator<BackupPart> {
    await this.#expectCopy();
    for (;;) {
      const message = await this.#next();
      if (message?.kind === 'copy-end') return;
      if (message?.kind !== 'data') throw unexpected('the stream of archives ends early');
      const kind = message.continues ? undefined : message.bytes[0];
      if (kind === PROGRESS) continue;
      if (kind === NEW_ARCHIVE)
        yield { kind: 'archive', tablespace: archiveOf(message.bytes), runs: this.#runs(taggedBytes()) };
      else if (kind === MANIFEST) yield { kind: 'manifest', runs: this.#runs(taggedBytes()) };
      else throw unexpected('bytes that belong to no archive');
    }
  }

  /** What `bytesOf` finds in messages, up to the first one in which it finds nothing. */
  async *#runs(bytesOf: (message: CommandMessage) => Buffer | undefined): AsyncGenerator<Run> {
    let isOver = false;
    while (!isOver && (await this.#hasNext())) {
      const run: Buffer[] = [];
      for (; this.#at < this.#batch.length; this.#at++) {
        const bytes = bytesOf(this.#batch[this.#at] as CommandMessage);
        isOver = bytes === undefined;
        if (bytes === undefined) break;
        if (bytes.length > 0) run.push(bytes);
      }
      if (run.length > 0) yield run;
    }
  }

  #addTablespace([oid, location, size]: readonly (string | null)[]): void {
    // The data folder itself is the one without a location.
    this.#tablespaces.push(oid == null ? null : { oid, location: location ?? '' });
    this.#totalBytes += Number(size ?? 0) * 1024;
  }

  async #next(): Promise<CommandMessage | undefined> {
    return (await this.#hasNext()) ? this.#batch[this.#at++] : undefined;
  }

  async #hasNext(): Promise<boolean> {
    while (this.#at >= this.#batch.length) {
      const next = await this.#batches.next();
      if (next.done === true) return false;
      this.#batch = next.value;
      this.#at = 0;
    }
    return true;
  }
}

/** Before 15 all that comes is an archive's. */
function plainBytes(message: CommandMessage): Buffer | undefined {
  return message.kind === 'data' ? message.bytes : undefined;
}

/** Since 15 each message begins with its kind; what tells of progress may come in between. */
function taggedBytes(): (message: CommandMessage) => Buffer | undefined {
  let kind: number | undefined;
  return (message) => {
    if (message.kind !== 'data') return undefined;
    if (!message.continues) kind = message.bytes[0];
    if (kind === PROGRESS) return NOTHING;
    if (kind !== DATA) return undefined;
    return message.continues ? message.bytes : message.bytes.subarray(1);
  };
}

const NOTHING = Buffer.alloc(0);

const NEW_ARCHIVE = 'n'.charCodeAt(0);
const MANIFEST = 'm'.charCodeAt(0);
const DATA = 'd'.charCodeAt(0);
const PROGRESS = 'p'.charCodeAt(0);

/** `n`, the archive's name and the tablespace's location, both zero-terminated. */
function archiveOf(bytes: Buffer): SentTablespace | null {
  const [name = '', location = ''] = bytes.toString('utf8', 1).split('\0');
  if (name === 'base.tar') return null;
  const oid = /^(\d+)\.tar$/.exec(name)?.[1];
  if (oid === undefined) throw unexpected(`an archive called "${name}"`);
  return { oid, location };
}

function positionOf([lsn, timeline]: readonly (string | null)[]): BackupPosition {
  if (!/^[0-9A-F]+\/[0-9A-F]+$/.test(lsn ?? '') || !/^\d+$/.test(timeline ?? ''))
    throw unexpected('a position that is none');
  return { lsn: lsn ?? '', timeline: Number(timeline) };
}

function unexpected(what: string): HoldfastError {
  return new HoldfastError(
    'unsupported',
    'postgresql-answer-unexpected',
    `The server's base backup is not as expected: ${what}. Nothing was backed up. Check that \`connection\` names a PostgreSQL server of version 13 or later.`,
  );
}
