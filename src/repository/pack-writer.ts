import { createHash, type Hash, randomBytes } from 'node:crypto';
import { HoldfastError } from '../core/errors.ts';
import type { PendingObject, Storage } from '../core/ports/storage.ts';
import { type CodecChoice, decode, encode, RAW } from './codec.ts';
import type { Keyring } from './keyring.ts';
import {
  encodeFooter,
  encodeFrameTable,
  encodePackHeader,
  encodeRecordHeader,
  encodeTrailer,
  FOOTER_MAGIC,
  FOOTER_ORDINAL,
  type FooterFrame,
  FRAME_MAGIC,
  type FrameChunk,
  type PackKind,
  packKey,
  RECORD_HEADER_LENGTH,
  recordAssociatedData,
} from './pack-format.ts';
import { createRecordCipher, type RecordCipher } from './record-cipher.ts';
import { ZstdContexts } from './zstd-contexts.ts';

export interface PackWriterOptions {
  kind: PackKind;
  cipher: number;
  codec: CodecChoice;
  /** bytes at which a pack is closed */
  packSize: number;
  /** plain bytes up to which small chunks are gathered in one frame */
  frameTarget: number;
  verify: boolean;
  /** Of all that write in this thread. No chunk may lie in their memory: verification decodes to it. */
  contexts?: ZstdContexts;
}

/** A pack that is durable in the storage, with the frames it holds. */
export interface WrittenPack {
  idHex: string;
  header: Buffer;
  size: number;
  frames: FooterFrame[];
}

export const PACK_PURPOSE = 'holdfast pack';

/**
 * Appends chunks to packs. Chunks much smaller than `frameTarget` are gathered and share a frame (one compression, one seal);
 * larger ones get a frame each. Every frame is opened again, decoded and compared before its bytes leave
 * (restic learnt that from a faulty compressor: its issue 4523). Packs are closed at `packSize` and made durable while the
 * next one fills.
 */
export class PackWriter {
  readonly #storage: Storage;
  readonly #keyring: Keyring;
  readonly #options: PackWriterOptions;
  readonly #onPack: (pack: WrittenPack) => void;
  readonly #contexts: ZstdContexts;
  readonly #gathered: Buffer;
  readonly #commits = new Set<Promise<void>>();
  #gatheredLength = 0;
  #gatheredChunks: FrameChunk[] = [];
  #open: OpenPack | undefined;
  /** Where records are put together; full ones travel to the storage while others fill. */
  #block: Buffer;
  readonly #freeBlocks: Buffer[] = [];
  #blocks = 1;
  #failure: unknown;
  #lastCodec: number = RAW;
  /** bytes of encoded bodies so far, before sealing */
  encodedBytes = 0;

  constructor(storage: Storage, keyring: Keyring, options: PackWriterOptions, onPack: (pack: WrittenPack) => void) {
    this.#storage = storage;
    this.#keyring = keyring;
    this.#options = options;
    this.#onPack = onPack;
    this.#contexts = options.contexts ?? new ZstdContexts();
    this.#gathered = Buffer.allocUnsafeSlow(options.frameTarget);
    this.#block = this.#allocateBlock();
  }

  /** Takes a new chunk; its bytes may be reused as soon as this returns. */
  append(id: Uint8Array, plain: Uint8Array): void {
    if (plain.length > this.#options.frameTarget / 2) {
      this.#writeFrame([{ id, length: plain.length }], plain);
      return;
    }
    if (
      this.#gatheredLength + plain.length > this.#options.frameTarget ||
      this.#gatheredChunks.length >= MOST_CHUNKS_IN_A_FRAME
    )
      this.#writeGathered();
    this.#gathered.set(plain, this.#gatheredLength);
    this.#gatheredLength += plain.length;
    this.#gatheredChunks.push({ id, length: plain.length });
  }

  /** Lets commits that run behind catch up, so that no more than `limit` are under way. */
  async drain(limit: number): Promise<void> {
    while (this.#commits.size > limit) await Promise.race(this.#commits);
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Closes the open pack; resolves when all packs are durable. */
  async finish(): Promise<void> {
    this.#writeGathered();
    this.#closePack();
    await this.drain(0);
  }

  async abort(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    // A task that waits for the storage at this moment must not begin another pack.
    this.#failure ??= new HoldfastError('cancelled', 'session-closed', 'The work was given up.');
    await open?.object.abort();
    await Promise.allSettled(this.#commits);
  }

  #writeGathered(): void {
    if (this.#gatheredChunks.length === 0) return;
    const chunks = this.#gatheredChunks;
    const length = this.#gatheredLength;
    this.#gatheredChunks = [];
    this.#gatheredLength = 0;
    this.#writeFrame(chunks, this.#gathered.subarray(0, length));
  }

  #writeFrame(chunks: FrameChunk[], plain: Uint8Array): void {
    const open = this.#openPack();
    const { codec, bytes } = encode(plain, this.#options.codec, this.#contexts, this.#lastCodec !== RAW);
    this.#lastCodec = codec;
    this.encodedBytes += bytes.length;
    const table = encodeFrameTable(codec, plain.length, chunks);
    const sealedLength = open.records.sealedLength(table.length + bytes.length);
    const at = this.#reserve(open, RECORD_HEADER_LENGTH + sealedLength);
    const ordinal = open.frames.length;
    const associated = recordAssociatedData(open.header, FRAME_MAGIC, ordinal);
    encodeRecordHeader(this.#block, at, FRAME_MAGIC, ordinal, sealedLength);
    open.records.seal(ordinal, associated, [table, bytes], this.#block, at + RECORD_HEADER_LENGTH);
    const sealed = this.#block.subarray(at + RECORD_HEADER_LENGTH, at + RECORD_HEADER_LENGTH + sealedLength);
    if (
      this.#options.verify &&
      !(
        open.records.opensTo(ordinal, associated, sealed, [table, bytes]) &&
        decodesTo(codec, bytes, plain, this.#contexts)
      )
    )
      throw verificationFailed();
    open.frames.push({
      offset: open.length,
      length: RECORD_HEADER_LENGTH + sealedLength,
      chunks: withIdsTogether(chunks),
    });
    this.#advance(open, RECORD_HEADER_LENGTH + sealedLength);
    if (open.length >= this.#options.packSize) this.#closePack();
  }

  #openPack(): OpenPack {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#open === undefined) {
      const { kind, cipher } = this.#options;
      const salt = randomBytes(32);
      const epoch = this.#keyring.currentEpoch;
      const header = encodePackHeader({ kind, cipher, epoch, repositoryId: this.#keyring.repositoryId, salt });
      const records = createRecordCipher(cipher, this.#keyring.dataKey(epoch), salt, PACK_PURPOSE);
      this.#open = {
        object: this.#storage.beginNew(),
        hash: createHash('sha256'),
        header,
        records,
        frames: [],
        length: 0,
        buffered: 0,
      };
      const at = this.#reserve(this.#open, header.length);
      header.copy(this.#block, at);
      this.#advance(this.#open, header.length);
    }
    return this.#open;
  }

  /** Makes room for `length` bytes in the block at hand. @returns where they begin */
  #reserve(open: OpenPack, length: number): number {
    if (open.buffered + length > this.#block.length) {
      if (open.buffered >= WRITE_UNIT) this.#write(open, open.buffered - (open.buffered % WRITE_UNIT));
      if (open.buffered + length > this.#block.length) {
        const larger = this.#allocate(open.buffered + length + WRITE_BLOCK);
        this.#block.copy(larger, 0, 0, open.buffered);
        this.#block = larger;
      }
    }
    return open.buffered;
  }

  #advance(open: OpenPack, length: number): void {
    open.buffered += length;
    open.length += length;
    if (open.buffered >= WRITE_BLOCK) this.#write(open, open.buffered - (open.buffered % WRITE_UNIT));
  }

  /** Hands the first bytes of the block over and goes on in another one, or waits where all are on their way. */
  #write(open: OpenPack, length: number): void {
    const block = this.#block;
    const bytes = block.subarray(0, length);
    const rest = open.buffered - length;
    open.hash.update(bytes);
    open.buffered = rest;
    const next = this.#freeBlocks.pop() ?? (this.#blocks < MOST_BLOCKS ? this.#anotherBlock() : undefined);
    if (next === undefined) {
      open.object.write(bytes);
      block.copyWithin(0, length, length + rest);
      return;
    }
    block.copy(next, 0, length, length + rest);
    this.#block = next;
    open.object.write(bytes, () => this.#freeBlocks.push(block));
  }

  #anotherBlock(): Buffer {
    this.#blocks++;
    return this.#allocateBlock();
  }

  /** Small packs need less than a whole block: one of them, and a frame that begins before its end. */
  #allocateBlock(): Buffer {
    const { packSize, frameTarget } = this.#options;
    return this.#allocate(Math.min(WRITE_BLOCK * 2, packSize + frameTarget * 2));
  }

  #allocate(length: number): Buffer {
    return this.#storage.allocate?.(length) ?? Buffer.allocUnsafeSlow(length);
  }

  #closePack(): void {
    const open = this.#open;
    if (open === undefined) return;
    this.#open = undefined;
    const footer = encodeFooter(open.frames);
    const sealedLength = open.records.sealedLength(footer.length);
    const at = this.#reserve(open, RECORD_HEADER_LENGTH + sealedLength);
    encodeRecordHeader(this.#block, at, FOOTER_MAGIC, FOOTER_ORDINAL, sealedLength);
    open.records.seal(
      FOOTER_ORDINAL,
      recordAssociatedData(open.header, FOOTER_MAGIC, FOOTER_ORDINAL),
      [footer],
      this.#block,
      at + RECORD_HEADER_LENGTH,
    );
    open.buffered += RECORD_HEADER_LENGTH + sealedLength;
    open.length += RECORD_HEADER_LENGTH + sealedLength;
    const trailer = encodeTrailer(RECORD_HEADER_LENGTH + sealedLength, open.frames.length);
    // Before the block is asked for: it may be another one after that.
    const trailerAt = this.#reserve(open, trailer.length);
    trailer.copy(this.#block, trailerAt);
    this.#advance(open, trailer.length);
    this.#write(open, open.buffered);
    this.#commit(open);
  }

  #commit(open: OpenPack): void {
    const idHex = open.hash.digest('hex');
    const commit = open.object.commit(packKey(idHex)).then(
      () => this.#onPack({ idHex, header: open.header, size: open.length, frames: open.frames }),
      (error: unknown) => {
        this.#failure ??= error;
      },
    );
    this.#commits.add(commit);
    void commit.finally(() => this.#commits.delete(commit));
  }
}

interface OpenPack {
  object: PendingObject;
  hash: Hash;
  header: Buffer;
  records: RecordCipher;
  frames: FooterFrame[];
  /** bytes of the pack so far, those still in the write buffer included */
  length: number;
  buffered: number;
}

const MOST_CHUNKS_IN_A_FRAME = 4096;
/** A block goes to the storage once it holds this much. Bytes. */
const WRITE_BLOCK = 2 * 1024 * 1024;
/** All but a pack's last piece are multiples of this, as direct writes need. Bytes. */
const WRITE_UNIT = 4096;
/** Blocks of one writer that fill or are on their way. */
const MOST_BLOCKS = 4;

function decodesTo(codec: number, encoded: Uint8Array, plain: Uint8Array, contexts: ZstdContexts): boolean {
  return codec === RAW || Buffer.compare(decode(codec, encoded, plain.length, contexts), plain) === 0;
}

/** Each id in memory of its own costs several times its bytes, here and in the thread that the pack is reported to. */
function withIdsTogether(chunks: readonly FrameChunk[]): FrameChunk[] {
  const ids = new Uint8Array(chunks.length * ID_LENGTH);
  return chunks.map(({ id, length }, index) => {
    ids.set(id, index * ID_LENGTH);
    return { id: ids.subarray(index * ID_LENGTH, (index + 1) * ID_LENGTH), length };
  });
}

const ID_LENGTH = 32;

function verificationFailed(): HoldfastError {
  return new HoldfastError(
    'internal',
    'verify-before-commit-failed',
    'A chunk did not survive compression and encryption in memory; nothing of it was stored. Suspect faulty memory or a faulty processor: test this machine before you rely on its backups.',
  );
}
