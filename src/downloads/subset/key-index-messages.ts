import type { ContentDialect } from '../content/content-schema.ts';
import type { PlainKeyIndex } from './plain-key-index.ts';
import type { SubsetPlan } from './subset-plan.ts';
import type { ThreadFault } from './thread-fault.ts';

/** What the thread begins with. */
export interface IndexStart {
  dialect: ContentDialect;
  plan: SubsetPlan;
}

/** `give-up`: it leaves nothing behind, and ends. */
export type IndexMessage = { kind: 'piece'; bytes: Uint8Array<ArrayBuffer> } | { kind: 'end' } | { kind: 'give-up' };

export type IndexAnswer =
  | { kind: 'more' }
  | { kind: 'index'; index: PlainKeyIndex }
  | { kind: 'fault'; fault: ThreadFault };
