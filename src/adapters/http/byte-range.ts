import type { ByteRange } from '../../core/download.ts';

/**
 * The only range of bytes that a header asks for (RFC 9110, 14.2).
 * @returns undefined where the whole is to be given: no header, another unit, several ranges, or nonsense
 */
export function requestedRange(header: string | undefined, length: number): ByteRange | 'unsatisfiable' | undefined {
  const [, from = '', to = ''] = /^bytes=\s*(\d*)-(\d*)\s*$/i.exec(header ?? '') ?? [];
  if (from === '' && to === '') return undefined;
  if (from === '') {
    const suffix = Math.min(Number(to), length);
    return suffix === 0 ? 'unsatisfiable' : { offset: length - suffix, length: suffix };
  }
  const offset = Number(from);
  if (to !== '' && Number(to) < offset) return undefined;
  if (offset >= length) return 'unsatisfiable';
  const end = to === '' ? length - 1 : Math.min(Number(to), length - 1);
  return { offset, length: end - offset + 1 };
}
