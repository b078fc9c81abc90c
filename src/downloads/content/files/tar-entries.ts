import { extract } from 'tar-stream';
import { HoldfastError, messageOf } from '../../../core/errors.ts';
import type { ByteString } from '../../../core/tree-entry.ts';
import { archiveUnreadable, fileFailed, shownPath } from './archive-fault.ts';
import { BLOCK, paddingLength, recordOf, type TarHeaders, tarHeaders } from './tar-headers.ts';

export interface TarEntry {
  /** Within the archive, without `./` before and a slash behind it; `''` is the folder in which the archive is unpacked. */
  name: ByteString;
  kind: 'file' | 'link' | 'directory' | 'other';
  /** Of a hard link: the name in the archive that this is another name of. */
  linkTo?: ByteString;
  headers: TarHeaders;
  /** Bytes of data; only files have any. */
  size: number;
  /** To be read to their end before the next entry is asked for. */
  bytes: AsyncIterable<Uint8Array>;
}

/**
 * The entries of a tar archive (ustar, pax, GNU) with their headers as they were written. Whoever leaves early ends the reading of `archive`.
 * @throws HoldfastError `variant-content-unreadable` (damaged): no archive, one that is cut, or one that programs may read in different ways; `variant-failed` (invalid)
 * for an entry that would lie outside of the folder in which the archive is unpacked; whatever reading `archive` throws
 */
export async function* tarEntries(archive: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncGenerator<TarEntry> {
  signal.throwIfAborted();
  const parser = extract(OPTIONS);
  const window = new Window();
  const feeding = new Feeding(archive, window, parser, signal);
  const names = new Names();
  try {
    for await (const source of parser) {
      const begin = source.offset + BLOCK;
      const headers = tarHeaders(window.slice(window.begin, begin));
      const entry = { ...entryOf(source.header, headers), headers };
      names.check(entry);
      const data = source as AsyncIterable<unknown> as AsyncIterable<Uint8Array>;
      const bytes = dataOf(data, begin, window, feeding);
      yield { ...entry, bytes };
      await readToEnd(bytes);
      // Folders and links have no bytes, but their streams must end all the same.
      source.resume();
      window.forget(begin + entry.size + paddingLength(entry.size));
    }
    await feeding.end();
    demandEnd(window);
  } catch (error) {
    throw feeding.faultOr(error);
  } finally {
    parser.destroy();
  }
}

/** Byte strings; the types of the package leave it out. */
const OPTIONS: object = { filenameEncoding: 'latin1' };
/** What is handed to the parser at once. */
const PIECE = 1 << 20;

type Parser = ReturnType<typeof extract>;

/** The bytes that went into the parser and whose entry is not over, so that headers can be given as they were. */
class Window {
  #pieces: Uint8Array[] = [];
  /** Where the first piece begins within the archive, and where what is wanted of it does. */
  #first = 0;
  #begin = 0;
  #end = 0;

  get begin(): number {
    return this.#begin;
  }

  get end(): number {
    return this.#end;
  }

  add(piece: Uint8Array): void {
    if (this.#end - this.#begin > LONGEST_WINDOW)
      throw archiveUnreadable('headers of it, or the zeros at its end, are too long');
    this.#pieces.push(piece);
    this.#end += piece.length;
  }

  forget(before: number): void {
    this.#begin = Math.max(this.#begin, before);
    let piece = this.#pieces[0];
    while (piece !== undefined && this.#first + piece.length <= this.#begin) {
      this.#first += piece.length;
      this.#pieces.shift();
      piece = this.#pieces[0];
    }
  }

  slice(begin: number, end: number): Buffer {
    const parts: Uint8Array[] = [];
    let at = this.#first;
    for (const piece of this.#pieces) {
      if (at >= end) break;
      if (at + piece.length > begin) parts.push(piece.subarray(Math.max(0, begin - at), end - at));
      at += piece.length;
    }
    return Buffer.concat(parts);
  }
}

/** The parser takes extended headers of up to 4 MiB. */
const LONGEST_WINDOW = 32 << 20;

/** Hands the archive to the parser, piece by piece. */
class Feeding {
  /** What the archive's source threw, or the abort's reason. */
  #fault: unknown;
  readonly #signal: AbortSignal;
  readonly #done: Promise<void>;

  constructor(archive: AsyncIterable<Uint8Array>, window: Window, parser: Parser, signal: AbortSignal) {
    this.#signal = signal;
    this.#done = this.#feed(archive, window, parser);
    // It is awaited at the end, or its error comes out of the parser.
    this.#done.catch(() => undefined);
    // A source that gives nothing more would not be asked.
    const abort = () => parser.destroy(new Error('given up'));
    signal.addEventListener('abort', abort, { once: true });
    parser.on('close', () => signal.removeEventListener('abort', abort));
  }

  async end(): Promise<void> {
    await this.#done;
  }

  /** What to throw where the parser threw: what ended the reading is the cause, what the parser says follows from it. */
  faultOr(error: unknown): unknown {
    if (this.#signal.aborted) return this.#signal.reason;
    if (this.#fault !== undefined) return this.#fault;
    return error instanceof HoldfastError
      ? error
      : archiveUnreadable(`it is damaged or cut (${messageOf(error)})`, error);
  }

  async #feed(archive: AsyncIterable<Uint8Array>, window: Window, parser: Parser): Promise<void> {
    try {
      for await (const bytes of archive) {
        for (let at = 0; at < bytes.length; at += PIECE) {
          this.#signal.throwIfAborted();
          const piece = bytes.subarray(at, at + PIECE);
          window.add(piece);
          if (!parser.write(piece)) await drained(parser);
          if (parser.destroyed) return;
        }
      }
      parser.end(null);
    } catch (error) {
      this.#fault = error;
      parser.destroy(error instanceof Error ? error : new Error(messageOf(error)));
      throw error;
    }
  }
}

function drained(parser: Parser): Promise<void> {
  return new Promise((resolve) => {
    const go = () => {
      parser.off('drain', go).off('close', go);
      resolve();
    };
    parser.on('drain', go).on('close', go);
  });
}

async function* dataOf(
  source: AsyncIterable<Uint8Array>,
  begin: number,
  window: Window,
  feeding: Feeding,
): AsyncGenerator<Uint8Array> {
  const pieces = source[Symbol.asyncIterator]();
  for (let at = begin; ; ) {
    const next = await pieces.next().catch((error: unknown) => {
      throw feeding.faultOr(error);
    });
    if (next.done) return;
    at += next.value.length;
    window.forget(at);
    yield next.value;
  }
}

/** Of a file that is left out. */
async function readToEnd(bytes: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const _ of bytes);
}

interface ParsedHeader {
  name: string;
  type: string | null;
  linkname: string | null;
  size: number;
}

function entryOf(header: ParsedHeader, headers: TarHeaders): Pick<TarEntry, 'name' | 'kind' | 'linkTo' | 'size'> {
  const name = relative(recordOf(headers, 'GNU.sparse.name') ?? recordOf(headers, 'path') ?? header.name);
  const kind = kindOf(header.type, name);
  if (kind !== 'file' && header.size !== 0) throw archiveUnreadable('an entry of it has data that its kind has not');
  if (kind !== 'link') return { name, kind, size: header.size };
  const linkTo = relative(recordOf(headers, 'linkpath') ?? header.linkname ?? '');
  return { name, kind, linkTo, size: header.size };
}

function kindOf(type: string | null, name: ByteString): TarEntry['kind'] {
  switch (type) {
    case 'file':
    case 'contiguous-file':
      return 'file';
    case 'link':
    case 'directory':
      return type;
    case 'symlink':
    case 'character-device':
    case 'block-device':
    case 'fifo':
      return 'other';
    default:
      throw fileFailed(shownPath(name), 'is of a kind that is not known, as old formats of tar have them.');
  }
}

/** A name below the folder in which the archive is unpacked. */
function relative(name: ByteString): ByteString {
  const path = name.replace(/^(?:\.\/+)+/, '').replace(/\/+$/, '');
  if (path === '' || path === '.') {
    if (!name.startsWith('/')) return '';
  } else if (!path.includes('\0') && path.split('/').every((step) => step !== '' && step !== '.' && step !== '..'))
    return path;
  throw fileFailed(shownPath(name), 'would lie outside of the folder in which the archive is unpacked.');
}

/** Nothing may come below what is no folder: it would be written wherever a link points to. */
class Names {
  readonly #notFolders = new Set<ByteString>();

  check({ name, kind, linkTo = '' }: Pick<TarEntry, 'name' | 'kind' | 'linkTo'>): void {
    if (this.#notFolders.size > 0) {
      for (let slash = name.indexOf('/'); slash >= 0; slash = name.indexOf('/', slash + 1))
        if (this.#notFolders.has(name.slice(0, slash)))
          throw fileFailed(shownPath(name), 'would be written through a link of the archive.');
    }
    if (kind === 'other' || this.#notFolders.has(linkTo)) this.#notFolders.add(name);
    else this.#notFolders.delete(name);
  }
}

/** Two blocks of zeros and nothing else: an archive that was cut between two entries has them not. */
function demandEnd(window: Window): void {
  const rest = window.slice(window.begin, window.end);
  if (rest.length < 2 * BLOCK) throw archiveUnreadable('it has no end, so it may have been cut');
  if (rest.some((byte) => byte !== 0)) throw archiveUnreadable('it goes on behind its end');
}
