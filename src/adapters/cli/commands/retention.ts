import type { Command } from 'commander';
import type { Application, RetentionPlan } from '../../../core/application.ts';
import { HoldfastError, unlessNotFound } from '../../../core/errors.ts';
import type { Policy } from '../../../core/policy.ts';
import type { Resource } from '../../../core/resource.ts';
import { printable } from '../../../reports/table.ts';
import type { CommandSession } from '../command-session.ts';
import { usageError } from '../exit-codes.ts';
import { openAndMakeRepository } from '../first-repository.ts';
import { gathered } from '../option-values.ts';
import { allResources } from '../resource/all-resources.ts';
import { besideConfiguration } from '../resource/kept-resource.ts';
import { tellDecisions } from '../retention-decisions.ts';
import { addRuleOptions, type RuleOptions, rulesFrom, ruleWords } from '../rule-options.ts';

interface SetOptions extends RuleOptions {
  name?: string;
  timeZone?: string;
  resource?: string[];
  dryRun?: boolean;
}

export function define(command: Command, session: CommandSession): void {
  const named = (name: string, description: string) =>
    command.command(name).description(description).argument('<policy>', 'id of the retention policy');
  command
    .command('list')
    .description('List retention policies and what uses them.')
    .action(() => listPolicies(session));
  named('show', 'Show the rules of a retention policy and what uses it.').action((id: string) =>
    showPolicy(session, id),
  );
  addRuleOptions(named('set', 'Make or change a retention policy. The rules given replace all that it had.'))
    .option('--name <text>', 'what it is called (default: its id)')
    .option('--time-zone <zone>', 'where days, weeks and months begin, for instance Europe/Berlin (default: UTC)')
    .option('--resource <id>', 'give it to this resource; may be repeated', gathered)
    .option('--dry-run', 'only tell what it would keep and forget of the resources that use it')
    .addHelpText('after', SET_HELP)
    .action((id: string, options: SetOptions) => setPolicy(session, id, options));
  command
    .command('apply')
    .description('Forget at once what the policies of resources no longer want.')
    .argument('[resource...]', 'ids of resources (default: all that have a policy)')
    .option('--dry-run', 'only tell what would be forgotten')
    .action((ids: string[], { dryRun }: { dryRun?: boolean }) => applyPolicies(session, ids, dryRun === true));
  named('remove', 'Remove a retention policy that no resource uses. Backups stay.').action((id: string) =>
    removePolicy(session, id),
  );
}

const SETTINGS = ['name', 'timeZone', 'resource', 'dryRun'] as const;

const SET_HELP = `
A backup is kept while any rule wants it; what it builds on is kept too. The running service applies policies when it cleans up.
What is forgotten stays in the trash for some days (7 unless configured).

Examples:
  holdfast retention set standard --keep-daily 7 --keep-weekly 4 --keep-monthly 12 --resource shop-pg --dry-run
  holdfast retention set standard --keep-daily 7 --keep-weekly 4 --keep-monthly 12 --resource shop-pg`;

async function listPolicies(session: CommandSession): Promise<void> {
  const application = await session.application();
  const users = await resourcesByPolicy(application);
  const policies = (await application.policies.list()).map((policy) => ({
    ...policy,
    resources: (users.get(policy.id) ?? []).map(({ id }) => id),
  }));
  session.output.table<Policy & { resources: readonly string[] }>(
    { policies },
    [
      { heading: 'ID', value: ({ id }) => id },
      { heading: 'Name', value: ({ id, name }) => (name === id ? '' : name) },
      { heading: 'Keeps', value: ({ rules }) => ruleWords(rules) },
      { heading: 'Time zone', value: ({ timeZone }) => timeZone },
      { heading: 'Resources', value: ({ resources }) => resources.join(' ') },
    ],
    policies,
    'No retention policies: backups stay until they are forgotten. "holdfast retention set" makes one.',
  );
}

async function showPolicy(session: CommandSession, id: string): Promise<void> {
  const application = await session.application();
  const policy = await application.policies.get(id);
  const resources = ((await resourcesByPolicy(application)).get(id) ?? []).map((resource) => resource.id);
  session.output.result({ policy, resources }, () =>
    [
      policyLine(policy),
      ...(policy.name === id ? [] : [`  called ${policy.name}`]),
      `  used by ${resources.length === 0 ? 'no resource' : resources.join(', ')}`,
    ].map(printable),
  );
}

async function setPolicy(session: CommandSession, id: string, options: SetOptions): Promise<void> {
  const given = rulesFrom(options);
  if (Object.keys(given).length === 0 && !SETTINGS.some((setting) => options[setting] !== undefined))
    throw usageError('settings-missing', 'Say what it keeps, for instance --keep-daily 7, or what to change.');
  const { resource: resourceIds, dryRun } = options;
  const application = await (dryRun === true ? session.application() : openAndMakeRepository(session));
  session.deed = { action: 'policy.put', subject: id, details: { rules: given, resources: resourceIds, dryRun } };
  const before = await unlessNotFound(application.policies.get(id));
  if (before === undefined && Object.keys(given).length === 0)
    throw usageError(
      'rules-missing',
      `There is no policy "${id}" yet. Say what it keeps, for instance --keep-daily 7.`,
    );
  const rules = Object.keys(given).length === 0 && before !== undefined ? before.rules : given;
  const timeZone = options.timeZone ?? before?.timeZone ?? 'UTC';
  // All are looked up first, so that a mistyped id changes nothing.
  const receivers = await Promise.all((resourceIds ?? []).map((resource) => application.resources.get(resource)));
  if (dryRun === true) {
    const users = (await resourcesByPolicy(application)).get(id) ?? [];
    const ids = new Set([...users, ...receivers].map((resource) => resource.id));
    const plans = await inTurn(session, [...ids], (one) => application.policies.preview(one, rules, timeZone));
    if (ids.size === 0)
      session.output.note(`No resource uses "${id}". Name some with --resource to see what it would do.`);
    return tellDecisions(session, plans, true);
  }
  const policy = await application.policies.put({ id, name: options.name ?? before?.name ?? id, rules, timeZone });
  for (const resource of receivers) await givePolicy(application, resource, id);
  const resources = receivers.map((resource) => resource.id);
  session.output.result({ policy, resources }, () => [
    `${before === undefined ? 'Made' : 'Changed'} ${printable(policyLine(policy))}`,
    ...resources.map((resource) => `${resource} uses it.`),
  ]);
}

async function applyPolicies(session: CommandSession, ids: readonly string[], dryRun: boolean): Promise<void> {
  const application = await session.application();
  session.deed = { action: 'retention.apply', details: { resources: ids, dryRun } };
  const policies = new Map((await application.policies.list()).map((policy) => [policy.id, policy]));
  const wanted = ids.length > 0 ? ids : [...(await resourcesByPolicy(application)).values()].flat().map(({ id }) => id);
  // All are looked up first, so that a mistyped id forgets nothing.
  const resources = await Promise.all([...new Set(wanted)].map((id) => application.resources.get(id)));
  const chosen = resources.map(({ id, policyId = '' }) => {
    const policy = policies.get(policyId);
    if (policy !== undefined) return { id, policy };
    const message = `The resource "${id}" has no retention policy. Give it one with "holdfast retention set ID --resource ${id}".`;
    throw new HoldfastError('invalid', 'policy-missing', message, { details: { resourceId: id } });
  });
  if (chosen.length === 0)
    session.output.note('No resource has a retention policy. "holdfast retention set" makes one.');
  const plans = await inTurn(session, chosen, ({ id, policy }) =>
    dryRun
      ? application.policies.preview(id, policy.rules, policy.timeZone)
      : application.policies.apply(id, session.actor),
  );
  tellDecisions(session, plans, dryRun);
}

async function removePolicy(session: CommandSession, id: string): Promise<void> {
  session.deed = { action: 'policy.delete', subject: id };
  await (await session.application()).policies.delete(id);
  session.output.result({ removed: id }, () => [`Removed ${id}.`]);
}

function givePolicy(application: Application, resource: Resource, policyId: string): Promise<Resource> {
  const { id, service, configuration } = resource;
  return application.resources.put({ ...besideConfiguration(resource, service), id, service, configuration, policyId });
}

async function resourcesByPolicy(application: Application): Promise<Map<string, Resource[]>> {
  const users = new Map<string, Resource[]>();
  for await (const resource of allResources(application)) {
    if (resource.policyId === undefined) continue;
    users.set(resource.policyId, [...(users.get(resource.policyId) ?? []), resource]);
  }
  return users;
}

async function inTurn<One>(
  session: CommandSession,
  all: readonly One[],
  plan: (one: One) => Promise<RetentionPlan>,
): Promise<RetentionPlan[]> {
  const plans: RetentionPlan[] = [];
  for (const one of all) {
    session.signal.throwIfAborted();
    plans.push(await plan(one));
  }
  return plans;
}

function policyLine({ id, rules, timeZone }: Policy): string {
  return `${id}: keeps ${ruleWords(rules)} (${timeZone}).`;
}
