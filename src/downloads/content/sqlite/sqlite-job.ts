import type { ErrorKind } from '../../../core/errors.ts';
import type { CanaryCounts } from '../../masking/masking-run.ts';
import type { TablePlan, VariantPlan } from '../../variant-plan.ts';
import type { ContentSchema } from '../content-schema.ts';
import type { SelectionCopy } from './selection-copy.ts';

/** What the process that opens databases is asked to do, once. Plain data. */
export type SqliteJob =
  | { kind: 'schema'; source: string }
  | { kind: 'scan'; source: string }
  | {
      kind: 'rewrite';
      source: string;
      target: string;
      tables: readonly TablePlan[];
      key: Uint8Array;
      selection: SelectionCopy | undefined;
      /** Absent: no canary looks. */
      detectors?: VariantPlan['detectors'];
    };

export interface TableResult {
  table: string;
  rowsIn: number;
  rowsOut: number;
}

/** What the process says. It waits for an answer to `begin` and `rows`. */
export type FromSqlite =
  | { kind: 'schema'; schema: ContentSchema }
  | { kind: 'begin'; table: string; columns: readonly string[] }
  | { kind: 'rows'; table: string; firstOrdinal: number; rows: readonly (readonly (string | null)[])[] }
  | { kind: 'end'; table: string; rows: number }
  | { kind: 'written'; tables: readonly TableResult[]; canary?: CanaryCounts }
  | { kind: 'scanned' }
  /** It goes on. `quietSeconds`: how long it may be silent from now on. */
  | { kind: 'alive'; quietSeconds: number }
  | {
      kind: 'failed';
      error: { kind: ErrorKind; code: string; message: string; details: Readonly<Record<string, unknown>> };
    };

export type ToSqlite =
  | { kind: 'job'; job: SqliteJob }
  | { kind: 'wanted'; columns: readonly number[] | undefined }
  | { kind: 'more' };
