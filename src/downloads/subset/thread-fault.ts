import { type ErrorKind, HoldfastError } from '../../core/errors.ts';

/** Why a thread gave up, as a message. */
export interface ThreadFault {
  kind: ErrorKind;
  code: string;
  message: string;
  details: Readonly<Record<string, unknown>>;
}

/** Of errors that are not Holdfast's own nothing is told: they may quote a value. */
export function faultOf(error: unknown): ThreadFault {
  if (error instanceof HoldfastError) {
    const { kind, code, message, details } = error;
    return { kind, code, message, details };
  }
  const message = 'The rows of a reduced variant could not be found out. Nothing is made of the content.';
  return { kind: 'internal', code: 'key-index-failed', message, details: {} };
}

export function errorOf({ kind, code, message, details }: ThreadFault): HoldfastError {
  return new HoldfastError(kind, code, message, { details });
}

export function threadDied(cause?: unknown): HoldfastError {
  const message =
    'The thread that finds out the rows of a reduced variant ended. The service may lack memory; its log says more.';
  return new HoldfastError('internal', 'key-index-failed', message, { cause });
}
