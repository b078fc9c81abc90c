import type { Application } from '../../../core/application.ts';
import { HoldfastError, unlessNotFound } from '../../../core/errors.ts';
import { requireUsableId } from '../../../core/identifier.ts';
import type { Resource } from '../../../core/resource.ts';
import type { ResourceTest } from '../../../core/resource-test.ts';
import { printable } from '../../../reports/table.ts';
import type { CommandSession } from '../command-session.ts';
import { usageError } from '../exit-codes.ts';
import { openAndMakeRepository } from '../first-repository.ts';
import { configurationOf, type SettingOptions } from '../setting-options.ts';
import { checkLines } from './check-lines.ts';
import { besideConfiguration } from './kept-resource.ts';

/** What `resource add` and `resource set` have in common. */
interface PutOptions extends SettingOptions {
  /** The id of a retention policy; false for none from now on. */
  retention?: string | false;
  test: boolean;
}

export interface AddOptions extends PutOptions {
  service: string;
  type?: string;
  replace?: boolean;
}

/** Sets a resource up. What stands beside its configuration stays where one is replaced. */
export async function addResource(session: CommandSession, id: string, options: AddOptions): Promise<void> {
  requireUsableId(id, 'resource');
  const configuration = await configurationOf(options);
  const application = await openAndMakeRepository(session);
  session.deed = { action: 'resource.put', subject: id, details: { service: options.service } };
  const before = await unlessNotFound(application.resources.get(id));
  if (before !== undefined && options.replace !== true) throw resourceExists(before);
  const { type } = options;
  const wanted = { service: options.service, configuration, ...(type === undefined ? {} : { type }) };
  await put(session, application, { id, before, ...wanted }, options);
}

/** Changes some settings of a resource that there is. */
export async function setResource(session: CommandSession, id: string, options: PutOptions): Promise<void> {
  const { set, unset, configuration, retention } = options;
  if (set === undefined && unset === undefined && configuration === undefined && retention === undefined)
    throw usageError('settings-missing', 'Say what to change: --set, --unset, --configuration, --retention.');
  const application = await session.application();
  session.deed = { action: 'resource.put', subject: id };
  const before = await application.resources.get(id);
  const wanted = { service: before.service, configuration: await configurationOf(options, before.configuration) };
  const isTested = options.test && (set !== undefined || unset !== undefined || configuration !== undefined);
  await put(session, application, { id, before, ...wanted }, { ...options, test: isTested });
}

interface Wanted {
  id: string;
  before: Resource | undefined;
  service: string;
  configuration: Readonly<Record<string, unknown>>;
  type?: string;
}

async function put(
  session: CommandSession,
  application: Application,
  { before, ...wanted }: Wanted,
  { test, retention }: Pick<PutOptions, 'test' | 'retention'>,
): Promise<void> {
  const done = before === undefined ? 'added' : 'changed';
  const { service, configuration } = wanted;
  const found = test ? await application.resources.test({ service, configuration }, session.signal) : undefined;
  if (found !== undefined && !found.ok) throw testFailed(session, wanted, done, found);
  const { policyId, ...beside } = besideConfiguration(before, wanted.service);
  const policy = retention ?? policyId ?? false;
  const resource = await application.resources.put({
    ...beside,
    ...wanted,
    ...(policy === false ? {} : { policyId: policy }),
  });
  session.output.result({ resource, ...(found === undefined ? {} : { test: found }) }, () => [
    `${before === undefined ? 'Added' : 'Changed'} ${resource.id} (${resource.service}).`,
  ]);
  for (const { outcome, name, message } of found?.checks ?? [])
    if (outcome === 'warning') session.output.warn(`${name}: ${message}`);
  if (before === undefined && isFetched(application, resource))
    session.output.note(`"holdfast backup --resource ${resource.id}" makes its first backup.`);
}

function isFetched(application: Application, { service }: Resource): boolean {
  return application.services.some(({ name, source }) => name === service && source === 'fetched');
}

function resourceExists({ id, service }: Resource): HoldfastError {
  return new HoldfastError(
    'conflict',
    'resource-exists',
    `There is a resource "${id}" of the service "${service}" already. "holdfast resource set ${id}" changes some of its settings; --replace gives it a new configuration.`,
    { details: { resourceId: id, service } },
  );
}

/** Nothing was saved: a resource that cannot be backed up would only fail each night. */
function testFailed(
  session: CommandSession,
  { id, configuration }: Pick<Wanted, 'id' | 'configuration'>,
  done: string,
  { checks }: ResourceTest,
): HoldfastError {
  for (const line of checkLines(session.output, checks)) session.output.note(line);
  const failed = checks.filter(({ outcome }) => outcome === 'failed');
  const reasons = failed.map(({ name, message }) => `${name}: ${printable(message)}`).join(' ');
  const secrets = JSON.stringify(configuration).includes('"env:') ? ' (env: names variables of this command here)' : '';
  return new HoldfastError(
    'unavailable',
    'resource-test-failed',
    `The resource "${id}" was not ${done}, because a backup would fail. ${reasons} Mend that${secrets}, or leave the test out with --no-test.`,
    { details: { resourceId: id, checks } },
  );
}
