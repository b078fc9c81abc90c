import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { RandomNumbers } from './random-numbers.ts';
import { planSmallFiles, type SmallFile, smallFileContent, writeSmallFiles } from './small-files.ts';

export const CHANGING_FILES_SEED = 20_261_122;
/** Of 1,000 files 15 change between any two snapshots, always the same ones, as logs and databases do … */
const ALWAYS_OF_THOUSAND = 15;
/** … and 5 others at random. */
const SOMETIMES_OF_THOUSAND = 5;

/** A tree of which about 2 % of the files change from one snapshot to the next; equal arguments give equal trees. */
export class ChangingFiles {
  readonly folder: string;
  readonly #files: readonly SmallFile[];
  #revision = 0;

  constructor(folder: string, count: number) {
    this.folder = folder;
    this.#files = planSmallFiles(count, CHANGING_FILES_SEED);
    writeSmallFiles(folder, this.#files, CHANGING_FILES_SEED);
  }

  get bytes(): number {
    return this.#files.reduce((sum, file) => sum + file.bytes, 0);
  }

  /** Makes what the next snapshot is to find. */
  change(): void {
    const revision = ++this.#revision;
    const random = new RandomNumbers(CHANGING_FILES_SEED, revision);
    const changed = new Set<SmallFile>();
    const every = Math.round(1000 / ALWAYS_OF_THOUSAND);
    for (let index = 0; index < this.#files.length; index += every) changed.add(this.#files[index] as SmallFile);
    for (let left = Math.round((this.#files.length * SOMETIMES_OF_THOUSAND) / 1000); left > 0; left--)
      changed.add(this.#files[random.below(this.#files.length)] as SmallFile);
    for (const file of changed)
      writeFileSync(join(this.folder, file.path), smallFileContent(file, CHANGING_FILES_SEED, revision));
  }
}
