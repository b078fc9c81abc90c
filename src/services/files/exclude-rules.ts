import { readFileSync } from 'node:fs';
import ignore, { type Ignore } from 'ignore';
import { HoldfastError, messageOf } from '../../core/errors.ts';
import type { ByteString } from '../../core/tree-entry.ts';
import { toByteString } from './byte-path.ts';
import type { FilesConfiguration } from './configuration.ts';

/** Rules in gitignore syntax, matched byte by byte as git does; without any, nothing is looked at. */
export class ExcludeRules {
  readonly #patterns: readonly string[];
  #rules: Ignore | undefined;
  #asked = 0;

  /** @throws HoldfastError `exclude-file-unreadable` (invalid) */
  constructor({ exclude, excludeFiles }: Pick<FilesConfiguration, 'exclude' | 'excludeFiles'>) {
    this.#patterns = [...exclude.map(toByteString), ...excludeFiles.flatMap(readPatterns)];
    this.#rules = this.#patterns.length === 0 ? undefined : this.#parse();
  }

  /** @param path relative to the root that is being walked */
  excludes(path: ByteString, isFolder: boolean): boolean {
    if (this.#rules === undefined || path === '') return false;
    if (++this.#asked % ASKED_BEFORE_RENEWAL === 0) this.#rules = this.#parse();
    return this.#rules.ignores(isFolder ? `${path}/` : path);
  }

  #parse(): Ignore {
    return ignore({ ignorecase: false, allowRelativePaths: true }).add([...this.#patterns]);
  }
}

/** The rules keep the answer to every path that they were ever asked about, so they are made anew now and then. */
const ASKED_BEFORE_RENEWAL = 20_000;

function readPatterns(file: string): string[] {
  try {
    return readFileSync(file, 'latin1').split(/\r?\n/);
  } catch (cause) {
    throw new HoldfastError(
      'invalid',
      'exclude-file-unreadable',
      `The file of exclude patterns ${file} cannot be read: ${messageOf(cause)}`,
      { cause },
    );
  }
}
