import type { Application } from '../../core/application.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { Operation } from '../../core/operation.ts';
import type { CommandSession } from './command-session.ts';
import { startProgress } from './progress-display.ts';

/**
 * Waits for an operation that runs in this process, shows its progress, and cancels it when the user interrupts.
 *
 * @returns the operation, completed
 * @throws HoldfastError with the operation's own code where it failed; `interrupted` (cancelled)
 */
export async function followOperation(
  application: Application,
  operation: Operation,
  session: CommandSession,
): Promise<Operation> {
  const ended = await endOfOperation(application, operation, session);
  if (ended.status === 'completed') return ended;
  throw failureOf(ended, session);
}

/** As `followOperation`; an operation that failed or was cancelled is returned as well. */
export async function endOfOperation(
  application: Application,
  operation: Operation,
  session: CommandSession,
): Promise<Operation> {
  const display = startProgress(operation.kind, session.output.options);
  const cancel = () => {
    application.operations.cancel(operation.id).catch(() => {
      // It ended in the meantime; how it ended is what counts.
    });
  };
  if (session.signal.aborted) cancel();
  session.signal.addEventListener('abort', cancel, { once: true });
  try {
    let latest = operation;
    for await (const state of application.operations.watch(operation.id, new AbortController().signal)) {
      latest = state;
      display.report(state.progress);
    }
    return latest;
  } finally {
    session.signal.removeEventListener('abort', cancel);
    display.end();
  }
}

/** Why an operation did not complete, to be thrown. */
export function failureOf(operation: Operation, session: CommandSession): unknown {
  if (operation.status === 'cancelled') {
    return session.signal.aborted
      ? session.signal.reason
      : new HoldfastError('cancelled', 'operation-cancelled', `The ${operation.kind} was cancelled.`);
  }
  const { code, message, kind } = operation.error ?? {
    code: 'operation-failed',
    message: `The ${operation.kind} ended as ${operation.status} without a reason.`,
  };
  return new HoldfastError(kind ?? 'internal', code, message);
}
