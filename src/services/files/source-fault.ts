import { messageOf, systemErrorCode } from '../../core/errors.ts';
import type { ByteString } from '../../core/tree-entry.ts';
import { printable } from './byte-path.ts';

/** What kept one file from being read. The backup goes on without it and says so. */
export interface SourceFault {
  code: string;
  message: string;
}

class SourceFaultError extends Error {
  readonly fault: SourceFault;

  constructor(fault: SourceFault, cause: unknown) {
    super(fault.message, { cause });
    this.name = 'SourceFaultError';
    this.fault = fault;
  }
}

/**
 * Runs a system call on what is being backed up. Only errors of such calls are faults of one file: the same error from the
 * repository's storage must end the backup.
 */
export function fromSource<Result>(call: () => Result): Result {
  try {
    return call();
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === undefined || FAULTS_OF_THE_PROCESS.has(code)) throw error;
    throw new SourceFaultError({ code, message: messageOf(error) }, error);
  }
}

/** The fault that `fromSource` threw, or undefined for any other error. */
export function sourceFaultOf(error: unknown): SourceFault | undefined {
  return error instanceof SourceFaultError ? error.fault : undefined;
}

export function hasVanished({ code }: SourceFault): boolean {
  return code === 'ENOENT' || code === 'ENOTDIR' || code === 'ESTALE';
}

export function faultWarning(path: ByteString, fault: SourceFault): string {
  return hasVanished(fault)
    ? `${printable(path)} vanished while it was being backed up; it is not in this backup.`
    : `${printable(path)} could not be read and is not in this backup: ${fault.message}`;
}

export function changedWhileRead(path: ByteString): string {
  return `${printable(path)} changed while it was being backed up; what was read of it may be a mixture of states.`;
}

/** They would hit every file: the backup fails, and may be tried again. */
const FAULTS_OF_THE_PROCESS = new Set(['EMFILE', 'ENFILE', 'ENOMEM']);
