import type { Application } from '../../../core/application.ts';
import type { Resource } from '../../../core/resource.ts';
import { printable } from '../../../reports/table.ts';
import type { CommandSession } from '../command-session.ts';
import { formatTime, localTimeZone } from '../formatting.ts';
import { scheduledWork } from '../schedule/schedule-words.ts';
import { resourcePages } from './all-resources.ts';

interface ListedResource extends Resource {
  newestBackup?: { id: string; createdAt: string };
}

export async function listResources(session: CommandSession): Promise<void> {
  const application = await session.application();
  const resources: ListedResource[] = [];
  for await (const page of resourcePages(application)) {
    session.signal.throwIfAborted();
    resources.push(...(await withNewestBackups(application, page)));
  }
  session.output.table<ListedResource>(
    { resources },
    [
      { heading: 'ID', value: ({ id }) => id },
      { heading: 'Service', value: ({ service }) => service },
      { heading: 'Retention', value: ({ policyId }) => policyId ?? '' },
      {
        heading: `Newest backup (${localTimeZone()})`,
        value: ({ newestBackup: newest }) => (newest === undefined ? 'none' : formatTime(newest.createdAt)),
      },
    ],
    resources,
    'No resources. "holdfast resource add ID --service NAME" sets one up, "holdfast backup PATH" as well.',
  );
}

export async function showResource(session: CommandSession, id: string): Promise<void> {
  const application = await session.application();
  const found: ListedResource = await application.resources.get(id);
  const [resource = found] = await withNewestBackups(application, [found]);
  const schedules = (await application.schedules.list()).filter(({ resourceId }) => resourceId === id);
  const { newestBackup: newest } = resource;
  session.output.result({ resource, schedules }, () => {
    const lines = [
      ['Service', resource.service],
      ...(resource.type === resource.service ? [] : [['Type', resource.type]]),
      ['Repository', resource.repositoryId],
      ['Retention', resource.policyId ?? 'none: backups stay until they are forgotten'],
      ['Newest backup', newest === undefined ? 'none' : `${newest.id} of ${formatTime(newest.createdAt)}`],
      ...schedules.map((schedule) => [
        'Schedule',
        `${schedule.id}: ${scheduledWork(schedule)}, ${schedule.cron} (${schedule.timeZone})${schedule.enabled ? '' : ', disabled'}`,
      ]),
      ...(resource.assertions ?? []).map((assertion) => ['Assertion', JSON.stringify(assertion)]),
    ].map(([name = '', value = '']) => `${name.padEnd(14)} ${printable(value)}`);
    const configuration = JSON.stringify(resource.configuration, undefined, 2).split('\n');
    return [printable(resource.id), ...lines, 'Configuration', ...configuration.map((line) => `  ${printable(line)}`)];
  });
}

async function withNewestBackups(application: Application, resources: readonly Resource[]): Promise<ListedResource[]> {
  const newest = await application.backups.newestOf(resources.map(({ id }) => id));
  return resources.map((resource): ListedResource => {
    const newestBackup = newest.get(resource.id);
    return newestBackup === undefined ? resource : { ...resource, newestBackup };
  });
}
