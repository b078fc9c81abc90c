import { type BigIntStats, closeSync, constants, openSync, readlinkSync, readSync } from 'node:fs';
import { systemErrorCode } from '../../core/errors.ts';
import type { TaskContext, TaskHandler } from '../../core/ports/repository.ts';
import type { ByteString, ContentSegment, TreeEntry } from '../../core/tree-entry.ts';
import { printable } from './byte-path.ts';
import { addDifference, type ComparisonResult, type DifferenceKind, emptyComparison } from './comparison-result.ts';
import { typeOf } from './file-metadata.ts';
import { RestoreTarget, type RestoreTargetOptions, statusAt } from './restore-target.ts';
import { StopFlag } from './stop-flag.ts';
import { getAttribute, terminated } from './system-calls.ts';
import { contentDiffers, contentMissing, namingFile } from './unreadable-content.ts';

export interface ComparisonTaskOptions extends RestoreTargetOptions {
  /** Whether owners were given again. */
  owner: boolean;
  /** A stop flag's memory. */
  stop: SharedArrayBuffer;
}

export interface ComparisonTask {
  pages: readonly ContentSegment[];
}

/** Plain bytes that are planned and read together. */
const GROUP_BYTES = 16 * 1024 * 1024;

/** Compares what a restore made with the pages of the tree that it came from, byte by byte. */
export function createTaskHandler(
  context: TaskContext,
  options: Readonly<Record<string, unknown>>,
): TaskHandler<ComparisonTask, ComparisonResult> {
  const chosen = options as unknown as ComparisonTaskOptions;
  return { handle: (task) => new ComparisonRun(context, chosen).run(task) };
}

/** A run of bytes of a restored file, and the chunk that it must equal. */
interface Part {
  path: ByteString;
  place: ByteString;
  offset: number;
  length: number;
}

class ComparisonRun {
  readonly #context: TaskContext;
  readonly #target: RestoreTarget;
  readonly #owner: boolean;
  readonly #stop: StopFlag;
  readonly #result = emptyComparison();
  #wanted: { id: Uint8Array; tag: number }[] = [];
  #parts: Part[] = [];
  #bytes = 0;

  constructor(context: TaskContext, options: ComparisonTaskOptions) {
    this.#context = context;
    this.#target = new RestoreTarget(options);
    this.#owner = options.owner;
    this.#stop = new StopFlag(options.stop);
  }

  async run({ pages }: ComparisonTask): Promise<ComparisonResult> {
    for (const { entries } of await this.#context.readPages(pages))
      for (const entry of entries) {
        this.#stop.throwIfStopped();
        await this.#compare(entry);
      }
    await this.#compareParts();
    return this.#result;
  }

  async #compare(entry: TreeEntry): Promise<void> {
    const { path, type } = entry;
    this.#result.entries++;
    // Nothing restores a socket: the program that listens makes it.
    if (type === 'socket') return;
    const place = this.#target.place(path);
    const status = statusAt(place);
    if (status === undefined) return this.#differs('entries', path, 'is missing');
    const found = typeOf(status);
    if (found !== type) return this.#differs('entries', path, `is a ${found} instead of a ${type}`);
    this.#result.found++;
    this.#compareMetadata(entry, status, place);
    if (type === 'symlink') this.#compareLink(entry, place);
    if (type !== 'file') return;
    if (entry.hardLinkGroup !== undefined)
      this.#result.links.push({ path, group: entry.hardLinkGroup, file: `${status.dev}:${status.ino}` });
    this.#result.files++;
    if (Number(status.size) !== (entry.size ?? 0))
      return this.#differs('content', path, `has ${status.size} bytes instead of ${entry.size ?? 0}`);
    this.#result.bytes += entry.size ?? 0;
    await this.#compareContent(entry, place);
  }

  #compareMetadata(entry: TreeEntry, status: BigIntStats, place: ByteString): void {
    const { path, type } = entry;
    const mode = Number(status.mode & 0o7777n);
    const isFull = this.#owner || (mode & 0o777) !== (entry.mode & 0o777);
    if (type !== 'symlink' && mode !== entry.mode && isFull)
      this.#differs('metadata', path, `has the mode ${mode.toString(8)} instead of ${entry.mode.toString(8)}`);
    if (status.mtimeNs !== entry.modifiedAt)
      this.#differs(
        'metadata',
        path,
        `was changed at ${timeOf(status.mtimeNs)} instead of ${timeOf(entry.modifiedAt)}`,
      );
    if (this.#owner && (Number(status.uid) !== entry.uid || Number(status.gid) !== entry.gid))
      this.#differs('attributes', path, `belongs to ${status.uid}:${status.gid} instead of ${entry.uid}:${entry.gid}`);
    for (const { name, value } of entry.extendedAttributes ?? [])
      if (!isSame(attributeOf(place, name), value)) this.#differs('attributes', path, `lacks the attribute ${name}`);
  }

  #compareLink({ path, target = '' }: TreeEntry, place: ByteString): void {
    const found = readlinkSync(Buffer.from(place, 'latin1'), 'latin1');
    if (found !== target)
      this.#differs('entries', path, `leads to ${printable(found).slice(1)} instead of ${printable(target).slice(1)}`);
  }

  async #compareContent(entry: TreeEntry, place: ByteString): Promise<void> {
    const { path, content, size = 0 } = entry;
    if (content === undefined) return;
    if ('inline' in content) {
      this.#compareBytes({ path, place, offset: 0, length: size }, content.inline);
      return;
    }
    let offset = 0;
    try {
      for await (const { id, length, missing } of this.#context.segments(content)) {
        if (missing === true) throw contentMissing(path);
        const part = { path, place, offset, length };
        if (id === null) this.#compareHole(part);
        else await this.#want(id, part);
        offset += length;
      }
    } catch (error) {
      throw namingFile(error, path);
    }
    if (offset !== size) throw contentDiffers(path);
  }

  async #want(id: Uint8Array, part: Part): Promise<void> {
    this.#wanted.push({ id, tag: this.#parts.length });
    this.#parts.push(part);
    this.#bytes += part.length;
    if (this.#bytes >= GROUP_BYTES) await this.#compareParts();
  }

  async #compareParts(): Promise<void> {
    const parts = this.#parts;
    const wanted = this.#wanted;
    this.#parts = [];
    this.#wanted = [];
    this.#bytes = 0;
    if (wanted.length === 0) return;
    await this.#context.readDespiteDamage(
      wanted,
      (tag, bytes) => {
        this.#stop.throwIfStopped();
        this.#compareBytes(parts[tag] as Part, bytes);
      },
      (tag, reason) => {
        const { path, offset, length } = parts[tag] as Part;
        throw namingFile(reason, path, { offset, length });
      },
    );
  }

  #compareBytes(part: Part, expected: Uint8Array): void {
    const found = readPart(part);
    if (found?.equals(expected)) return;
    this.#differs(
      'content',
      part.path,
      `differs between the bytes ${part.offset} and ${part.offset + part.length - 1}`,
    );
  }

  #compareHole(part: Part): void {
    for (let done = 0; done < part.length; done += ZEROS.length) {
      this.#stop.throwIfStopped();
      const length = Math.min(ZEROS.length, part.length - done);
      const found = readPart({ ...part, offset: part.offset + done, length });
      if (found?.equals(ZEROS.subarray(0, length))) continue;
      this.#differs('content', part.path, `has other bytes than zeros from byte ${part.offset + done} on`);
      return;
    }
  }

  #differs(kind: DifferenceKind, path: ByteString, what: string): void {
    addDifference(this.#result, kind, `${printable(path)} ${what}`);
  }
}

const ZEROS = Buffer.alloc(1024 * 1024);

/** @returns undefined where the file is shorter */
function readPart({ place, offset, length }: Part): Buffer | undefined {
  const bytes = Buffer.allocUnsafe(length);
  const descriptor = openSync(Buffer.from(place, 'latin1'), constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    for (let done = 0; done < length; ) {
      const read = readSync(descriptor, bytes, done, length - done, offset + done);
      if (read === 0) return undefined;
      done += read;
    }
    return bytes;
  } finally {
    closeSync(descriptor);
  }
}

function attributeOf(place: ByteString, name: ByteString): Uint8Array | undefined {
  try {
    return getAttribute(terminated(place), name);
  } catch (error) {
    if (systemErrorCode(error) === undefined) throw error;
    return undefined;
  }
}

function isSame(found: Uint8Array | undefined, expected: Uint8Array): boolean {
  return found !== undefined && Buffer.from(found).equals(expected);
}

function timeOf(nanoseconds: bigint): string {
  return `${new Date(Number(nanoseconds / 1_000_000n)).toISOString()} (${nanoseconds} ns)`;
}
