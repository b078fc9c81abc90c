import { chmodSync, chownSync, closeSync, mkdirSync, symlinkSync } from 'node:fs';
import { HoldfastError } from '../../core/errors.ts';
import type { SnapshotReader, TaskRunner } from '../../core/ports/repository.ts';
import type { ByteString, Content, TreeEntry } from '../../core/tree-entry.ts';
import {
  beginFile,
  bytesOf,
  type FileChunk,
  type FileOwner,
  naming,
  type RestoredFile,
  type RestoreTask,
} from './restore-task.ts';

const TASK_MODULE = new URL('./restore-task.ts', import.meta.url).href;

export interface ClusterWritingOptions {
  reader: SnapshotReader;
  /** Where the data folder is written; byte string. */
  folder: ByteString;
  /** Folders of tablespaces by OID; byte strings. They are there and empty. */
  tablespaces: ReadonlyMap<string, ByteString>;
  owner: FileOwner | null;
  /** False: for a server that is thrown away, which nobody starts again after a power failure. */
  isDurable: boolean;
  signal: AbortSignal;
  onBytes(bytes: number, files: number): void;
}

/** Files of a backup that a restore makes in another way, or not at all. */
const LEFT_OUT = new Set(['standby.signal', 'recovery.signal', 'postgresql.auto.conf']);
/** Comes last: a data folder without it does not start, so no half-written one ever does. */
const CONTROL_FILE = 'global/pg_control';

/** Writes a backup's tree as a data folder, in worker threads, and makes it durable. */
export class ClusterWriting {
  readonly #options: ClusterWritingOptions;
  readonly #runner: TaskRunner<RestoreTask, number>;
  readonly #inFlight = new Set<Promise<void>>();
  readonly #made: string[] = [];
  #small: RestoredFile[] = [];
  #smallBytes = 0;
  #failure: { error: unknown } | undefined;
  #bytes = 0;
  #files = 0;
  #settings: Content | undefined;

  constructor(options: ClusterWritingOptions) {
    this.#options = options;
    this.#runner = options.reader.tasks({ module: TASK_MODULE, options: {} });
  }

  /** All but the control file and what recovery needs. */
  async writeAll(): Promise<{ settings: Content | undefined; control: TreeEntry }> {
    let control: TreeEntry | undefined;
    for await (const entry of this.#options.reader.entries()) {
      this.#throwIfOver();
      if (entry.path === CONTROL_FILE) control = entry;
      else await this.#take(entry);
    }
    if (control === undefined) {
      const message = `This backup has no ${CONTROL_FILE}, without which no server starts. Restore another backup, and verify this one.`;
      throw new HoldfastError('damaged', 'postgresql-file-missing', message, { details: { path: CONTROL_FILE } });
    }
    await this.#startSmall();
    await this.#finishStarted();
    return { settings: this.#settings, control };
  }

  async writeControl(entry: TreeEntry): Promise<void> {
    await this.#take(entry);
    await this.#startSmall();
    await this.#finishStarted();
  }

  /** Makes all that was written since the last time durable, and `further` files and folders, where that is wanted. */
  async sync(further: readonly string[]): Promise<void> {
    const places = [...this.#made.splice(0).reverse(), ...further];
    if (!this.#options.isDurable) return;
    for (let at = 0; at < places.length; at += SYNCED_IN_A_TASK)
      await this.#start({ kind: 'sync', places: places.slice(at, at + SYNCED_IN_A_TASK) });
    await this.#finishStarted();
  }

  /** Waits for what is still under way after a failure. */
  async settle(): Promise<void> {
    await Promise.all(this.#inFlight);
  }

  get written(): { files: number; bytes: number } {
    return { files: this.#files, bytes: this.#bytes };
  }

  async #take(entry: TreeEntry): Promise<void> {
    const { path, type, size = 0, content = { inline: new Uint8Array() } } = entry;
    if (path === 'postgresql.auto.conf') this.#settings = content;
    // Written anew, with how far to recover at its end.
    if (path === 'postgresql.auto.conf') this.#files++;
    if (LEFT_OUT.has(path)) return;
    const place = this.#place(path);
    if (type === 'directory') this.#makeFolder(path, place);
    else if (type !== 'file') throw unknownEntry(path);
    else {
      this.#made.push(place);
      this.#files++;
      // A group that may not look at backups shall not look at what is restored.
      const file = { place, size, mode: 0o600, content };
      if (size > LARGE_BYTES) await this.#writeLarge(file);
      else await this.#writeSmall(file);
    }
  }

  #makeFolder(path: ByteString, place: ByteString): void {
    const { owner, tablespaces } = this.#options;
    const linked = tablespaces.get(TABLESPACE.exec(path)?.[1] ?? '');
    naming(place, () => {
      if (linked !== undefined && TABLESPACE_ROOT.test(path)) {
        const link = bytesOf(`${this.#options.folder}/${path}`);
        symlinkSync(bytesOf(linked), link);
        return;
      }
      mkdirSync(bytesOf(place), { mode: 0o700 });
      chmodSync(bytesOf(place), 0o700);
      if (owner !== null) chownSync(bytesOf(place), owner.uid, owner.gid);
    });
    this.#made.push(place);
  }

  /** Where an entry goes: those of tablespaces into their own folders. */
  #place(path: ByteString): ByteString {
    if (!isSafePath(path)) throw unknownEntry(path);
    const [, oid = '', rest = ''] = TABLESPACE.exec(path) ?? [];
    const tablespace = this.#options.tablespaces.get(oid);
    return tablespace === undefined ? `${this.#options.folder}/${path}` : `${tablespace}${rest}`;
  }

  async #writeSmall(file: RestoredFile): Promise<void> {
    this.#small.push(file);
    this.#smallBytes += file.size;
    if (this.#smallBytes >= TASK_BYTES || this.#small.length >= FILES_IN_A_TASK) await this.#startSmall();
  }

  async #startSmall(): Promise<void> {
    const files = this.#small;
    this.#small = [];
    this.#smallBytes = 0;
    if (files.length > 0) await this.#start({ kind: 'files', files, owner: this.#options.owner });
  }

  async #writeLarge(file: RestoredFile): Promise<void> {
    closeSync(beginFile(file, this.#options.owner));
    let chunks: FileChunk[] = [];
    let bytes = 0;
    let offset = 0;
    for await (const { id, length } of this.#options.reader.segments(file.content)) {
      if (id !== null) {
        chunks.push({ id, tag: offset, length });
        bytes += length;
      }
      offset += length;
      if (bytes < TASK_BYTES) continue;
      await this.#start({ kind: 'ranges', place: file.place, chunks });
      chunks = [];
      bytes = 0;
    }
    if (offset !== file.size) throw unknownEntry(file.place);
    if (chunks.length > 0) await this.#start({ kind: 'ranges', place: file.place, chunks });
  }

  async #start(task: RestoreTask): Promise<void> {
    this.#throwIfOver();
    const running = this.#runner.run(task).then(
      (bytes) => {
        this.#bytes += bytes;
        this.#options.onBytes(this.#bytes, this.#files);
      },
      (error: unknown) => {
        this.#failure ??= { error };
      },
    );
    this.#inFlight.add(running);
    void running.finally(() => this.#inFlight.delete(running));
    while (this.#inFlight.size >= this.#options.reader.concurrency * 3) await Promise.race(this.#inFlight);
  }

  async #finishStarted(): Promise<void> {
    await Promise.all(this.#inFlight);
    this.#throwIfOver();
  }

  #throwIfOver(): void {
    this.#options.signal.throwIfAborted();
    if (this.#failure !== undefined) throw this.#failure.error;
  }
}

const TABLESPACE = /^pg_tblspc\/(\d+)(\/.*)?$/s;
const TABLESPACE_ROOT = /^pg_tblspc\/\d+$/;
const TASK_BYTES = 16 * 1024 * 1024;
const LARGE_BYTES = 8 * 1024 * 1024;
const FILES_IN_A_TASK = 256;
const SYNCED_IN_A_TASK = 512;

/** Paths were checked when they came; a repository can be written by others. */
function isSafePath(path: ByteString): boolean {
  return !path.includes('\0') && path.split('/').every((part) => part !== '' && part !== '.' && part !== '..');
}

function unknownEntry(path: ByteString): HoldfastError {
  const name = Buffer.from(path, 'latin1').toString();
  const message = `The backup holds ${name} in a way that no data folder has. Restore another backup, and verify this one.`;
  return new HoldfastError('damaged', 'content-differs', message, { details: { path: name } });
}
