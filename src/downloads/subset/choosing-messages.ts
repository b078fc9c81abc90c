import type { RowSelection } from '../masking/row-selection.ts';
import type { PlainIndex } from './plain-index.ts';
import type { SubsetPlan } from './subset-plan.ts';
import type { ThreadFault } from './thread-fault.ts';

/** What the thread begins with. */
export interface ChoosingStart {
  plan: SubsetPlan;
  index: PlainIndex;
}

export type ChoosingAnswer = { selection: RowSelection } | { fault: ThreadFault };
