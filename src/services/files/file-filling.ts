import type { HoldfastError } from '../../core/errors.ts';
import type { TaskContext } from '../../core/ports/repository.ts';
import type { RestoreDamage } from '../../core/ports/service.ts';
import type { ByteString, MissingRange, TreeEntry } from '../../core/tree-entry.ts';
import { printable } from './byte-path.ts';
import type { FileBytes } from './file-writer.ts';
import type { StopFlag } from './stop-flag.ts';
import { contentDiffers, contentMissing, namingFile } from './unreadable-content.ts';

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

interface FilePart {
  file: OpenFile;
  offset: number;
  length: number;
}

/** Plain bytes of files whose chunks are planned and read together. */
const GROUP_BYTES = 16 * 1024 * 1024;

/** Reads the chunks of many small files together, in the order in which they lie in packs, and gives each file when it is whole. */
export class FileFilling {
  readonly #context: TaskContext;
  readonly #stop: StopFlag;
  readonly #complete: (file: WantedFile, bytes: FileBytes) => void;
  readonly #onDamage: ((damage: RestoreDamage) => void) | undefined;
  #group: WantedFile[] = [];
  #bytes = 0;

  /** @param onDamage is told of what is lost, which becomes holes; without it, the first loss is thrown */
  constructor(
    context: TaskContext,
    stop: StopFlag,
    complete: (file: WantedFile, bytes: FileBytes) => void,
    onDamage: ((damage: RestoreDamage) => void) | undefined,
  ) {
    this.#context = context;
    this.#stop = stop;
    this.#complete = complete;
    this.#onDamage = onDamage;
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
    const places: FilePart[] = [];
    for (const each of group) {
      const file = await this.#open(each, (id, part) => {
        wanted.push({ id, tag: places.length });
        places.push(part);
      });
      if (file.missing === 0) this.#give(file, file.bytes ?? NOTHING);
    }
    const placeOf = (tag: number): FilePart => places[tag] as FilePart;
    await this.#context.readDespiteDamage(
      wanted,
      (tag, bytes) => {
        this.#stop.throwIfStopped();
        const { file, offset, length } = placeOf(tag);
        if (bytes.length !== length) throw contentDiffers(file.entry.path);
        file.missing--;
        file.bytes?.set(bytes, offset);
        if (file.missing === 0) this.#give(file, file.bytes ?? bytes);
      },
      (tag, reason) => {
        const { file, offset, length } = placeOf(tag);
        this.#lose(file, { offset, length }, reason);
        file.runs = (file.runs ?? [{ offset: 0, length: file.entry.size ?? 0 }]).flatMap((run) =>
          without(run, offset, length),
        );
        file.bytes ??= Buffer.alloc(file.entry.size ?? 0);
        file.missing--;
        if (file.missing === 0) this.#give(file, file.bytes);
      },
    );
  }

  /** @throws HoldfastError the reason, naming the file and its bytes, unless damage is allowed */
  #lose({ entry: { path } }: WantedFile, range: MissingRange, reason: HoldfastError): void {
    if (this.#onDamage === undefined) throw namingFile(reason, path, range);
    this.#onDamage({ path: printable(path), ...range, reason: reason.message });
  }

  async #open(wanted: WantedFile, want: (id: Uint8Array, part: FilePart) => void): Promise<OpenFile> {
    const { entry } = wanted;
    const file: OpenFile = { ...wanted, bytes: undefined, runs: undefined, missing: 0 };
    const runs: { offset: number; length: number }[] = [];
    let position = 0;
    let parts = 0;
    try {
      const segments = this.#context.segments(entry.content ?? { segments: [] }, {
        despiteDamage: this.#onDamage !== undefined,
      });
      for await (const { id, length, missing } of segments) {
        if (missing === true) this.#lose(wanted, { offset: position, length }, contentMissing(entry.path));
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

  #give(file: OpenFile, bytes: Uint8Array): void {
    this.#complete(file, file.runs === undefined ? { bytes } : { bytes, runs: file.runs });
    file.bytes = undefined;
  }
}

const NOTHING = new Uint8Array();

/** What is left of a run of bytes on both sides of a part of it. */
function without(run: MissingRange, offset: number, length: number): MissingRange[] {
  const end = run.offset + run.length;
  const until = Math.min(end, offset);
  const from = Math.max(run.offset, offset + length);
  return [
    { offset: run.offset, length: until - run.offset },
    { offset: from, length: end - from },
  ].filter((part) => part.length > 0);
}
