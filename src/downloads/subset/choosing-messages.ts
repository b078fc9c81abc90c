import type { RowSelection } from '../masking/row-selection.ts';
import type { PlainKeyIndex } from './plain-key-index.ts';
import type { SubsetPlan } from './subset-plan.ts';
import type { ThreadFault } from './thread-fault.ts';

/** What the thread begins with. */
export interface ChoosingStart {
  plan: SubsetPlan;
  index: PlainKeyIndex;
}

export type ChoosingAnswer = { selection: RowSelection } | { fault: ThreadFault };
