import { closeSync, mkdirSync, openSync, renameSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { dumpTextBlocks } from './dump-text.ts';
import { editNearFront } from './edits.ts';
import { randomBlocks } from './random-bytes.ts';
import { filesToEdit, planSmallFiles, smallFileContent, writeSmallFiles } from './small-files.ts';

export type DataSetName = 'random' | 'text' | 'files';

/** What is backed up: a folder that can be switched between its original and its edited state. */
export interface DataSet {
  readonly name: DataSetName;
  readonly description: string;
  readonly folder: string;
  /** Of the original. */
  readonly bytes: number;
  applyEdits(): void;
  undoEdits(): void;
}

export interface DataSizes {
  /** Of the random file and of the text. */
  fileBytes: number;
  smallFiles: number;
}

const SEED = 20_261_121;

/** Makes a data set below `workFolder`; equal sizes give equal bytes. */
export function makeDataSet(name: DataSetName, workFolder: string, sizes: DataSizes): DataSet {
  const folder = join(workFolder, `source-${name}`);
  mkdirSync(folder, { recursive: true });
  switch (name) {
    case 'random':
      return largeFile(
        name,
        `${gibibytes(sizes.fileBytes)} random file`,
        join(folder, 'random.bin'),
        sizes.fileBytes,
        randomBlocks,
      );
    case 'text':
      return largeFile(
        name,
        `${gibibytes(sizes.fileBytes)} dump-like text`,
        join(folder, 'dump.sql'),
        sizes.fileBytes,
        dumpTextBlocks,
      );
    case 'files':
      return smallFiles(folder, sizes.smallFiles);
  }
}

/** Writes a stream of random bytes, for measurements that need no edits. */
export function writeRandomFile(path: string, bytes: number): void {
  writeBlocks(path, randomBlocks(bytes, SEED));
}

function largeFile(
  name: DataSetName,
  description: string,
  path: string,
  bytes: number,
  blocks: (bytes: number, seed: number) => Generator<Buffer>,
): DataSet {
  const folder = join(path, '..');
  const other = `${folder}.other`;
  writeBlocks(path, blocks(bytes, SEED));
  writeBlocks(other, editNearFront(blocks(bytes, SEED), blocks(bytes, SEED + 1), bytes, SEED + 2));
  const swap = () => {
    renameSync(path, `${other}.swapped`);
    renameSync(other, path);
    renameSync(`${other}.swapped`, other);
  };
  return { name, description, folder, bytes, applyEdits: swap, undoEdits: swap };
}

function smallFiles(folder: string, count: number): DataSet {
  const files = planSmallFiles(count, SEED);
  writeSmallFiles(folder, files, SEED);
  const write = (revision: number) => {
    for (const file of filesToEdit(files))
      writeFileSync(join(folder, file.path), smallFileContent(file, SEED, revision));
  };
  return {
    name: 'files',
    description: `${count.toLocaleString('en')} small files`,
    folder,
    bytes: files.reduce((sum, file) => sum + file.bytes, 0),
    applyEdits: () => write(1),
    undoEdits: () => write(0),
  };
}

function writeBlocks(path: string, blocks: Iterable<Buffer>): void {
  const file = openSync(path, 'w');
  try {
    for (const block of blocks) writeSync(file, block);
  } finally {
    closeSync(file);
  }
}

function gibibytes(bytes: number): string {
  return bytes >= 2 ** 30 ? `${bytes / 2 ** 30} GiB` : `${bytes / 2 ** 20} MiB`;
}
