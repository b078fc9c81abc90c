import { readSync } from 'node:fs';
import { endianness } from 'node:os';
import { HoldfastError } from '../../core/errors.ts';
import { type WalChecksum, walChecksum } from './wal-checksum.ts';

/** How far a write-ahead log goes for those who begin to read now. */
export interface WalIndex {
  /** Hex; other ones each time that the log begins anew. */
  salts: string;
  /** The last frame that is committed and visible. */
  lastFrame: number;
  /** The log's running checksum up to `lastFrame`. */
  checksum: WalChecksum;
  pageSize: number;
  /** Pages of the database after `lastFrame`. */
  pageCount: number;
  /** Frames that a checkpoint has brought into the database file. */
  backfilled: number;
}

/**
 * Reads the header of a `-shm` file, which says what is committed: frames may lie in the log beyond it, of a writer that died
 * or goes on. The format: https://www.sqlite.org/walformat.html#the_wal_index_header
 *
 * @param descriptor of the `-shm` file. Whoever has the database open in this process must be done before it is closed, since
 * closing it ends all of the process's locks on the file
 * @returns undefined where a process died while it wrote the header; whoever reads the database next mends it
 * @throws HoldfastError `log-index-unknown` (unsupported)
 */
export function readWalIndex(descriptor: number): WalIndex | undefined {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const bytes = Buffer.alloc(INDEX_BYTES);
    readSync(descriptor, bytes, 0, INDEX_BYTES, 0);
    const header = bytes.subarray(0, COPY_BYTES);
    // It is written twice, so that a reader sees when a writer is in the midst of it.
    if (!header.equals(bytes.subarray(COPY_BYTES, 2 * COPY_BYTES))) continue;
    const [first, second] = walChecksum(header.subarray(0, 40), LITTLE_ENDIAN);
    const view = new DataView(bytes.buffer, bytes.byteOffset, INDEX_BYTES);
    const number = (offset: number): number => view.getUint32(offset, LITTLE_ENDIAN);
    if (header[12] !== 1 || first !== number(40) || second !== number(44)) continue;
    if (number(0) !== FORMAT) throw unknownFormat(number(0));
    const pageSize = view.getUint16(14, LITTLE_ENDIAN);
    return {
      salts: header.toString('hex', 32, 40),
      lastFrame: number(16),
      checksum: [number(24), number(28)],
      pageSize: pageSize === 1 ? 65_536 : pageSize,
      pageCount: number(20),
      backfilled: number(96),
    };
  }
  return undefined;
}

const LITTLE_ENDIAN = endianness() === 'LE';
const COPY_BYTES = 48;
const INDEX_BYTES = 136;
const FORMAT = 3_007_000;
const ATTEMPTS = 1000;

function unknownFormat(found: number): HoldfastError {
  return new HoldfastError(
    'unsupported',
    'log-index-unknown',
    `The write-ahead log has an index of the format ${found}, which Holdfast does not know. Back up the database without \`log\`, and report this.`,
  );
}
