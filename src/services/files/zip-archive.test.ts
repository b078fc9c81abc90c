import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import type { TreeEntry } from '../../core/tree-entry.ts';
import type { ArchiveFile } from './archive-files.ts';
import { zipArchive } from './zip-archive.ts';

const READ = `
import sys, zipfile
archive = zipfile.ZipFile(sys.argv[1])
print(archive.testzip() if len(archive.namelist()) < 100 else 'listed', len(archive.namelist()), sum(each.file_size for each in archive.infolist()))
`;

function file(name: string, bytes: Uint8Array): ArchiveFile {
  const entry: TreeEntry = {
    path: name,
    type: 'file',
    mode: 0o644,
    uid: 4_000_000_000,
    gid: 0,
    modifiedAt: 1_700_000_000_000_000_000n,
    size: bytes.length,
  };
  return {
    entry,
    name,
    async *bytes() {
      yield bytes;
    },
  };
}

async function read(files: Iterable<ArchiveFile>, largeFrom?: number): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-zip-'));
  try {
    const pieces: Uint8Array[] = [];
    const source = (async function* () {
      yield* files;
    })();
    for await (const piece of zipArchive(source, () => assert.fail('nothing is left out'), largeFrom))
      pieces.push(Uint8Array.from(piece));
    const archive = path.join(folder, 'archive.zip');
    await writeFile(archive, Buffer.concat(pieces));
    return execFileSync('python3', ['-c', READ, archive], { encoding: 'utf8' }).trim();
  } finally {
    await rm(folder, { recursive: true });
  }
}

test('sizes of 8 bytes are read by others, before the bytes and after them', async () => {
  const files = [file('small', Buffer.from('few bytes')), file('streamed', Buffer.alloc(1_000_000, 'some text '))];
  assert.equal(await read(files, 0), 'None 2 1000009');
  assert.equal(await read(files), 'None 2 1000009');
});

test('more files than 2 bytes count are read by others', async () => {
  const files = Iterator.from(Array(70_000).keys()).map((number) => file(`${number}`, Buffer.alloc(0)));
  assert.equal(await read(files), 'listed 70000 0');
});
