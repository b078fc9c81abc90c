import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { closeSync, lstatSync, openSync, readdirSync, readlinkSync, readSync } from 'node:fs';
import { getAttribute, listAttributes, terminated } from '../src/services/files/system-calls.ts';

/** All that a restore must give back of one file. */
export interface FileDescription {
  kind: bigint;
  mode: string;
  owner: string;
  modifiedAt: bigint;
  size?: bigint;
  sha256?: string;
  target?: string;
  device?: bigint;
  attributes: Record<string, string>;
  /** Names of the same file within the tree. */
  sameFile?: string[];
}

/** Describes all that is below a folder, by path relative to it (byte strings); the folder itself is `''`. */
export function describeTree(folder: string): Map<string, FileDescription> {
  const found = new Map<string, FileDescription>();
  const groups = new Map<string, string[]>();
  const visit = (relative: string): void => {
    const absolute = Buffer.from(relative === '' ? folder : `${folder}/${relative}`, 'latin1');
    const status = lstatSync(absolute, { bigint: true });
    const kind = status.mode & 0o170000n;
    const isFile = kind === 0o100000n;
    const isDevice = kind === 0o020000n || kind === 0o060000n;
    found.set(relative, {
      kind,
      mode: (status.mode & 0o7777n).toString(8),
      owner: `${status.uid}:${status.gid}`,
      modifiedAt: status.mtimeNs,
      ...(isFile ? { size: status.size, sha256: hashOf(absolute) } : {}),
      ...(kind === 0o120000n ? { target: readlinkSync(absolute, 'latin1') } : {}),
      ...(isDevice ? { device: status.rdev } : {}),
      attributes: attributesOf(absolute),
    });
    if (status.isDirectory()) {
      for (const name of readdirSync(absolute, 'latin1')) visit(relative === '' ? name : `${relative}/${name}`);
    } else if (status.nlink > 1n) {
      const group = groups.get(`${status.dev}:${status.ino}`) ?? [];
      group.push(relative);
      groups.set(`${status.dev}:${status.ino}`, group);
    }
  };
  visit('');
  for (const group of groups.values())
    if (group.length > 1) for (const name of group) (found.get(name) as FileDescription).sameFile = [...group].sort();
  return found;
}

/** @param ignore paths (or their ends) that are left out on both sides */
export function assertSameTree(actual: string, expected: string, ignore: readonly string[] = []): void {
  const left = describeTree(actual);
  const right = describeTree(expected);
  for (const path of ignore) {
    left.delete(path);
    right.delete(path);
  }
  assert.deepEqual([...left.keys()].sort(), [...right.keys()].sort());
  for (const [path, description] of right) assert.deepEqual(left.get(path), description, path);
}

const buffer = Buffer.allocUnsafe(1 << 20);

function hashOf(absolute: Buffer): string {
  const hash = createHash('sha256');
  const descriptor = openSync(absolute, 'r');
  try {
    for (let read = readSync(descriptor, buffer); read > 0; read = readSync(descriptor, buffer))
      hash.update(buffer.subarray(0, read));
  } finally {
    closeSync(descriptor);
  }
  return hash.digest('hex');
}

function attributesOf(absolute: Buffer): Record<string, string> {
  const path = terminated(absolute.toString('latin1'));
  return Object.fromEntries(
    listAttributes(path).map((name) => [name, getAttribute(path, name)?.toString('hex') ?? '']),
  );
}
