import type { SnapshotWriter, TaskRunner } from '../../src/core/ports/repository.ts';
import {
  type ByteString,
  type Content,
  type ContentSegment,
  comparePaths,
  type TreeEntry,
} from '../../src/core/tree-entry.ts';
import { encodeTreeEntry } from '../../src/repository/tree-entry-codec.ts';
import { dumpLike, pseudoRandom, sha256 } from './inputs.ts';

export type ExpectedEntry = Omit<
  TreeEntry,
  'content' | 'modifiedAt' | 'changedAt' | 'inode' | 'device' | 'extendedAttributes'
> & {
  modifiedAt: string;
  extendedAttributes?: { name: string; value: string }[];
  sha256?: string;
};

const MTIME = 1_763_690_123_456_789_012n;
const STORE_TASK = new URL('./store-task.ts', import.meta.url).href;

/** A tree with one of everything that an entry can say. Entries do not depend on the machine that this runs on. */
export async function writeTree(
  writer: SnapshotWriter,
  inlineLimit: number,
): Promise<{
  root: Awaited<ReturnType<ReturnType<SnapshotWriter['beginTree']>['finish']>>;
  expected: ExpectedEntry[];
  size: number;
}> {
  const runner: TaskRunner<Uint8Array, ContentSegment[]> = writer.tasks({ module: STORE_TASK, options: {} });
  const built = new Map<ByteString, { entry: TreeEntry; sha256?: string }>();
  const add = (path: ByteString, type: TreeEntry['type'], more: Partial<TreeEntry> = {}): TreeEntry => {
    const entry: TreeEntry = {
      path,
      type,
      mode: type === 'directory' ? 0o755 : 0o644,
      uid: 1000,
      gid: 1000,
      user: 'backup',
      group: 'backup',
      modifiedAt: MTIME + BigInt(built.size),
      changedAt: MTIME,
      inode: BigInt(built.size + 1),
      device: 2049n,
      ...more,
    };
    built.set(path, { entry });
    return entry;
  };
  const file = async (path: ByteString, bytes: Buffer, more: Partial<TreeEntry> = {}): Promise<void> => {
    const content: Content =
      bytes.length <= inlineLimit
        ? { inline: bytes }
        : await writer.storeSegments(await runner.run(Uint8Array.from(bytes)));
    add(path, 'file', { size: bytes.length, content, ...more });
    const stored = built.get(path);
    if (stored !== undefined) stored.sha256 = sha256(bytes);
  };

  for (const folder of ['srv', 'srv/data', 'srv/data/empty', 'srv/data/many', 'srv/data/special', 'srv/data-base'])
    add(folder, 'directory');
  await file('srv/data/empty.txt', Buffer.alloc(0));
  await file('srv/data/inline.txt', Buffer.from('A small file lies in its entry.\n'), {
    mode: 0o4755,
    uid: 0,
    gid: 0,
    user: 'root',
    group: 'root',
  });
  await file('srv/data/chunked.sql', dumpLike('chunked', 30_000));
  await file('srv/data/random.bin', pseudoRandom('random', 20_000));
  await file('srv/data-base/sorted.txt', Buffer.from('`-` comes after `/`.\n'));
  await file(`srv/data/latin1-${'\u00e9\u00ff'}`, Buffer.from('This name is not UTF-8.\n'));
  await file(`srv/data/${Buffer.from('größe-日本.txt').toString('latin1')}`, Buffer.from('This one is.\n'));
  const linked = dumpLike('linked', 5_000);
  for (const name of ['srv/data/special/link-a', 'srv/data/special/link-b'])
    await file(name, linked, { hardLinkGroup: '2049:77', inode: 77n, modifiedAt: MTIME });
  await file('srv/data/special/attributes', Buffer.from('x'), {
    extendedAttributes: [
      { name: 'user.binary', value: Buffer.from([0, 255, 1, 254]) },
      { name: 'user.comment', value: Buffer.from('Grüße') },
    ],
  });
  add('srv/data/special/pointer', 'symlink', { target: '../inline.txt', mode: 0o777 });
  add('srv/data/special/queue', 'fifo');
  add('srv/data/special/null', 'character-device', { deviceMajor: 1, deviceMinor: 3, uid: 0, gid: 0 });
  add('srv/data/special/old', 'symlink', { target: `t\u00e9`, modifiedAt: -1_000_000_001n });
  for (let index = 0; index < 60; index++) {
    const name = `srv/data/many/${String(index).padStart(3, '0')}.json`;
    await file(name, Buffer.from(`{"number":${index},"text":"${'abcdefgh'.repeat(index)}"}\n`));
  }
  await addSparse();
  await addLongList();

  const tree = writer.beginTree();
  const sorted = [...built.values()].sort((a, b) => comparePaths(a.entry.path, b.entry.path));
  for (const { entry } of sorted) {
    const bytes = encodeTreeEntry(entry);
    await tree.append({ bytes, ends: Uint32Array.of(bytes.length), paths: [entry.path] });
  }
  const expected = sorted.map(describeEntry);
  return { root: await tree.finish(), expected, size: sorted.reduce((sum, { entry }) => sum + (entry.size ?? 0), 0) };

  /** 3 MB of which a little is stored. */
  async function addSparse(): Promise<void> {
    const [front, back] = [pseudoRandom('sparse front', 4_000), pseudoRandom('sparse back', 3_000)];
    const hole = 3_000_000;
    const segments = [
      ...(await runner.run(front)),
      { id: null, length: hole },
      ...(await runner.run(back)),
      { id: null, length: 8192 },
    ];
    const bytes = Buffer.concat([front, Buffer.alloc(hole), back, Buffer.alloc(8192)]);
    add('srv/data/sparse.img', 'file', { size: bytes.length, content: { segments } });
    const stored = built.get('srv/data/sparse.img');
    if (stored !== undefined) stored.sha256 = sha256(bytes);
  }

  /** More segments than one page of a list may hold, from few chunks. */
  async function addLongList(): Promise<void> {
    const pool: { bytes: Buffer; segments: ContentSegment[] }[] = [];
    for (let index = 0; index < 5; index++) {
      const bytes = pseudoRandom(`pool ${index}`, 100 + index);
      pool.push({ bytes, segments: await runner.run(bytes) });
    }
    const segments: ContentSegment[] = [];
    const parts: Buffer[] = [];
    for (let index = 0; index < 2_500; index++) {
      const { bytes, segments: chunk } = pool[(index * 7) % 5] as (typeof pool)[number];
      segments.push(...chunk, { id: null, length: 64 });
      parts.push(bytes, Buffer.alloc(64));
    }
    const bytes = Buffer.concat(parts);
    add('srv/data/long-list.img', 'file', { size: bytes.length, content: await writer.storeSegments(segments) });
    const stored = built.get('srv/data/long-list.img');
    if (stored !== undefined) stored.sha256 = sha256(bytes);
  }
}

/** An entry as the list of what is expected holds it: without content, numbers of JSON's size. */
export function describeEntry({ entry, sha256: hash }: { entry: TreeEntry; sha256?: string }): ExpectedEntry {
  const {
    content: _content,
    modifiedAt,
    changedAt: _changed,
    inode: _inode,
    device: _device,
    extendedAttributes,
    ...rest
  } = entry;
  return {
    ...rest,
    modifiedAt: String(modifiedAt),
    ...(extendedAttributes === undefined
      ? {}
      : {
          extendedAttributes: extendedAttributes.map(({ name, value }) => ({
            name,
            value: Buffer.from(value).toString('hex'),
          })),
        }),
    ...(hash === undefined ? {} : { sha256: hash }),
  };
}
