import { HoldfastError } from '../core/errors.ts';

/** Where a page ended: the ordering columns of its last row. Opaque to callers. */
export function encodeCursor(parts: readonly string[]): string {
  return Buffer.from(JSON.stringify(parts)).toString('base64url');
}

/** @throws HoldfastError `cursor-invalid` (invalid) */
export function decodeCursor(cursor: string, length: number): string[] {
  try {
    const parts: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
    if (Array.isArray(parts) && parts.length === length && parts.every((part) => typeof part === 'string'))
      return parts;
  } catch {
    // Not even JSON: the same answer as below.
  }
  throw cursorInvalid();
}

export function cursorInvalid(): HoldfastError {
  return new HoldfastError(
    'invalid',
    'cursor-invalid',
    'This cursor was not made by Holdfast. Use the one from the page before, unchanged, or begin without one.',
  );
}
