/** Bytes from which on files are treated in another way. Tests choose small ones. */
export interface FilesSizes {
  /** Files up to this size are read and written whole, many in one task. */
  small: number;
  /** What one task reads of a larger file; the tasks of a file run in parallel. */
  segment: number;
  /** How far after a segment's nominal start its true one is looked for; less than `segment`. */
  search: number;
  /** Plain bytes of a larger file that one task writes. */
  restoreTask: number;
}

export const DEFAULT_SIZES: FilesSizes = {
  small: 1024 * 1024,
  segment: 64 * 1024 * 1024,
  search: 8 * 1024 * 1024,
  restoreTask: 32 * 1024 * 1024,
};
