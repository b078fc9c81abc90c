import type { ByteString } from '../../core/tree-entry.ts';

export function toByteString(text: string): ByteString {
  return Buffer.from(text, 'utf8').toString('latin1');
}

/** A stored path for people: UTF-8 where it is that. */
export function printable(path: ByteString): string {
  return `/${Buffer.from(path, 'latin1').toString('utf8')}`;
}

/** A stored path as Node's file functions take it. */
export function asPath(path: ByteString): Buffer {
  return Buffer.from(`/${path}`, 'latin1');
}

/** Whether `path` is `ancestor` or lies below it; everything lies below `''`. */
export function isBelow(path: ByteString, ancestor: ByteString): boolean {
  return ancestor === '' || path === ancestor || path.startsWith(`${ancestor}/`);
}
