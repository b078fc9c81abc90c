import type { ArchiveBytes } from '../src/core/ports/service-download.ts';
import { chunked } from './variant-rig.ts';

/**
 * An archive as a backup gives it, whole or in parts.
 *
 * @param sizes of its pieces in bytes, in turn
 * @param read is told how many bytes were read where parts alone were
 */
export function archiveInMemory(archive: Buffer, sizes: readonly number[], read: number[] = []): ArchiveBytes {
  return {
    length: archive.length,
    bytes: () => chunked(archive, ...sizes),
    parts: (bounds) => {
      const parts = Buffer.concat(
        [...bounds].flatMap((from, at) => (at % 2 === 0 ? [archive.subarray(from, bounds[at + 1])] : [])),
      );
      read.push(parts.length);
      return chunked(parts, ...sizes);
    },
  };
}
