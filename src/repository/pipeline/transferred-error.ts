import { HoldfastError, systemErrorCode } from '../../core/errors.ts';
import type { TransferredError } from './messages.ts';

export function toTransferredError(error: unknown): TransferredError {
  if (error instanceof HoldfastError) {
    return { message: error.message, kind: error.kind, code: error.code, details: error.details, ...stackOf(error) };
  }
  if (error instanceof Error) return { message: error.message, ...codeOf(error), ...stackOf(error) };
  return { message: String(error) };
}

export function fromTransferredError(transferred: TransferredError): Error {
  const { message, kind, code, details, stack } = transferred;
  const error =
    kind !== undefined && code !== undefined
      ? new HoldfastError(kind, code, message, details === undefined ? {} : { details })
      : Object.assign(new Error(message), code === undefined ? {} : { code });
  if (stack !== undefined) error.stack = stack;
  return error;
}

function stackOf(error: Error): { stack?: string } {
  return error.stack === undefined ? {} : { stack: error.stack };
}

function codeOf(error: Error): { code?: string } {
  const code = systemErrorCode(error);
  return code === undefined ? {} : { code };
}
