import type { ErrorKind } from '../../core/errors.ts';
import type { ContentDialect } from '../content/content-schema.ts';
import type { KeyIndex } from './key-index.ts';
import type { SubsetPlan } from './subset-plan.ts';

/** What the thread begins with. */
export interface IndexStart {
  dialect: ContentDialect;
  plan: SubsetPlan;
}

export type IndexMessage = { kind: 'piece'; bytes: Uint8Array<ArrayBuffer> } | { kind: 'end' };

export type IndexAnswer =
  | { kind: 'more' }
  | { kind: 'index'; index: Omit<KeyIndex, 'roots'> & { roots: readonly PlainRoot[] } }
  | {
      kind: 'fault';
      error: { kind: ErrorKind; code: string; message: string; details: Readonly<Record<string, unknown>> };
    };

export interface PlainRoot {
  chosen?: { bytes: Uint8Array<SharedArrayBuffer>; rows: number };
  sorting?: Float64Array;
}
