import type { FileHandle } from 'node:fs/promises';
import { HoldfastError, messageOf } from '../../core/errors.ts';
import type { RestoreContext } from '../../core/ports/service.ts';
import { readChangedPages } from './changed-pages.ts';
import { followedThrough } from './followed-databases.ts';
import { largerBlocks } from './larger-blocks.ts';
import { type DatabasePiece, databasePiece } from './log-facts.ts';
import { findPath, type LogPath } from './log-path.ts';
import { PageTable } from './page-table.ts';
import { readDatabase } from './read-database.ts';

const BLOCK_BYTES = 1024 * 1024;

type Sources = Pick<RestoreContext, 'backup' | 'chain' | 'log' | 'signal' | 'warn'>;

/** A state of a database that is put together from a whole copy and the log. */
export class LogSource {
  /** RFC 3339 */
  readonly moment: string;
  /** The most that the file needs while it is put together, bytes. */
  readonly mostBytes: number;
  readonly #context: Sources;
  readonly #path: LogPath;

  constructor(context: Sources, moment: string, path: LogPath) {
    this.#context = context;
    this.moment = moment;
    this.#path = path;
    const { whole, pieces } = path;
    const sizes = [...(whole === undefined ? [] : [whole]), ...pieces].map(bytesOfState);
    this.mostBytes = Math.max(whole === undefined ? context.backup.size : 0, ...sizes);
  }

  /** Whether the backup itself is the newest state at that moment. */
  get isBackup(): boolean {
    return this.#path.target === undefined;
  }

  /** What the restore's report says of it. */
  describe(): Readonly<Record<string, unknown>> {
    const { whole, pieces, target } = this.#path;
    return {
      moment: this.moment,
      ...(target === undefined ? {} : { stateAt: target.at, databaseBytes: bytesOfState(target) }),
      begunWith: whole?.piece.id ?? this.#context.backup.id,
      logPieces: pieces.length,
    };
  }

  /** Writes the state into an empty file and proves that it is what was seen. @throws HoldfastError `restored-state-differs` (damaged) */
  async write(file: FileHandle, onPart: (done: number, total: number) => void): Promise<void> {
    const { whole, pieces, target } = this.#path;
    const total = pieces.length + 2;
    await this.#writeBeginning(file, whole);
    for (const [place, piece] of pieces.entries()) {
      onPart(place + 1, total);
      await this.#apply(file, piece);
    }
    onPart(total - 1, total);
    if (target !== undefined) await this.#verify(file, target);
  }

  async #writeBeginning(file: FileHandle, whole: DatabasePiece | undefined): Promise<void> {
    const { chain, signal, log } = this.#context;
    const write = async (source: AsyncIterable<Uint8Array>): Promise<void> => {
      for await (const bytes of largerBlocks(source, BLOCK_BYTES)) {
        signal.throwIfAborted();
        await file.appendFile(bytes);
      }
    };
    if (whole === undefined || log === undefined) return write(readDatabase(chain, signal));
    await this.#named(whole, async () => {
      const reader = await log.open(whole.piece);
      try {
        await write(reader.read());
      } finally {
        await reader.close();
      }
    });
  }

  async #apply(file: FileHandle, piece: DatabasePiece): Promise<void> {
    const { signal, log } = this.#context;
    if (log === undefined) return;
    await this.#named(piece, async () => {
      const reader = await log.open(piece.piece);
      try {
        let sizes = { pageCount: 0, pageSize: 0 };
        const pages = readChangedPages(reader.read(), async (header) => {
          sizes = header;
          const { size } = await file.stat();
          await file.truncate(Math.min(size, header.smallestPageCount * header.pageSize));
        });
        for await (const { page, bytes } of pages) {
          signal.throwIfAborted();
          await file.write(bytes, 0, bytes.length, (page - 1) * bytes.length);
        }
        await file.truncate(sizes.pageCount * sizes.pageSize);
      } finally {
        await reader.close();
      }
    });
  }

  /** Errors of reading a piece say what can be restored without it. */
  async #named(piece: DatabasePiece, act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      if (!(error instanceof HoldfastError) || (error.kind !== 'damaged' && error.kind !== 'not-found')) throw error;
      const { id } = piece.piece;
      throw new HoldfastError(
        'damaged',
        'log-piece-damaged',
        `The piece ${id} of the log, which leads to the state of ${piece.at}, cannot be read: ${messageOf(error)} Nothing was put in place. Restore to a moment before ${piece.unchangedUntil || piece.at}, or to one behind the next backup.`,
        { cause: error, details: { pieceId: id, at: piece.at } },
      );
    }
  }

  async #verify(file: FileHandle, target: DatabasePiece): Promise<void> {
    const { signal } = this.#context;
    const { pageSize, databaseSizeInPages } = target;
    const table = new PageTable(pageSize);
    const block = Buffer.alloc(BLOCK_BYTES);
    const length = bytesOfState(target);
    for (let offset = 0; offset < length; offset += BLOCK_BYTES) {
      signal.throwIfAborted();
      const { bytesRead } = await file.read(block, 0, Math.min(BLOCK_BYTES, length - offset), offset);
      for (let at = 0; at < bytesRead; at += pageSize)
        table.set((offset + at) / pageSize + 1, block.subarray(at, at + pageSize));
    }
    const { size } = await file.stat();
    if (size === length && table.pageCount === databaseSizeInPages && table.state === target.state) return;
    throw new HoldfastError(
      'damaged',
      'restored-state-differs',
      `The database put together from the log is not as it was seen at ${target.at}. Nothing was put in place. Restore to a moment behind the next backup, or restore a backup by its id; and report this.`,
      { details: { at: target.at, expected: target.state, found: table.state } },
    );
  }

  /** Tells where the state that was asked for is less exact than the times between two looks. */
  warnOfCoarseness(): void {
    const { next, target } = this.#path;
    if (next === undefined || next.unchangedUntil === '' || this.moment <= next.unchangedUntil) return;
    if (Date.parse(next.at) - Date.parse(next.unchangedUntil) < COARSE) return;
    this.#context.warn(
      `The log does not tell apart what changed from ${next.unchangedUntil} to ${next.at}. The database is restored as it was before these changes${target === undefined ? '' : `, at ${target.at}`}.`,
    );
  }
}

/**
 * What a restore takes from the log; undefined where no moment was asked for, or no log was ever kept.
 * @throws HoldfastError `moment-not-in-log` (not-found)
 */
export async function findLogSource(
  context: RestoreContext,
  at: string | undefined,
  snapshotAt: string | undefined,
): Promise<LogSource | undefined> {
  const { backup, log, signal } = context;
  const asked = context.moment ?? at;
  if (asked === undefined || log === undefined) return undefined;
  const moment = new Date(asked).toISOString();
  const through = await followedThrough(backup.resourceId, moment, signal);
  const pieces = (await log.pieces()).map(databasePiece);
  if (pieces.length === 0) return undefined;
  const { createdAt, completedAt } = backup;
  const question = { pieces, backup: { createdAt, snapshotAt: snapshotAt ?? completedAt }, moment, through };
  return new LogSource(context, moment, findPath(question));
}

function bytesOfState({ pageSize, databaseSizeInPages }: DatabasePiece): number {
  return pageSize * databaseSizeInPages;
}

/** milliseconds */
const COARSE = 5000;
