import { constants, createZstdCompress, createZstdDecompress } from 'node:zlib';
import { ReusedMemory } from './reused-memory.ts';

/**
 * Compresses and decompresses zstd frames (RFC 8878) with contexts and output memory that are used again and again.
 *
 * `zstdCompressSync` and `zstdDecompressSync` make a context and an output for each call, some 3 MB of fresh memory for a chunk,
 * which the collector marks the whole heap for again and again (docs/decisions/0040-zstd-contexts.md). Node.js has no public call
 * that takes memory to write to; the handle of its own streams does. Where a Node.js has another one, `undefined` comes back and
 * the caller does without.
 */
export class ZstdContexts {
  /** Where records are opened to that hold such frames. */
  readonly opened = new ReusedMemory();
  readonly #compressors = new Map<Parameters, Handle | undefined>();
  #decompressor: Handle | undefined;
  #hasDecompressor = true;
  readonly #compressed = new ReusedMemory();
  readonly #plain = new ReusedMemory();

  /**
   * @param parameters always the same object for the same parameters
   * @returns one frame, in memory that the next call writes to again; undefined where this cannot be done here
   */
  compress(plain: Uint8Array, parameters: Parameters): Buffer | undefined {
    if (plain.length > LONGEST) return undefined;
    if (!this.#compressors.has(parameters))
      this.#compressors.set(parameters, Handle.of(createZstdCompress({ params: parameters })));
    const handle = this.#compressors.get(parameters);
    // With room for the worst case, zstd writes straight to the output, without buffers of its own (ZSTD_COMPRESSBOUND).
    const output = this.#compressed.atLeast(plain.length + (plain.length >>> 8) + 64 * 1024);
    const length = handle?.run(plain, output, output.length);
    if (length === undefined) this.#compressors.set(parameters, undefined);
    return length === undefined ? undefined : output.subarray(0, length);
  }

  /**
   * @returns the content of one frame, in memory that the next call writes to again; undefined where the frame holds anything but
   *   `plainLength` bytes, is damaged, or this cannot be done here
   */
  decompress(frame: Uint8Array, plainLength: number): Buffer | undefined {
    if (plainLength > LONGEST || !this.#hasDecompressor) return undefined;
    this.#decompressor ??= Handle.of(createZstdDecompress());
    this.#hasDecompressor = this.#decompressor !== undefined;
    const output = this.#plain.atLeast(plainLength + 1);
    const length = this.#decompressor?.run(frame, output, plainLength + 1);
    // A fault of a stream is its end.
    if (length === undefined) this.#decompressor = undefined;
    return length === plainLength ? output.subarray(0, plainLength) : undefined;
  }
}

export type Parameters = Readonly<Record<number, number>>;

/** What the streams of `node:zlib` work with; `writeSync` leaves how much room and input remain in the stream's `_writeState`. */
interface NativeHandle {
  onerror: (message: string) => void;
  /** Forgets the frame at hand; parameters stay. */
  reset(): void;
  writeSync(
    flush: number,
    input: Uint8Array,
    inputOffset: number,
    inputLength: number,
    output: Uint8Array,
    outputOffset: number,
    outputLength: number,
  ): void;
}

class Handle {
  readonly #native: NativeHandle;
  readonly #state: Uint32Array;
  #isBroken = false;

  private constructor(native: NativeHandle, state: Uint32Array) {
    this.#native = native;
    this.#state = state;
    native.onerror = () => {
      this.#isBroken = true;
    };
  }

  static of(stream: object): Handle | undefined {
    const { _handle: native, _writeState: state } = stream as { _handle?: unknown; _writeState?: unknown };
    return isNativeHandle(native) && state instanceof Uint32Array && state.length === 2
      ? new Handle(native, state)
      : undefined;
  }

  /** Takes one whole input, in one step. @returns bytes written; undefined if not all went well */
  run(input: Uint8Array, output: Uint8Array, room: number): number | undefined {
    if (this.#isBroken) return undefined;
    this.#native.reset();
    this.#native.writeSync(constants.ZSTD_e_end, input, 0, input.length, output, 0, room);
    const [roomLeft, inputLeft] = this.#state;
    return this.#isBroken || roomLeft === undefined || roomLeft === 0 || inputLeft !== 0 ? undefined : room - roomLeft;
  }
}

function isNativeHandle(value: unknown): value is NativeHandle {
  return (
    typeof value === 'object' &&
    value !== null &&
    ['reset', 'writeSync'].every((name) => typeof Reflect.get(value, name) === 'function')
  );
}

/** What is longer takes memory of its own, which is not kept. Bytes. */
const LONGEST = 8 * 1024 * 1024;
