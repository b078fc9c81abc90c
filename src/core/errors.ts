/** What sort of failure an error is. Adapters turn a kind into an HTTP status or an exit code; nothing else decides one. */
export type ErrorKind =
  | 'invalid'
  | 'unauthenticated'
  | 'denied'
  | 'not-found'
  | 'conflict'
  | 'too-large'
  | 'too-many'
  | 'unsupported'
  | 'wrong-key'
  | 'no-repository'
  | 'locked'
  | 'damaged'
  | 'unavailable'
  | 'cancelled'
  | 'internal';

export interface ErrorOptions {
  cause?: unknown;
  /** Facts a program may want (ids, positions, limits). Never a secret. */
  details?: Readonly<Record<string, unknown>>;
}

/**
 * Every failure Holdfast reports on purpose.
 *
 * `code` is stable and kebab-case: it becomes the last part of the problem's `type` and is what scripts match on.
 * `message` says what happened and what to do next, in whole sentences, without secrets.
 */
export class HoldfastError extends Error {
  readonly kind: ErrorKind;
  readonly code: string;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(kind: ErrorKind, code: string, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'HoldfastError';
    this.kind = kind;
    this.code = code;
    this.details = options.details ?? {};
  }
}

/** True for faults that may pass by themselves (a busy disk, a storage that answers 503): work that met one is tried again. */
export function isTransient(error: unknown): boolean {
  if (error instanceof HoldfastError) return error.kind === 'unavailable';
  const code = systemErrorCode(error);
  return code !== undefined && TRANSIENT_SYSTEM_CODES.has(code);
}

/** Waits for what may not exist. @returns undefined where that is so */
export async function unlessNotFound<Item>(item: Promise<Item>): Promise<Item | undefined> {
  try {
    return await item;
  } catch (error) {
    if (error instanceof HoldfastError && error.kind === 'not-found') return undefined;
    throw error;
  }
}

/** The errno name (`ENOSPC`, `EACCES` …) of a Node.js system error, or undefined. */
export function systemErrorCode(error: unknown): string | undefined {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return undefined;
}

/** The message of anything that was thrown, on one line. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

const TRANSIENT_SYSTEM_CODES = new Set([
  'EAGAIN',
  'EBUSY',
  'EMFILE',
  'ENFILE',
  'EINTR',
  'ECONNRESET',
  'ECONNREFUSED',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
]);
