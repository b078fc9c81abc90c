import { HoldfastError } from '../../core/errors.ts';
import type { CheckFinding } from '../../core/ports/repository-check.ts';

/** What an error says of the stored object that it names, else of `object`. Rethrows what says nothing of any (cancellation). */
export function findingOf(error: unknown, object: string, snapshotIds?: readonly string[]): CheckFinding {
  if (!(error instanceof HoldfastError) || error.kind === 'cancelled') throw error;
  const named = typeof error.details.object === 'string' ? error.details.object : object;
  return {
    severity: error.kind === 'unsupported' ? 'unsupported' : 'damage',
    code: error.code,
    object: named,
    message: error.message,
    ...(snapshotIds === undefined ? {} : { snapshotIds }),
  };
}
