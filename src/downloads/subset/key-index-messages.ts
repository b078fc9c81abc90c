import type { ContentDialect } from '../content/content-schema.ts';
import type { IndexParts } from './key-index-builder.ts';
import type { PlainIndex } from './plain-index.ts';
import type { SubsetPlan } from './subset-plan.ts';
import type { ThreadFault } from './thread-fault.ts';

/** What the thread begins with. */
export interface IndexStart {
  dialect: ContentDialect;
  plan: SubsetPlan;
  parts: IndexParts;
  /** What comes is the archive that the content is made of. */
  isArchive: boolean;
}

/** `give-up`: it leaves nothing behind, and ends. */
export type IndexMessage =
  | { kind: 'piece'; memory: ArrayBuffer; length: number }
  | { kind: 'end' }
  | { kind: 'give-up' };

export type IndexAnswer =
  /** A piece was read; its memory may be used again. */
  { kind: 'more'; memory: ArrayBuffer } | { kind: 'index'; index: PlainIndex } | { kind: 'fault'; fault: ThreadFault };
