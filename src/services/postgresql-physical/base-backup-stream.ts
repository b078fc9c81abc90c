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

/** One part of a base backup; its bytes must be read to their end before the next part is asked for. */
export type BackupPart =
  | { kind: 'archive'; tablespace: SentTablespace | null; bytes: AsyncIterable<Buffer> }
  | { kind: 'manifest'; bytes: AsyncIterable<Buffer> };

interface Reading {
  messages: AsyncGenerator<CommandMessage>;
  /** A message that was read and belongs to the next part. */
  held?: CommandMessage;
}

/**
 * Reads what a server answers to BASE_BACKUP, of all versions: since 15 archives and manifest come in one copy stream whose
 * messages begin with their kind, before that each in a stream of its own.
 */
export class BaseBackupStream {
  readonly #reading: Reading;
  readonly #major: number;
  #start: BackupPosition | undefined;
  #end: BackupPosition | undefined;
  #tablespaces: (SentTablespace | null)[] = [];
  #totalBytes = 0;

  constructor(messages: AsyncGenerator<CommandMessage>, major: number) {
    this.#reading = { messages };
    this.#major = major;
  }

  /** Waits for the checkpoint and for what the server tells before the first byte. */
  async begin(): Promise<{ start: BackupPosition; tablespaces: readonly SentTablespace[]; totalBytes: number }> {
    let rows = 0;
    let names: readonly string[] = [];
    for (;;) {
      const message = await this.#next();
      if (message?.kind === 'copy-begin') {
        this.#reading.held = message;
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
      const bytes = this.#plainBytes();
      yield { kind: 'archive', tablespace, bytes };
    }
    await this.#expectCopy();
    yield { kind: 'manifest', bytes: this.#plainBytes() };
  }

  async #expectCopy(): Promise<void> {
    const message = await this.#next();
    if (message?.kind !== 'copy-begin') throw unexpected('an archive is missing');
  }

  async *#plainBytes(): AsyncGenerator<Buffer> {
    for (;;) {
      const message = await this.#next();
      if (message?.kind === 'copy-end') return;
      if (message?.kind !== 'data') throw unexpected('an archive ends early');
      yield message.bytes;
    }
  }

  async *#oneStream(): AsyncGenerator<BackupPart> {
    await this.#expectCopy();
    for (;;) {
      const message = await this.#next();
      if (message?.kind === 'copy-end') return;
      if (message?.kind !== 'data') throw unexpected('the stream of archives ends early');
      const kind = message.continues ? undefined : message.bytes[0];
      if (kind === PROGRESS) continue;
      if (kind === NEW_ARCHIVE) yield { kind: 'archive', tablespace: archiveOf(message.bytes), bytes: this.#tagged() };
      else if (kind === MANIFEST) yield { kind: 'manifest', bytes: this.#tagged() };
      else throw unexpected('bytes that belong to no archive');
    }
  }

  async *#tagged(): AsyncGenerator<Buffer> {
    let kind: number | undefined;
    for (;;) {
      const message = await this.#next();
      const continues = message?.kind === 'data' && message.continues;
      if (message?.kind === 'data' && !continues) kind = message.bytes[0];
      if (message?.kind !== 'data' || (kind !== DATA && kind !== PROGRESS)) {
        this.#reading.held = message ?? { kind: 'complete' };
        return;
      }
      if (kind === DATA) yield continues ? message.bytes : message.bytes.subarray(1);
    }
  }

  #addTablespace([oid, location, size]: readonly (string | null)[]): void {
    // The data folder itself is the one without a location.
    this.#tablespaces.push(oid == null ? null : { oid, location: location ?? '' });
    this.#totalBytes += Number(size ?? 0) * 1024;
  }

  async #next(): Promise<CommandMessage | undefined> {
    const { held } = this.#reading;
    if (held !== undefined) {
      delete this.#reading.held;
      return held;
    }
    const next = await this.#reading.messages.next();
    return next.done === true ? undefined : next.value;
  }
}

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
