import { type ErrorKind, HoldfastError } from '../../core/errors.ts';

/** The way from a question to the bytes; each step fails with a code of its own. */
export type Step = 'finding' | 'passphrase' | 'object' | 'decoding';

/**
 * What went wrong, for the operator: may name servers, paths and buckets, never a secret. It becomes the cause of the error that a
 * developer sees.
 */
export class StepFault extends Error {
  readonly kind: ErrorKind;

  constructor(kind: ErrorKind, message: string, options: { cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'StepFault';
    this.kind = kind;
  }
}

const WORDING: Record<Step, { code: string; message: string }> = {
  finding: {
    code: 'external-finding-failed',
    message: 'The list of backups cannot be had: what knows of them does not answer, or not as it should.',
  },
  passphrase: {
    code: 'external-passphrase-failed',
    message: 'What decrypts the backups could not be fetched.',
  },
  object: { code: 'external-object-failed', message: 'The backup could not be read to its end where it is kept.' },
  decoding: {
    code: 'external-decoding-failed',
    message: 'The backup could not be decrypted or decompressed to its end. Do not use what came of it.',
  },
};

/** What a developer can make something of; that Holdfast itself is refused somewhere is no refusal of the developer. */
const TOLD_KINDS: ReadonlySet<ErrorKind> = new Set(['not-found', 'damaged', 'too-large', 'unsupported', 'wrong-key']);

const ADVICE = 'The log of Holdfast has the reason: ask the operator, who can run "holdfast resource test" too.';

/** An error fit for everybody, with all that is known as its cause. A cancellation passes as it is. */
export function stepFailure(step: Step, cause: unknown, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  if (isStepped(cause)) return cause;
  const { code, message } = WORDING[step];
  const kind = cause instanceof StepFault || cause instanceof HoldfastError ? cause.kind : 'unavailable';
  const isTold = TOLD_KINDS.has(kind) && (kind !== 'not-found' || step === 'object');
  return new HoldfastError(isTold ? kind : 'unavailable', code, `${message} ${ADVICE}`, {
    cause,
    details: { step },
  });
}

/** Does a step, and makes its failure one for everybody. */
export async function inStep<Result>(step: Step, signal: AbortSignal, work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw stepFailure(step, error, signal);
  }
}

/** What the operator is told: the innermost words that were meant for somebody, one after the other. */
export function fullReason(error: unknown): string {
  const messages: string[] = [];
  for (let each = isStepFailure(error) ? error.cause : error; each instanceof Error; each = each.cause)
    if (!messages.includes(each.message)) messages.push(each.message);
  return messages.length === 0 ? String(error) : messages.join(' ');
}

function isStepped(error: unknown): boolean {
  return error instanceof HoldfastError && error.code.startsWith('external-');
}

function isStepFailure(error: unknown): error is HoldfastError {
  return error instanceof HoldfastError && Object.values(WORDING).some(({ code }) => code === error.code);
}
