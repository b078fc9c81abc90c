import type { ByteString } from '../../core/tree-entry.ts';

/** Whether a relative path stays below where it begins: no empty, `.` or `..` component and no zero byte. */
export function isSafePath(path: ByteString): boolean {
  return (
    !path.includes('\0') &&
    path.split('/').every((component) => component !== '' && component !== '.' && component !== '..')
  );
}
