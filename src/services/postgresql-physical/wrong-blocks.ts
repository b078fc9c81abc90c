import { pageChecksum } from './page-checksum.ts';

export interface PageRules {
  pageBytes: number;
  /** LSN: pages that changed since are made whole by WAL, so they may be torn. */
  startLsn: bigint;
}

/**
 * Numbers of pages whose checksum is wrong, the first ten. As the server decides (verify_page_checksum in basebackup.c): new pages have
 * none yet, newer ones may be torn.
 *
 * @param bytes whole pages; what is left at the end is not looked at
 * @param firstBlock number of the first one in its relation
 */
export function findWrongBlocks(bytes: Uint8Array, firstBlock: number, { pageBytes, startLsn }: PageRules): number[] {
  const wrong: number[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at + pageBytes <= bytes.length; at += pageBytes) {
    // pd_upper is zero in a page that was never initialised.
    if (view.getUint16(at + 14, true) === 0) continue;
    const lsn = (BigInt(view.getUint32(at, true)) << 32n) | BigInt(view.getUint32(at + 4, true));
    if (lsn >= startLsn) continue;
    const block = firstBlock + at / pageBytes;
    if (pageChecksum(bytes.subarray(at, at + pageBytes), block) !== view.getUint16(at + 8, true)) wrong.push(block);
    if (wrong.length >= MOST_WRONG_BLOCKS) break;
  }
  return wrong;
}

const MOST_WRONG_BLOCKS = 10;
