import type { Command } from 'commander';
import type { Application, RetentionPlan } from '../../../core/application.ts';
import type { Backup } from '../../../core/backup.ts';
import { HoldfastError } from '../../../core/errors.ts';
import type { RetentionRules } from '../../../core/policy.ts';
import { allBackups, chooseBackup } from '../choose-backup.ts';
import type { CommandSession } from '../command-session.ts';
import { usageError } from '../exit-codes.ts';
import { gathered } from '../option-values.ts';
import { tellDecisions } from '../retention-decisions.ts';
import { addRuleOptions, type RuleOptions, rulesFrom } from '../rule-options.ts';

interface ForgetOptions extends RuleOptions {
  policy?: string;
  resource?: string[];
  dryRun?: boolean;
  cascade?: boolean;
}

export function define(command: Command, session: CommandSession): void {
  addRuleOptions(command.argument('[backup...]', 'ids of the backups to forget, or "latest"'))
    .option('--policy <id>', 'use the rules of this retention policy')
    .option(
      '--resource <id>',
      'with rules: only backups of this resource, may be repeated; with "latest": of this resource',
      gathered,
    )
    .option('--cascade', 'forget backups that build on these as well')
    .option('--dry-run', 'only tell what would be forgotten')
    .addHelpText(
      'after',
      '\nForgotten backups stay in the trash of the repository for some days (7 unless configured).',
    )
    .action((references: string[], options: ForgetOptions) => forget(session, references, options));
}

async function forget(session: CommandSession, references: readonly string[], options: ForgetOptions): Promise<void> {
  const rules = rulesFrom(options);
  const byRules = options.policy !== undefined || Object.keys(rules).length > 0;
  if (byRules === references.length > 0) {
    throw usageError(
      'selection-missing',
      'Say what to forget: ids of backups, or rules such as --keep-daily 7; not both.',
    );
  }
  const application = await session.application();
  if (byRules) await forgetByRules(session, application, await chosenRules(application, rules, options), options);
  else await forgetById(session, application, references, options);
}

async function forgetById(
  session: CommandSession,
  application: Application,
  references: readonly string[],
  options: ForgetOptions,
): Promise<void> {
  session.deed = { action: 'backup.delete', details: { backupIds: references.slice(0, 100), dryRun: options.dryRun } };
  // All are looked up first, so that a mistyped id forgets nothing.
  const among = latestAmong(references, options);
  const backups = await Promise.all(references.map((reference) => chooseBackup(application, reference, among)));
  const forgotten = new Set<string>();
  for (const backup of options.dryRun ? [] : newestFirst(backups)) {
    if (forgotten.has(backup.id)) continue;
    const cascade = options.cascade === true;
    const ids = await application.backups.delete(backup.id, { cascade, reason: 'forget', by: session.actor });
    for (const id of ids) forgotten.add(id);
  }
  const ids = options.dryRun ? backups.map(({ id }) => id) : [...forgotten];
  session.output.result({ dryRun: options.dryRun === true, forgotten: ids }, () =>
    ids.map((id) => `${options.dryRun ? 'Would forget' : 'Forgot'} ${id}`),
  );
}

function latestAmong(references: readonly string[], { resource = [] }: ForgetOptions) {
  const [resourceId, another] = resource;
  if (another !== undefined && references.includes('latest'))
    throw usageError('resource-ambiguous', 'With "latest", give --resource once: it is of one resource.');
  return { ofOneResource: true, ...(resourceId === undefined ? {} : { resourceId }) };
}

async function forgetByRules(
  session: CommandSession,
  application: Application,
  rules: RetentionRules,
  options: ForgetOptions,
): Promise<void> {
  session.deed = { action: 'retention.apply', details: { rules, resources: options.resource, dryRun: options.dryRun } };
  const plans: RetentionPlan[] = [];
  for (const resourceId of options.resource ?? (await resourcesWithBackups(application))) {
    session.signal.throwIfAborted();
    const plan = options.dryRun
      ? await application.policies.preview(resourceId, rules, await timeZoneOf(application, resourceId))
      : await application.policies.apply(resourceId, session.actor, rules);
    plans.push(plan);
  }
  tellDecisions(session, plans, options.dryRun === true);
}

/** As `apply` reads the calendar. */
async function timeZoneOf(application: Application, resourceId: string): Promise<string | undefined> {
  const { policyId } = await application.resources.get(resourceId);
  return policyId === undefined ? undefined : (await application.policies.get(policyId)).timeZone;
}

async function chosenRules(
  application: Application,
  rules: RetentionRules,
  options: ForgetOptions,
): Promise<RetentionRules> {
  if (options.policy === undefined) return rules;
  if (Object.keys(rules).length > 0) throw usageError('rules-ambiguous', 'Give --policy or --keep-…, not both.');
  const wanted = options.policy;
  const policy = (await application.policies.list()).find(({ id, name }) => id === wanted || name === wanted);
  if (policy !== undefined) return policy.rules;
  throw new HoldfastError('not-found', 'policy-missing', `There is no policy "${wanted}", neither by id nor by name.`);
}

async function resourcesWithBackups(application: Application): Promise<string[]> {
  const ids = new Set<string>();
  for await (const backup of allBackups(application, {})) ids.add(backup.resourceId);
  return [...ids].sort();
}

/** What builds on a backup is younger: from the newest down, none is in another's way. */
function newestFirst(backups: readonly Backup[]): Backup[] {
  return [...backups].sort((left, right) => (left.createdAt < right.createdAt ? 1 : -1));
}
