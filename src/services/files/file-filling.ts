import type { PlannedRange, TaskContext } from '../../core/ports/repository.ts';
import type { ByteString, TreeEntry } from '../../core/tree-entry.ts';
import { isDamage } from './base-entries.ts';
import type { FileBytes } from './file-writer.ts';
import type { StopFlag } from './stop-flag.ts';
import { contentDiffers, namingFile, readNaming } from './unreadable-content.ts';

/** A small file whose chunks must be read. */
export interface WantedFile {
  entry: TreeEntry;
  /** Absolute byte string. */
  place: ByteString;
  replace: boolean;
}

interface OpenFile extends WantedFile {
  /** Bytes so far; undefined where one chunk is all of it. */
  bytes: Buffer | undefined;
  /** What is no hole, where there are holes. */
  runs: { offset: number; length: number }[] | undefined;
  missing: number;
}

/** Plain bytes of files whose chunks are planned and read together. */
const GROUP_BYTES = 16 * 1024 * 1024;

/** Reads the chunks of many small files together, in the order in which they lie in packs, and gives each file when it is whole. */
export class FileFilling {
  readonly #context: TaskContext;
  readonly #stop: StopFlag;
  readonly #complete: (file: WantedFile, bytes: FileBytes) => void;
  #group: WantedFile[] = [];
  #bytes = 0;

  constructor(context: TaskContext, stop: StopFlag, complete: (file: WantedFile, bytes: FileBytes) => void) {
    this.#context = context;
    this.#stop = stop;
    this.#complete = complete;
  }

  async add(file: WantedFile): Promise<void> {
    this.#group.push(file);
    this.#bytes += file.entry.size ?? 0;
    if (this.#bytes >= GROUP_BYTES) await this.finish();
  }

  async finish(): Promise<void> {
    const group = this.#group;
    this.#group = [];
    this.#bytes = 0;
    if (group.length > 0) await this.#fill(group);
  }

  async #fill(group: readonly WantedFile[]): Promise<void> {
    const wanted: { id: Uint8Array; tag: number }[] = [];
    const places: { file: OpenFile; offset: number; length: number }[] = [];
    for (const each of group) {
      const file = await this.#open(each, (id, part) => {
        wanted.push({ id, tag: places.length });
        places.push(part);
      });
      if (file.missing === 0) this.#give(file, file.bytes ?? NOTHING);
    }
    const placeOf = (tag: number) => places[tag] as { file: OpenFile; offset: number; length: number };
    const pathOf = (tag: number): ByteString => placeOf(tag).file.entry.path;
    for (const range of await this.#plan(wanted, pathOf)) {
      this.#stop.throwIfStopped();
      await readNaming(this.#context.source, range, pathOf, (tag, bytes) => {
        const { file, offset, length } = placeOf(tag);
        if (bytes.length !== length) throw contentDiffers(file.entry.path);
        file.missing--;
        file.bytes?.set(bytes, offset);
        if (file.missing === 0) this.#give(file, file.bytes ?? bytes);
      });
    }
  }

  async #open(
    wanted: WantedFile,
    want: (id: Uint8Array, place: { file: OpenFile; offset: number; length: number }) => void,
  ): Promise<OpenFile> {
    const { entry } = wanted;
    const file: OpenFile = { ...wanted, bytes: undefined, runs: undefined, missing: 0 };
    const runs: { offset: number; length: number }[] = [];
    let position = 0;
    let parts = 0;
    try {
      for await (const { id, length } of this.#context.segments(entry.content ?? { segments: [] })) {
        if (id !== null) {
          runs.push({ offset: position, length });
          want(id, { file, offset: position, length });
        }
        position += length;
        parts++;
      }
    } catch (error) {
      throw namingFile(error, entry.path);
    }
    if (position !== (entry.size ?? 0)) throw contentDiffers(entry.path);
    file.missing = runs.length;
    if (runs.length < parts) file.runs = runs;
    if (parts !== 1 || file.runs !== undefined) file.bytes = Buffer.alloc(position);
    return file;
  }

  async #plan(
    wanted: readonly { id: Uint8Array; tag: number }[],
    pathOf: (tag: number) => ByteString,
  ): Promise<PlannedRange[]> {
    try {
      return await this.#context.plan(wanted);
    } catch (error) {
      const missing = wanted.find(
        ({ id }) => isDamage(error) && error.details.chunk === Buffer.from(id).toString('hex'),
      );
      throw missing === undefined ? error : namingFile(error, pathOf(missing.tag));
    }
  }

  #give(file: OpenFile, bytes: Uint8Array): void {
    this.#complete(file, file.runs === undefined ? { bytes } : { bytes, runs: file.runs });
    file.bytes = undefined;
  }
}

const NOTHING = new Uint8Array();
