import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { randomBlocks } from './random-bytes.ts';
import { RandomNumbers } from './random-numbers.ts';
import { IDENTIFIERS, WORDS } from './word-lists.ts';

export interface SmallFile {
  /** Relative to the tree's root. */
  path: string;
  bytes: number;
  kind: 'source' | 'records' | 'random';
}

const MEDIAN_BYTES = 3072;
/** With this deviation the mean of the log-normal distribution is e^(σ²/2) = 2.66 times its median: 8 KiB. */
const DEVIATION = 1.4;
const LARGEST_BYTES = 1_048_576;
const FILES_IN_DIRECTORY = 30;
const DIRECTORIES_IN_DIRECTORY = 6;

/** The files of a tree such as a checkout with its assets, sorted by path; equal arguments give equal trees. */
export function planSmallFiles(count: number, seed: number): SmallFile[] {
  const random = new RandomNumbers(seed);
  const directories = Math.max(1, Math.ceil(count / FILES_IN_DIRECTORY));
  const files: SmallFile[] = [];
  for (let index = 0; index < count; index++) {
    const kind = KINDS[random.below(KINDS.length)] as SmallFile['kind'];
    const directory = directoryPath(random.below(directories));
    const size = Math.round(MEDIAN_BYTES * Math.exp(DEVIATION * random.normal()));
    const name = `${IDENTIFIERS[random.below(IDENTIFIERS.length)]}-${index}.${EXTENSIONS[kind]}`;
    files.push({ path: join(directory, name), bytes: Math.min(size, LARGEST_BYTES), kind });
  }
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** The content of a file. @param revision 0 for the original; another number changes about a tenth, or a line at least */
export function smallFileContent(file: SmallFile, seed: number, revision = 0): Buffer {
  const content = originalContent(file, seed);
  if (revision === 0) return content;
  const random = new RandomNumbers(seed, hash(file.path), revision);
  const at = random.below(content.length + 1);
  const line = Buffer.from(`${sourceLine(random)}\n`.repeat(1 + Math.floor(content.length / 600)), 'latin1');
  return Buffer.concat([
    content.subarray(0, at),
    line,
    content.subarray(Math.min(content.length, at + line.length / 2)),
  ]);
}

export function writeSmallFiles(folder: string, files: readonly SmallFile[], seed: number): void {
  for (const directory of new Set(files.map((file) => dirname(file.path)))) {
    mkdirSync(join(folder, directory), { recursive: true });
  }
  for (const file of files) writeFileSync(join(folder, file.path), smallFileContent(file, seed));
}

/** The files that "1 % edits near the front" change: every tenth of the first tenth, as a sorted walk meets them. */
export function filesToEdit(files: readonly SmallFile[]): SmallFile[] {
  return files.slice(0, Math.ceil(files.length / 10)).filter((_file, index) => index % 10 === 0);
}

const KINDS: readonly SmallFile['kind'][] = ['source', 'source', 'source', 'source', 'records', 'random'];
const EXTENSIONS: Readonly<Record<SmallFile['kind'], string>> = { source: 'ts', records: 'dat', random: 'bin' };

function directoryPath(index: number): string {
  if (index === 0) return 'root';
  return join(directoryPath(Math.floor((index - 1) / DIRECTORIES_IN_DIRECTORY)), `part-${index}`);
}

function originalContent(file: SmallFile, seed: number): Buffer {
  const fileSeed = hash(`${seed} ${file.path}`);
  if (file.kind === 'random') return Buffer.concat([...randomBlocks(file.bytes, fileSeed)]);
  const random = new RandomNumbers(fileSeed);
  return file.kind === 'source' ? sourceText(file.bytes, random) : recordBytes(file.bytes, random);
}

function sourceText(bytes: number, random: RandomNumbers): Buffer {
  let text = '';
  while (text.length < bytes) text += `${sourceLine(random)}\n`;
  return Buffer.from(text.slice(0, bytes), 'latin1');
}

function sourceLine(random: RandomNumbers): string {
  const word = () => IDENTIFIERS[random.skewedBelow(IDENTIFIERS.length)];
  switch (random.below(5)) {
    case 0:
      return `  const ${word()} = await ${word()}.${word()}(${word()}, ${random.below(1000)});`;
    case 1:
      return `  if (${word()}.${word()} === ${word()}) return ${word()};`;
    case 2:
      return `export function ${word()}Of(${word()}: ${word()}): ${word()} {`;
    case 3:
      return `  // ${WORDS[random.skewedBelow(WORDS.length)]} ${WORDS[random.below(WORDS.length)]} ${random.next().toString(36)}`;
    default:
      return '}';
  }
}

/** Fixed-size records: rising numbers, small numbers, some noise. */
function recordBytes(bytes: number, random: RandomNumbers): Buffer {
  const records = Buffer.alloc(Math.ceil(bytes / 16) * 16);
  let rising = random.below(1_000_000);
  for (let at = 0; at < records.length; at += 16) {
    rising += random.below(20);
    records.writeUInt32LE(rising, at);
    records.writeUInt16LE(random.skewedBelow(500), at + 4);
    records.writeUInt32LE(random.next(), at + 12);
  }
  return records.subarray(0, bytes);
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  return value >>> 0;
}
