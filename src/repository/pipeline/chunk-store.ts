import { HoldfastError } from '../../core/errors.ts';
import type { ChunkSink, ContentBuilder, ExpectedContent } from '../../core/ports/repository.ts';
import type { Storage } from '../../core/ports/storage.ts';
import type { ContentSegment } from '../../core/tree-entry.ts';
import { ChunkIdentifier } from '../chunk-identifier.ts';
import { ChunkTable } from '../chunk-table.ts';
import { Chunker } from '../chunker.ts';
import type { SharedIndex } from '../index-store.ts';
import type { Keyring } from '../keyring.ts';
import { PACK_PLAIN, PACK_UNUSABLE } from '../pack-flags.ts';
import { PACK_KIND, type PackKind } from '../pack-format.ts';
import { PackWriter, type WrittenPack } from '../pack-writer.ts';
import { CIPHER_NONE, cipherIdOf } from '../record-cipher.ts';
import type { RepositorySettings } from '../settings.ts';
import type { ZstdContexts } from '../zstd-contexts.ts';
import { ChunkClaims } from './chunk-claims.ts';
import { CutContent } from './cut-content.ts';
import type { SessionCounts } from './messages.ts';
import { ShortLivedMemory } from './short-lived-memory.ts';

export interface ChunkStoreOptions {
  storage: Storage;
  settings: RepositorySettings;
  keyring: Keyring;
  index: SharedIndex;
  claims: SharedArrayBuffer;
  encrypt: boolean;
  contexts: ZstdContexts;
  onPack: (pack: WrittenPack) => void;
}

/** The writing end of one session in one worker thread: cut → hash → look up → compress → seal → append. */
export class ChunkStore implements ChunkSink {
  readonly counts: SessionCounts = {
    contentBytes: 0,
    newBytes: 0,
    newEncodedBytes: 0,
    knownStoredBytes: 0,
    knownSharedBytes: 0,
  };
  readonly chunker: Chunker;
  readonly #identifier: ChunkIdentifier;
  readonly #table: ChunkTable;
  readonly #packFlags: Uint8Array;
  readonly #claims: ChunkClaims;
  readonly #unwanted: number;
  readonly #options: ChunkStoreOptions;
  readonly #writers = new Map<PackKind, PackWriter>();
  readonly #memory = new ShortLivedMemory();
  readonly #buffers: Buffer[] = [];
  #isGivenUp = false;

  constructor(options: ChunkStoreOptions) {
    this.#options = options;
    this.chunker = new Chunker(options.keyring.chunkerKey, options.settings.chunker);
    this.#identifier = new ChunkIdentifier(options.keyring.idKey);
    this.#table = new ChunkTable({ shared: options.index.table });
    this.#packFlags = new Uint8Array(options.index.packFlags);
    this.#claims = new ChunkClaims(options.claims);
    this.#unwanted = options.encrypt ? PACK_UNUSABLE | PACK_PLAIN : PACK_UNUSABLE;
  }

  identify(plain: Uint8Array): Buffer {
    return this.#identifier.identify(plain);
  }

  /** Stores one chunk, unless it is known or some thread has taken it on. @param id of these bytes, from `identify` */
  put(kind: PackKind, plain: Uint8Array, id: Buffer = this.identify(plain)): ContentSegment {
    this.counts.contentBytes += plain.length;
    if (!this.#isKnown(id, plain.length) && this.#claims.claim(id)) {
      this.counts.newBytes += plain.length;
      this.#writer(kind).append(id, plain);
      this.#memory.passed(plain.length);
    }
    return { id, length: plain.length };
  }

  /** Whether a chunk of an earlier backup can be relied on; counts it as content if so. */
  has(id: Uint8Array, length: number): boolean {
    if (!this.#isKnown(id, length)) return false;
    this.counts.contentBytes += length;
    return true;
  }

  store(bytes: Uint8Array): ContentSegment[] {
    const segments: ContentSegment[] = [];
    for (let start = 0; start < bytes.length; ) {
      const end = this.chunker.cut(bytes, start, bytes.length);
      segments.push(this.put(PACK_KIND.data, bytes.subarray(start, end)));
      start = end;
    }
    return segments;
  }

  beginContent(expected?: ExpectedContent): ContentBuilder {
    const buffer = this.#buffers.pop() ?? CutContent.newBuffer(this.chunker);
    return new CutContent(this, this.chunker, expected, buffer, () => this.#buffers.push(buffer));
  }

  mayEnd(tail: Uint8Array, length: number): boolean {
    return length < this.chunker.sizes.maximum && this.chunker.endsAt(tail, tail.length - length, tail.length);
  }

  async ready(): Promise<void> {
    await this.#options.storage.ready?.();
  }

  /** Waits until few packs are still on their way to the disk. */
  async drain(): Promise<void> {
    for (const writer of this.#writers.values()) await writer.drain(COMMITS_BEHIND);
    this.#sumEncoded();
  }

  async finish(): Promise<void> {
    for (const writer of this.#writers.values()) await writer.finish();
    this.#sumEncoded();
  }

  async abort(): Promise<void> {
    // A task that still runs must not begin a pack that nobody would end.
    this.#isGivenUp = true;
    for (const writer of this.#writers.values()) await writer.abort();
  }

  #isKnown(id: Uint8Array, length: number): boolean {
    return this.#table.find(id, (location) => {
      // A pack whose number this session's flags do not reach came after its start.
      const flags = this.#packFlags[location.pack];
      if (flags === undefined || (flags & this.#unwanted) !== 0) return false;
      if (length > this.#options.settings.frameTarget / 2)
        this.counts.knownStoredBytes += Math.min(length, location.frameLength);
      else this.counts.knownSharedBytes += length;
      return true;
    });
  }

  #sumEncoded(): void {
    let sum = 0;
    for (const writer of this.#writers.values()) sum += writer.encodedBytes;
    this.counts.newEncodedBytes = sum;
  }

  #writer(kind: PackKind): PackWriter {
    let writer = this.#writers.get(kind);
    if (writer === undefined) {
      if (this.#isGivenUp) throw new HoldfastError('cancelled', 'session-closed', 'The work was given up.');
      const { storage, settings, keyring, encrypt, contexts, onPack } = this.#options;
      writer = new PackWriter(
        storage,
        keyring,
        {
          kind,
          cipher: encrypt ? cipherIdOf(settings.cipher) : CIPHER_NONE,
          codec: settings.codec,
          packSize: kind === PACK_KIND.data ? settings.packs.data : settings.packs.metadata,
          frameTarget: settings.frameTarget,
          verify: settings.verifyBeforeCommit,
          contexts,
        },
        onPack,
      );
      this.#writers.set(kind, writer);
    }
    return writer;
  }
}

/** Packs per kind that may still be on their way to the disk while the next one fills. */
const COMMITS_BEHIND = 2;
