import type { ByteString, TreeEntry } from '../../core/tree-entry.ts';

/** A tree's entry as the API shows it. */
export function treeEntryAnswer(entry: TreeEntry) {
  const path = textOf(entry.path);
  return {
    path: path.text,
    ...(path.isExact ? {} : { pathBase64: Buffer.from(entry.path, 'latin1').toString('base64') }),
    type: entry.type,
    mode: entry.mode.toString(8).padStart(4, '0'),
    uid: entry.uid,
    gid: entry.gid,
    user: entry.user,
    group: entry.group,
    modifiedAt: rfc3339Nanoseconds(entry.modifiedAt),
    size: entry.size,
    target: entry.target === undefined ? undefined : textOf(entry.target).text,
  };
}

/** A path as a person writes it, as the byte string by which trees are searched. */
export function byteStringOf(path: string): ByteString {
  return Buffer.from(path.replace(/^\/+|\/+$/g, ''), 'utf8').toString('latin1');
}

/** Nanoseconds since 1970 as `2025-01-01T12:00:00.123456789Z`. */
export function rfc3339Nanoseconds(nanoseconds: bigint): string {
  const fraction = ((nanoseconds % SECOND) + SECOND) % SECOND;
  const milliseconds = Number((nanoseconds - fraction) / 1_000_000n);
  return new Date(milliseconds).toISOString().replace(/\.\d+Z$/, `.${fraction.toString().padStart(9, '0')}Z`);
}

const SECOND = 1_000_000_000n;

function textOf(bytes: ByteString): { text: string; isExact: boolean } {
  const buffer = Buffer.from(bytes, 'latin1');
  const text = buffer.toString('utf8');
  return { text, isExact: Buffer.from(text, 'utf8').equals(buffer) };
}
