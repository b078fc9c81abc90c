import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readdirSync, readSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';

const PIECE_BYTES = 4 * 1024 * 1024;

/** Sum of the lengths of all files below a folder, bytes. */
export function folderBytes(folder: string): number {
  return filesBelow(folder).reduce((sum, path) => sum + statSync(path).size, 0);
}

/** A copy with all times and modes, made anew. */
export function copyFolder(from: string, to: string): void {
  rmSync(to, { recursive: true, force: true });
  mkdirSync(dirname(to), { recursive: true });
  execFileSync('cp', ['-a', from, to]);
}

/** Reads every file once, so that the page cache holds it (if it is large enough). */
export function warmPageCache(folder: string): void {
  const piece = Buffer.alloc(PIECE_BYTES);
  for (const path of filesBelow(folder)) {
    const file = openSync(path, 'r');
    while (readSync(file, piece) > 0);
    closeSync(file);
  }
}

/**
 * Compares a restored folder with its source, byte by byte. The tools lay it at different depths below the target: it is
 * found by its name.
 *
 * @throws Error naming the first file that differs
 */
export function assertRestored(source: string, target: string): void {
  const restored = findFolder(target, basename(source)) ?? target;
  const wanted = filesBelow(source).map((path) => relative(source, path));
  const found = filesBelow(restored).length;
  if (found !== wanted.length) throw new Error(`${restored} holds ${found} files instead of ${wanted.length}.`);
  for (const path of wanted) {
    if (!sameBytes(join(source, path), join(restored, path))) throw new Error(`${path} was not restored as it was.`);
  }
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
}

function findFolder(folder: string, name: string): string | undefined {
  const found = readdirSync(folder, { recursive: true, withFileTypes: true }).find(
    (entry) => entry.isDirectory() && entry.name === name,
  );
  return found === undefined ? undefined : join(found.parentPath, found.name);
}

function sameBytes(left: string, right: string): boolean {
  if (statSync(left).size !== statSync(right).size) return false;
  const files = [openSync(left, 'r'), openSync(right, 'r')] as const;
  const pieces = [Buffer.alloc(PIECE_BYTES), Buffer.alloc(PIECE_BYTES)] as const;
  try {
    for (;;) {
      const length = readSync(files[0], pieces[0]);
      readSync(files[1], pieces[1], 0, length, null);
      if (length === 0) return true;
      if (!pieces[0].subarray(0, length).equals(pieces[1].subarray(0, length))) return false;
    }
  } finally {
    for (const file of files) closeSync(file);
  }
}
