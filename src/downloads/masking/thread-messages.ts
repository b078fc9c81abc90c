import type { ErrorKind } from '../../core/errors.ts';
import type { TablePlan, VariantPlan } from '../variant-plan.ts';
import type { WatchedColumn } from './canary-probe.ts';
import type { CanaryMemory } from './masking-run.ts';
import type { RowSource } from './row-format.ts';
import type { RowSelection } from './row-selection.ts';

/** What a worker thread begins with. */
export interface ThreadStart {
  tables: readonly TablePlan[];
  key: Uint8Array;
  selection?: RowSelection;
  canary?: { memory: CanaryMemory; detectors: VariantPlan['detectors'] };
}

/** `source` is known by its number from the first block on that comes with it. */
export interface BlockMessage {
  source: number;
  introduces?: RowSource;
  bytes: Uint8Array<ArrayBuffer>;
  firstOrdinal: number;
  /** Whether the canary looks at what becomes of it. */
  isWatched: boolean;
}

/** Blocks are answered in the order in which they came. */
export type BlockAnswer = MaskedRows | { fault: BlockFault };

export interface MaskedRows {
  bytes: Uint8Array<ArrayBuffer>;
  rowsIn: number;
  rowsOut: number;
  watched?: readonly WatchedColumn[];
}

/** Never holds a value. */
export interface BlockFault {
  /** Within the block, from 0; undefined where it is no row's fault. */
  row: number | undefined;
  /** What is wrong, within a sentence. */
  what?: string;
  error?: { kind: ErrorKind; code: string; message: string; details: Readonly<Record<string, unknown>> };
}
