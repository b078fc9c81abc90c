/** Bits of a pack's flags, which worker threads read in shared memory. */
export const PACK_PLAIN = 1;
/** Condemned by a collector, or known to be bad: its chunks count as absent for writers. */
export const PACK_UNUSABLE = 2;
/** No segment names it any more. Such a pack is unusable, too. */
export const PACK_GONE = 4;
