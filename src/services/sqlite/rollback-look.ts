import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { HoldfastError } from '../../core/errors.ts';
import { pragmaNumber } from './database-facts.ts';
import type { PageSource } from './read-pages.ts';

/**
 * Looks at a database with a rollback journal. Between looks it holds nothing. Whether something changed is told by the file's
 * times and by the counter in its header, which each transaction raises; what changed is told by nothing.
 * https://www.sqlite.org/fileformat2.html#file_change_counter
 */
export class RollbackLook {
  readonly #path: string;
  #stamp = '';

  constructor(path: string) {
    this.#path = path;
  }

  /**
   * @param read reads all pages, while writers wait
   * @returns undefined where nothing changed
   */
  look<Result>(timeout: number, read: (source: PageSource) => Result): Result | undefined {
    // No lock is held here that closing this descriptor could end; and below it is closed after the connection.
    const descriptor = openSync(this.#path, 'r');
    try {
      if (stampOf(descriptor) === this.#stamp) return undefined;
      const database = new DatabaseSync(this.#path, { readOnly: true, timeout });
      try {
        database.exec('BEGIN');
        // The transaction, and with it the lock, begins with the first reading.
        database.prepare('SELECT count(*) FROM sqlite_schema').get();
        const stamp = stampOf(descriptor);
        if (isInWalMode(descriptor)) throw modeChanged(this.#path);
        const pageSize = pragmaNumber(database, 'page_size');
        const pageCount = pragmaNumber(database, 'page_count');
        const result = read({ pageSize, pageCount, descriptor });
        this.#stamp = stamp;
        return result;
      } finally {
        database.close();
      }
    } finally {
      closeSync(descriptor);
    }
  }
}

function isInWalMode(descriptor: number): boolean {
  const version = Buffer.alloc(1);
  readSync(descriptor, version, 0, 1, READ_VERSION_OFFSET);
  return version[0] === 2;
}

function modeChanged(path: string): HoldfastError {
  return new HoldfastError(
    'conflict',
    'journal-mode-changed',
    `${path} changed to WAL mode while it was looked at. It is looked at again.`,
  );
}

function stampOf(descriptor: number): string {
  const counter = Buffer.alloc(4);
  readSync(descriptor, counter, 0, 4, 24);
  const { dev, ino, size, mtimeNs, ctimeNs } = fstatSync(descriptor, { bigint: true });
  return [dev, ino, size, mtimeNs, ctimeNs, counter.toString('hex')].join(':');
}

const READ_VERSION_OFFSET = 19;
