import type { ByteString } from '../../core/tree-entry.ts';
import { printable } from './byte-path.ts';

export function changedWhileRead(path: ByteString): string {
  return `${printable(path)} changed while it was being backed up; what was read of it may be a mixture of states.`;
}
