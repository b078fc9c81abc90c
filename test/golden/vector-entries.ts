import type { TreeEntry } from '../../src/core/tree-entry.ts';

const common = { mode: 0o644, uid: 1000, gid: 1000 };

/** The entries of docs/test-vectors.json, in the code's terms. */
export const VECTOR_ENTRIES: { describes: string; entry: TreeEntry }[] = [
  {
    describes: 'file "a/b" with 2 inline bytes "hi"; mode 0644; owner 1000:1000, user "ada"; mtime 1763690123456789012',
    entry: {
      ...common,
      path: 'a/b',
      type: 'file',
      user: 'ada',
      modifiedAt: 1_763_690_123_456_789_012n,
      size: 2,
      content: { inline: Buffer.from('hi') },
    },
  },
  {
    describes:
      'file "big" of 4196 bytes: a chunk with id 32 × 0x11 of 100 bytes, a hole of 4096; hard link group "2049:7"; attribute "user.a" = 00 ff',
    entry: {
      ...common,
      path: 'big',
      type: 'file',
      modifiedAt: 0n,
      size: 4196,
      content: {
        segments: [
          { id: Buffer.alloc(32, 0x11), length: 100 },
          { id: null, length: 4096 },
        ],
      },
      hardLinkGroup: '2049:7',
      extendedAttributes: [{ name: 'user.a', value: Buffer.from([0, 255]) }],
    },
  },
  {
    describes: 'file "huge" of 5000 bytes in pages: depth 1, one page with id 32 × 0x22',
    entry: {
      ...common,
      path: 'huge',
      type: 'file',
      modifiedAt: 1n,
      size: 5000,
      content: { depth: 1, pages: [{ id: Buffer.alloc(32, 0x22), length: 5000 }] },
    },
  },
  {
    describes:
      'symbolic link whose name is the bytes e9 ff, to "../x"; mtime one second before 1970; ctime 5, inode 18446744073709551615, device 2049',
    entry: {
      ...common,
      path: '\u00e9\u00ff',
      type: 'symlink',
      target: '../x',
      modifiedAt: -1_000_000_000n,
      changedAt: 5n,
      inode: 18_446_744_073_709_551_615n,
      device: 2049n,
    },
  },
  {
    describes: 'block device "sda" 8:0',
    entry: { ...common, path: 'sda', type: 'block-device', modifiedAt: 0n, deviceMajor: 8, deviceMinor: 0 },
  },
];
