import type { PolicyManager, RetentionPlan } from './application.ts';
import { type CleanupReport, carryOut, cleanUpEverything, planFor } from './cleanup.ts';
import { HoldfastError } from './errors.ts';
import { requireUsableId } from './identifier.ts';
import type { ManagerContext } from './manager-context.ts';
import type { Policy, RetentionRules } from './policy.ts';
import { requireResource } from './required-rows.ts';
import { requireTimeZone, requireUsableRules } from './retention.ts';

/** Keeps retention policies and carries them out. */
export class CataloguePolicyManager implements PolicyManager {
  readonly #context: ManagerContext;
  #cleanup: Promise<CleanupReport> | undefined;
  readonly #stopping = new AbortController();

  constructor(context: ManagerContext) {
    this.#context = context;
  }

  /** @throws HoldfastError `policy-not-found` (not-found) */
  async get(id: string): Promise<Policy> {
    const policy = await this.#context.catalogue.policies.get(id);
    if (policy !== undefined) return policy;
    const message = `There is no policy "${id}". List them with GET /policies or "holdfast retention list".`;
    throw new HoldfastError('not-found', 'policy-not-found', message, { details: { policyId: id } });
  }

  async list(): Promise<readonly Policy[]> {
    return this.#context.catalogue.policies.list();
  }

  async put(policy: { id?: string; name: string; rules: RetentionRules; timeZone?: string }): Promise<Policy> {
    const { catalogue, clock, nextId } = this.#context;
    const id = policy.id ?? nextId('policy');
    requireUsableId(id, 'policy');
    requireUsableRules(policy.rules);
    const timeZone = policy.timeZone ?? 'UTC';
    requireTimeZone(timeZone);
    const before = await catalogue.policies.get(id);
    const now = clock.now().toISOString();
    const row = {
      id,
      name: policy.name,
      rules: policy.rules,
      timeZone,
      createdAt: before?.createdAt ?? now,
      updatedAt: now,
    };
    await catalogue.policies.put(row);
    return row;
  }

  /** @throws HoldfastError `policy-in-use` (conflict) naming resources */
  async delete(id: string): Promise<void> {
    await this.get(id);
    const users = (await this.#context.catalogue.resources.list()).filter(({ policyId }) => policyId === id);
    if (users.length > 0) {
      const names = users.slice(0, 20).map((resource) => resource.id);
      const message = `The policy "${id}" is used by ${users.length === 1 ? 'the resource' : `${users.length} resources:`} ${names.join(', ')}. Give ${users.length === 1 ? 'it' : 'them'} another one first, or none ("holdfast resource set ID --no-retention").`;
      throw new HoldfastError('conflict', 'policy-in-use', message, { details: { resources: names } });
    }
    await this.#context.catalogue.policies.delete(id);
  }

  async preview(resourceId: string, rules: RetentionRules, timeZone = 'UTC'): Promise<RetentionPlan> {
    requireUsableRules(rules);
    requireTimeZone(timeZone);
    await requireResource(this.#context, resourceId);
    return planFor(this.#context, resourceId, rules, timeZone);
  }

  async apply(resourceId: string, by: string, rules?: RetentionRules): Promise<RetentionPlan> {
    const resource = await requireResource(this.#context, resourceId);
    const policy = resource.policyId === undefined ? undefined : await this.get(resource.policyId);
    const wanted = rules ?? policy?.rules;
    if (wanted === undefined) {
      const message = `"${resourceId}" has no policy. Give it one with PUT /resources/${resourceId} or "holdfast resource set ${resourceId} --retention ID", or say which rules to apply.`;
      throw new HoldfastError('invalid', 'policy-missing', message, { details: { resourceId } });
    }
    requireUsableRules(wanted);
    const plan = await planFor(this.#context, resourceId, wanted, policy?.timeZone ?? 'UTC');
    await carryOut(this.#context, resourceId, plan, `no rule of the policy keeps it (by ${by})`);
    return plan;
  }

  /** One at a time in a process: whoever calls while one runs gets that one's report. */
  async cleanUp(by: string): Promise<CleanupReport> {
    this.#cleanup ??= cleanUpEverything(this.#context, by, this.#stopping.signal).finally(() => {
      this.#cleanup = undefined;
    });
    return this.#cleanup;
  }

  /** Ends a cleanup that runs between two of its steps, and resolves when it has ended; whoever began it is told how. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#cleanup?.catch(() => undefined);
  }
}
