import { type ErrorKind, HoldfastError } from '../../core/errors.ts';

/** What a command's end means to a script; the numbers are restic's where restic has one. */
export const ExitCode = {
  success: 0,
  failure: 1,
  usage: 2,
  /** A backup was made, but something could not be read; or a download was cut off. */
  partial: 3,
  damageFound: 4,
  /** By a server, as somebody who is not known or may not have it. */
  refused: 5,
  notFound: 6,
  /** A masking policy is not valid, or does not fit what it is for. */
  policyUnfit: 7,
  noRepository: 10,
  locked: 11,
  wrongKey: 12,
  interrupted: 130,
  /** For `restore_command`: over 125, so that PostgreSQL stops its recovery instead of ending it. */
  recoveryMustStop: 255,
  /** Whoever read the output is gone, as in `holdfast list | head`. */
  readerGone: 141,
} as const;

const CODE_OF_KIND: Readonly<Partial<Record<ErrorKind, number>>> = {
  damaged: ExitCode.damageFound,
  'no-repository': ExitCode.noRepository,
  locked: ExitCode.locked,
  'wrong-key': ExitCode.wrongKey,
  cancelled: ExitCode.interrupted,
};

/** The exit code of a command that threw. */
export function exitCodeOf(error: unknown): number {
  if (!(error instanceof HoldfastError)) return ExitCode.failure;
  if (error.code.startsWith(USAGE)) return ExitCode.usage;
  return CODE_OF_KIND[error.kind] ?? ExitCode.failure;
}

/** A command line that makes no sense. @param code the last part of the error's code, for example `target-missing` */
export function usageError(code: string, message: string): HoldfastError {
  return new HoldfastError('invalid', `${USAGE}${code}`, message);
}

const USAGE = 'usage-';
