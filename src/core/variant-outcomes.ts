import { createHash } from 'node:crypto';
import { HoldfastError, isTransient, systemErrorCode } from './errors.ts';
import type { ManagerContext } from './manager-context.ts';
import type { DeclaredVariant } from './ports/variant-maker.ts';
import type { VariantBlock, VariantEnd } from './variant.ts';

/** Which variant of which snapshot it is about. */
export interface VariantSubject {
  resourceId: string;
  snapshotId: string;
  variant: string;
  /** Of the `DeclaredVariant`. */
  fingerprint: string;
}

/** Original values were found in what had been masked. */
export const LEAK_CODE = 'variant-leaks';

/** Of policies and of the keys that they refer to. What these say is for whoever runs the service: it names files, and where keys are. */
const POLICY_CODES: ReadonlySet<string> = new Set([
  'masking-policy-unusable',
  'masking-policy-invalid',
  'masking-policies-unreadable',
  'masking-key-too-short',
  'secret-missing',
  'secret-in-configuration',
]);

/** Failures that are of the moment, or of what somebody asked for, and say nothing of the variant. */
const PASSING_CODES: ReadonlySet<string> = new Set([
  ...POLICY_CODES,
  'download-choice-invalid',
  'variant-source-gone',
  'variant-changed',
  'variant-verifier-missing',
  'enospc',
]);

/** How productions of variants ended: remembers what is wrong with which one, alerts people, tells metrics. */
export class VariantOutcomes {
  readonly #context: ManagerContext;
  readonly #listeners: ((end: VariantEnd) => void)[] = [];

  constructor(context: ManagerContext) {
    this.#context = context;
  }

  listen(listener: (end: VariantEnd) => void): void {
    this.#listeners.push(listener);
  }

  /** What is known to be wrong with it, as the policy is now. */
  async blockOf(subject: VariantSubject): Promise<VariantBlock | undefined> {
    const block = await this.#context.catalogue.variantBlocks.get(blockId(subject));
    return block?.fingerprint === subject.fingerprint ? block : undefined;
  }

  /** @returns false where nothing was known to be wrong with it */
  async forget(subject: Omit<VariantSubject, 'fingerprint'>): Promise<boolean> {
    return this.#context.catalogue.variantBlocks.delete(blockId(subject));
  }

  async made(subject: VariantSubject): Promise<void> {
    await this.mended(subject);
    this.#publish('made', subject);
  }

  /** What was wrong with it is so no more; a leak that another one found meanwhile stays. */
  async mended(subject: VariantSubject): Promise<void> {
    if (!(await this.#hasLeaked(subject))) await this.forget(subject);
  }

  /** Remembers a failure that is the variant's own, and tells people of it, once. */
  async failed(subject: VariantSubject, error: HoldfastError): Promise<void> {
    const isLeak = error.code === LEAK_CODE;
    const isOfVariant = isLasting(error);
    this.#publish(isLeak ? 'leaked' : isOfVariant ? 'blocked' : 'unavailable', subject);
    const before = isOfVariant ? await this.blockOf(subject) : undefined;
    if (before?.code === error.code && before.message === error.message) return;
    if (isOfVariant && (isLeak || before?.code !== LEAK_CODE)) await this.#remember(subject, error);
    const { resourceId, snapshotId, variant } = subject;
    const what = `the variant "${variant}" of ${snapshotId} of ${resourceId}`;
    await this.#context.notifier.notify({
      type: isLeak ? 'variant-leaked' : 'variant-failed',
      subject: resourceId,
      message: isLeak
        ? `Original values were found in ${what}. It was withdrawn. ${error.message}`
        : `Making ${what} failed: ${error.message}`,
      details: { snapshotId, variant, code: error.code },
    });
  }

  async #hasLeaked(subject: VariantSubject): Promise<boolean> {
    return (await this.blockOf(subject))?.code === LEAK_CODE;
  }

  async #remember(subject: VariantSubject, { code, message, details }: HoldfastError): Promise<void> {
    const problems = Array.isArray(details.problems) ? (details.problems as unknown[]) : [];
    await this.#context.catalogue.variantBlocks.put({
      ...subject,
      ...{ id: blockId(subject), code, message, problems },
      createdAt: this.#context.clock.now().toISOString(),
    });
  }

  #publish(outcome: VariantEnd['outcome'], { resourceId, variant }: VariantSubject): void {
    for (const listener of this.#listeners) listener({ outcome, resourceId, variant });
  }
}

/** That original values came out is told also when whoever began it has gone meanwhile. */
export function isToBeTold(error: unknown, signal: AbortSignal): error is HoldfastError {
  return error instanceof HoldfastError && (!signal.aborted || error.code === LEAK_CODE);
}

/** Whether it is the variant's own failure, and would be the same the next time. */
export function isLasting(error: HoldfastError): boolean {
  return !isTransient(error) && error.kind !== 'cancelled' && !PASSING_CODES.has(error.code);
}

/** One for each variant of each snapshot. */
export function blockId({ resourceId, snapshotId, variant }: Omit<VariantSubject, 'fingerprint'>): string {
  const text = JSON.stringify([resourceId, snapshotId, variant]);
  return createHash('sha256').update(text).digest('hex').slice(0, 32);
}

/** The answer to whoever asks for what is known to be impossible. */
export function blockedError(block: VariantBlock): HoldfastError {
  const { code, problems, variant, createdAt } = block;
  const said = reasonOf(block);
  const next = 'Whoever runs this service can mend the policy, or have it made again.';
  return new HoldfastError(
    'unsupported',
    'variant-blocked',
    `The variant "${variant}" cannot be had. ${said} ${next}`,
    {
      details: { variant, cause: code, problems, since: createdAt },
    },
  );
}

/** Why it cannot be had, in a sentence. */
export function reasonOf({ code, message }: VariantBlock): string {
  return code === LEAK_CODE ? `A check found original values in it, so that it was withdrawn. ${message}` : message;
}

/** A variant whose policy can be used. @throws HoldfastError `masking-policy-unusable` (unsupported), for whoever runs the service */
export function withFingerprint(
  declared: DeclaredVariant,
  resourceId: string,
): DeclaredVariant & { fingerprint: string } {
  const { name, fingerprint, fault } = declared;
  if (fingerprint !== undefined && fault === undefined) return { ...declared, fingerprint };
  const message = `The variant "${name}" of ${resourceId} cannot be made, because its masking policy cannot be used: ${fault ?? 'it cannot be read.'}`;
  throw new HoldfastError('unsupported', 'masking-policy-unusable', message, { details: { variant: name } });
}

/** What they are told who may have a variant of a policy that cannot be used. */
export function policyFaultOf(resourceId: string): string {
  return `The masking policy of ${resourceId} cannot be used at the moment. Whoever runs this service finds the reason in its log, or by "holdfast variant list ${resourceId}".`;
}

/** The same for whoever downloads: what is the matter with a policy stays the `cause`, for log and audit. */
export function toldToReaders(
  error: unknown,
  { resourceId, variant, formats }: { resourceId: string; variant: string; formats?: readonly string[] },
): unknown {
  if (!(error instanceof HoldfastError) || !POLICY_CODES.has(error.code)) return error;
  const code = error.code === 'masking-policy-unusable' ? 'variant-blocked' : error.code;
  const message = `The variant "${variant}" cannot be had. ${policyFaultOf(resourceId)}`;
  return new HoldfastError(error.kind, code, message, {
    details: { variant, ...(formats === undefined ? {} : { formats }) },
    cause: error,
  });
}

/** What `toldToReaders` left out. */
export function untoldFault(error: unknown): string | undefined {
  const cause = error instanceof HoldfastError ? error.cause : undefined;
  return cause instanceof HoldfastError && POLICY_CODES.has(cause.code) ? cause.message : undefined;
}

/** What nobody foresaw may quote the data that it stumbled over: only its sort is told, here and in logs. */
export function withoutValues(error: unknown, signal: AbortSignal): unknown {
  if (error instanceof HoldfastError) return error;
  if (signal.aborted) return signal.reason;
  const code = systemErrorCode(error);
  const kind = isTransient(error) ? 'unavailable' : 'internal';
  const sort = code ?? (error instanceof Error ? error.name : typeof error);
  const message = `Making it failed for a reason that Holdfast did not foresee (${sort}). What it says is left out: it may hold data.`;
  return new HoldfastError(kind, code === undefined ? 'variant-failed' : code.toLowerCase(), message);
}
