import type { TaskRunner } from '../../core/ports/repository.ts';
import type { ContentSegment } from '../../core/tree-entry.ts';
import type { ContentStoring } from './content-storing.ts';
import type { ContentTask, ContentTaskResult } from './content-task.ts';
import type { EarlierFile, EarlierFiles } from './earlier-files.ts';
import { type ByteSource, type IncrementalHeader, wholeFileBlocks } from './incremental-file.ts';

export interface Reconstruction {
  header: IncrementalHeader;
  /** The bytes of the changed blocks. */
  source: ByteSource;
  earlier: EarlierFile;
  pageBytes: number;
  segmentBytes: number;
}

/**
 * Makes a whole file of the one in an earlier backup and of the blocks that changed since, as pg_combinebackup does, but in the
 * repository: segments without a changed block are referred to, the others are read, changed and stored. The file was begun in
 * `contents`.
 */
export async function storeReconstructed(
  { header, source, earlier, pageBytes, segmentBytes }: Reconstruction,
  { earlierFiles, contents, runner }: ReconstructionTools,
): Promise<void> {
  const length = wholeFileBlocks(header) * pageBytes;
  const segments = new SegmentCursor(earlierFiles.segments(earlier));
  const reusing = new Reuse(contents, runner, (from, to) => earlierFiles.read(earlier, from, to - from));
  let next = 0;
  for (let from = 0; from < length; from += segmentBytes) {
    const to = Math.min(length, from + segmentBytes);
    const segment = await segments.at(from);
    const changed: number[] = [];
    for (; (header.blocks[next] ?? Number.POSITIVE_INFINITY) * pageBytes < to; next++)
      changed.push((header.blocks[next] as number) * pageBytes - from);
    if (changed.length === 0 && segment?.length === to - from) {
      await reusing.add(segment, from);
      continue;
    }
    await reusing.finish();
    const bytes = await earlierBytes(earlierFiles, earlier, from, to, changed.length * pageBytes === to - from);
    for (const offset of changed) bytes.set(await source.take(pageBytes), offset);
    await contents.write([bytes]);
  }
  await reusing.finish();
}

export interface ReconstructionTools {
  earlierFiles: EarlierFiles;
  contents: ContentStoring;
  runner: TaskRunner<ContentTask, ContentTaskResult>;
}

/** Finds the segments that begin at places that are asked for in order. */
class SegmentCursor {
  readonly #segments: AsyncIterator<ContentSegment>;
  #offset = 0;
  #current: ContentSegment | undefined;

  constructor(segments: AsyncIterable<ContentSegment>) {
    this.#segments = segments[Symbol.asyncIterator]();
  }

  async at(place: number): Promise<ContentSegment | undefined> {
    while (this.#offset < place || this.#current === undefined) {
      this.#offset += this.#current?.length ?? 0;
      const next = await this.#segments.next();
      if (next.done === true) return undefined;
      this.#current = next.value;
    }
    return this.#offset === place ? this.#current : undefined;
  }
}

/** What is beyond the earlier file's end and did not change is zeros. */
async function earlierBytes(
  files: EarlierFiles,
  earlier: EarlierFile,
  from: number,
  to: number,
  areReplaced: boolean,
): Promise<Buffer> {
  const bytes = Buffer.alloc(to - from);
  const end = Math.min(to, earlier.size);
  if (!areReplaced && end > from) bytes.set(await files.read(earlier, from, end - from));
  return bytes;
}

/** Runs of segments that are referred to, if the repository lets this backup rely on them; otherwise they are stored again. */
class Reuse {
  readonly #contents: ContentStoring;
  readonly #runner: TaskRunner<ContentTask, ContentTaskResult>;
  readonly #read: (from: number, to: number) => Promise<Buffer>;
  #run: ContentSegment[] = [];
  #from = 0;

  constructor(
    contents: ContentStoring,
    runner: TaskRunner<ContentTask, ContentTaskResult>,
    read: (from: number, to: number) => Promise<Buffer>,
  ) {
    this.#contents = contents;
    this.#runner = runner;
    this.#read = read;
  }

  async add({ id, length }: ContentSegment, from: number): Promise<void> {
    if (this.#run.length === 0) this.#from = from;
    this.#run.push({ id, length });
    if (this.#run.length >= LONGEST_RUN) await this.finish();
  }

  async finish(): Promise<void> {
    const segments = this.#run;
    if (segments.length === 0) return;
    this.#run = [];
    if (await this.#runner.run({ kind: 'find', segments })) {
      this.#contents.reuse(segments);
      return;
    }
    let from = this.#from;
    for (const { length } of segments) {
      await this.#contents.write([await this.#read(from, from + length)]);
      from += length;
    }
  }
}

const LONGEST_RUN = 512;
