import { isUtf8 } from 'node:buffer';
import type { ByteString } from '../../core/tree-entry.ts';
import { printable } from '../../reports/table.ts';

/** A path of a tree as a person reads it: UTF-8 as text, every other byte and control characters as `\xNN`. */
export function displayPath(path: ByteString): string {
  const bytes = Buffer.from(path, 'latin1');
  if (isUtf8(bytes)) return printable(bytes.toString('utf8'));
  return printable(path).replace(NOT_ASCII, (character) => `\\x${character.charCodeAt(0).toString(16)}`);
}

/** A path of a tree in JSON. Where its bytes are no UTF-8, `pathBase64` holds them exactly. */
export function pathMembers(path: ByteString): { path: string; pathBase64?: string } {
  const bytes = Buffer.from(path, 'latin1');
  if (isUtf8(bytes)) return { path: bytes.toString('utf8') };
  return { path: displayPath(path), pathBase64: bytes.toString('base64') };
}

/** A path as somebody typed it (`/srv/data/`, `./srv`) in the form that trees use (`srv/data`). */
export function typedPath(typed: string): ByteString {
  const parts = typed.split('/').filter((part) => part !== '' && part !== '.');
  return Buffer.from(parts.join('/'), 'utf8').toString('latin1');
}

const NOT_ASCII = /[\x80-\xff]/g;
