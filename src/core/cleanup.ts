import type { RetentionPlan } from './application.ts';
import type { Backup } from './backup.ts';
import { removeBackup } from './backup-removal.ts';
import { HoldfastError, messageOf } from './errors.ts';
import { expireLog } from './log-expiry.ts';
import type { ManagerContext } from './manager-context.ts';
import type { RetentionRules } from './policy.ts';
import { planRetention } from './retention.ts';
import { hourBefore } from './ticket-manager.ts';
import { expireVariants } from './variant-expiry.ts';

export interface CleanupReport {
  forgotten: readonly string[];
  /** Backups that are still there. */
  kept: number;
  errors: readonly string[];
}

const IDEMPOTENCY_HOURS = 24;
const DAY = 86_400_000;

/**
 * Forgets what has expired, then what policies no longer want. One backup that cannot be forgotten stops nothing else: what
 * went wrong is collected, logged and told.
 * @param signal ends it between two steps: the next cleanup does the rest
 */
export async function cleanUpEverything(
  context: ManagerContext,
  by: string,
  signal?: AbortSignal,
): Promise<CleanupReport> {
  const round = new CleanupRound(context, by, signal);
  await round.step('forgetting expired backups', () => round.forgetExpired());
  await round.step('applying policies', () => round.applyPolicies());
  await round.step('expiring logs', () => round.expireLogs());
  await round.step('expiring variants', () => round.expireVariants());
  await round.step('deleting old operations', () => round.deleteOldOperations());
  await round.step('expiring idempotency keys', () => round.expireIdempotencyKeys());
  await round.step('expiring tickets', () => round.expireTickets());
  const kept = await context.catalogue.backups.count({});
  if (round.forgotten.length > 0) {
    context.logger.info({ forgotten: round.forgotten.length, kept, by }, 'cleanup forgot backups');
  }
  if (round.errors.length > 0) {
    await context.notifier.notify({
      type: 'cleanup-failed',
      subject: 'cleanup',
      message: `Cleanup met ${round.errors.length} errors: ${round.errors[0]}`,
      details: { errors: round.errors.slice(0, 20) },
    });
  }
  return { forgotten: round.forgotten, kept, errors: round.errors };
}

/** What a policy makes of a resource's backups now. */
export async function planFor(
  context: ManagerContext,
  resourceId: string,
  rules: RetentionRules,
  timeZone: string,
): Promise<RetentionPlan> {
  return planRetention(await context.catalogue.backups.allOf(resourceId), rules, timeZone, context.clock.now());
}

/**
 * Forgets what a plan does not keep, deltas before what they build on. A backup that came after the plan and builds on one of
 * them keeps it: that is reported as the error it is.
 * @throws HoldfastError `policy-keeps-nothing` (conflict) where backups exist and none would stay
 */
export async function carryOut(
  context: ManagerContext,
  resourceId: string,
  plan: RetentionPlan,
  reason: string,
): Promise<readonly string[]> {
  requireSomeKept(resourceId, plan);
  const gone: string[] = [];
  for (const backup of dependantsFirst(plan.forget)) {
    gone.push(...(await removeBackup(context, backup, { cascade: false, reason })));
  }
  return gone;
}

class CleanupRound {
  readonly forgotten: string[] = [];
  readonly errors: string[] = [];
  readonly #context: ManagerContext;
  readonly #by: string;
  readonly #signal: AbortSignal | undefined;

  constructor(context: ManagerContext, by: string, signal?: AbortSignal) {
    this.#context = context;
    this.#by = by;
    this.#signal = signal;
  }

  async step(what: string, work: () => Promise<unknown>): Promise<void> {
    if (this.#signal?.aborted) return;
    try {
      await work();
    } catch (error) {
      this.#context.logger.error({ err: error }, `${what} failed`);
      this.errors.push(`${what}: ${messageOf(error)}`);
    }
  }

  /** A base stays until the last backup that needs it has expired too. */
  async forgetExpired(): Promise<void> {
    const { catalogue, clock } = this.#context;
    const expired = await catalogue.backups.expired(clock.now().toISOString());
    for (const { id } of dependantsFirst(expired)) {
      await this.step(`forgetting ${id}`, async () => {
        // Since the list was read, somebody may have kept it for longer.
        const backup = await catalogue.backups.get(id);
        if (backup?.expiresAt === undefined || backup.held || Date.parse(backup.expiresAt) > clock.now().getTime())
          return;
        if ((await catalogue.backups.dependants(id)).length > 0) return;
        await this.#forget(backup, `expired (by ${this.#by})`);
      });
    }
  }

  async applyPolicies(): Promise<void> {
    const { catalogue } = this.#context;
    const policies = new Map((await catalogue.policies.list()).map((policy) => [policy.id, policy]));
    if (policies.size === 0) return;
    for (const resource of await catalogue.resources.list()) {
      const policy = policies.get(resource.policyId ?? '');
      if (policy === undefined) continue;
      await this.step(`applying "${policy.name}" to ${resource.id}`, async () => {
        const plan = await planFor(this.#context, resource.id, policy.rules, policy.timeZone);
        requireSomeKept(resource.id, plan);
        const reason = `no rule of the policy "${policy.name}" keeps it (by ${this.#by})`;
        for (const backup of dependantsFirst(plan.forget))
          await this.step(`forgetting ${backup.id}`, () => this.#forget(backup, reason));
      });
    }
  }

  async #forget(backup: Backup, reason: string): Promise<void> {
    this.forgotten.push(...(await removeBackup(this.#context, backup, { cascade: false, reason })));
  }

  /** After the backups: what they were the last to need goes in the same round. */
  async expireLogs(): Promise<void> {
    for (const resource of await this.#context.catalogue.resources.list()) {
      const service = this.#context.services.find(resource.service);
      const log = service?.log;
      if (log === undefined) continue;
      await this.step(`expiring the log of ${resource.id}`, async () => {
        this.forgotten.push(...(await expireLog(this.#context, resource, log)));
      });
    }
  }

  /** They count as nothing that was forgotten: each can be made again. */
  async expireVariants(): Promise<void> {
    for (const resource of await this.#context.catalogue.resources.list())
      await this.step(`expiring the variants of ${resource.id}`, () => expireVariants(this.#context, resource));
  }

  async deleteOldOperations(): Promise<void> {
    const { clock, configuration, catalogue } = this.#context;
    const before = clock.now().getTime() - configuration.operationDays * DAY;
    await catalogue.operations.deleteEnded(new Date(before).toISOString());
  }

  async expireIdempotencyKeys(): Promise<void> {
    const before = this.#context.clock.now().getTime() - IDEMPOTENCY_HOURS * 3_600_000;
    await this.#context.catalogue.idempotency.expire(new Date(before).toISOString());
  }

  async expireTickets(): Promise<void> {
    const { catalogue, clock } = this.#context;
    await catalogue.tickets.expire(hourBefore(clock.now()));
  }
}

/** A delta has a longer chain than all it builds on, so the longest chains go first. */
function dependantsFirst(backups: readonly Backup[]): readonly Backup[] {
  return backups.toSorted((a, b) => b.chainLength - a.chainLength);
}

function requireSomeKept(resourceId: string, { keep, forget }: RetentionPlan): void {
  if (keep.length > 0 || forget.length === 0) return;
  const count = forget.length;
  throw new HoldfastError(
    'conflict',
    'policy-keeps-nothing',
    `The policy would keep none of the ${count} backups of "${resourceId}". Nothing was forgotten. Give it a rule that keeps some, or delete the backups by id.`,
    { details: { resourceId, backups: count } },
  );
}
