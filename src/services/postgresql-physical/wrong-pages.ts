import { HoldfastError } from '../../core/errors.ts';
import type { ByteString } from '../../core/tree-entry.ts';

/** Pages whose checksum was found to be wrong, by file. */
export class WrongPages {
  readonly #files = new Map<ByteString, number[]>();
  #filesLeftOut = 0;

  add(path: ByteString, blocks: readonly number[]): void {
    const known = this.#files.get(path);
    if (known !== undefined) known.push(...blocks.slice(0, MOST_BLOCKS - known.length));
    else if (this.#files.size < MOST_FILES) this.#files.set(path, blocks.slice(0, MOST_BLOCKS));
    else this.#filesLeftOut++;
  }

  /** @throws HoldfastError `postgresql-page-checksum` (damaged) naming the first file and block */
  refuse(): void {
    const [first] = this.#files;
    if (first === undefined) return;
    const [path, [block]] = first;
    const others = this.#files.size + this.#filesLeftOut - 1;
    const more = others > 0 ? ` (and pages of ${others} more files)` : '';
    const message = `The page ${block} of ${nameOf(path)} has a wrong checksum${more}: the server's disk or memory damaged it. No backup was made, so that earlier good ones stay the latest. Look at the table and at the disk (pg_amcheck, the server's log) and restore it; to back up what is left, set \`checksums: warn\`.`;
    throw new HoldfastError('damaged', 'postgresql-page-checksum', message, {
      details: {
        path: nameOf(path),
        block,
        files: Object.fromEntries(this.#files.entries().map(([file, blocks]) => [nameOf(file), blocks])),
      },
    });
  }

  warnings(): string[] {
    return [...this.#files].map(
      ([path, blocks]) =>
        `Wrong page checksums in ${nameOf(path)}: ${blocks.length === 1 ? 'page' : 'pages'} ${blocks.join(', ')}. They are backed up as they are.`,
    );
  }
}

const MOST_FILES = 100;
const MOST_BLOCKS = 10;

function nameOf(path: ByteString): string {
  return Buffer.from(path, 'latin1').toString();
}
