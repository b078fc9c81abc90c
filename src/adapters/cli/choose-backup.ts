import type { Application } from '../../core/application.ts';
import type { Backup } from '../../core/backup.ts';
import { HoldfastError } from '../../core/errors.ts';
import { readMoment } from '../../core/moment.ts';
import { usageError } from './exit-codes.ts';

const ID_PREFIX = 'backup-';

/**
 * Finds the backup that the user means: an id, with or without `backup-`, or `latest`.
 *
 * @param among narrows `latest`: to a resource, to backups at or before a time (RFC 3339). `ofOneResource`: where backups of
 *   several are there, one has to be named
 * @throws HoldfastError `backup-missing` (not-found), `usage-resource-missing`
 */
export async function chooseBackup(
  application: Application,
  reference: string,
  among: { resourceId?: string; at?: string; ofOneResource?: boolean } = {},
): Promise<Backup> {
  if (reference !== 'latest') {
    return application.backups.get(reference.startsWith(ID_PREFIX) ? reference : ID_PREFIX + reference);
  }
  const { resourceId, at } = among;
  const page = await application.backups.list(
    {
      ...(resourceId === undefined ? {} : { resourceId }),
      ...(at === undefined ? {} : { until: justAfter(at) }),
    },
    { limit: 1 },
  );
  const [backup] = page.items;
  if (backup !== undefined) {
    if (among.ofOneResource && resourceId === undefined) await requireNoOther(application, backup);
    return backup;
  }
  const what = [resourceId === undefined ? '' : ` of "${resourceId}"`, at === undefined ? '' : ` at or before ${at}`];
  throw new HoldfastError(
    'not-found',
    'backup-missing',
    `There is no backup${what.join('')}. "holdfast list" shows those that exist.`,
  );
}

/** The newest of all is not the one that somebody means who has a certain resource in mind. */
async function requireNoOther(application: Application, { resourceId }: Backup): Promise<void> {
  for (const other of await otherResources(application, resourceId)) {
    const { items } = await application.backups.list({ resourceId: other }, { limit: 1 });
    if (items.length === 0) continue;
    const message = `There are backups of several resources, and the newest is of "${resourceId}". Say which you mean: --resource ${resourceId}, or the id of a backup.`;
    throw usageError('resource-missing', message);
  }
}

async function otherResources(application: Application, resourceId: string): Promise<string[]> {
  const others: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await application.resources.list({ limit: 500, ...(cursor === undefined ? {} : { cursor }) });
    others.push(...page.items.map(({ id }) => id).filter((id) => id !== resourceId));
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  return others;
}

/** Every backup that fits, newest first, page after page. */
export async function* allBackups(
  application: Application,
  filter: Parameters<Application['backups']['list']>[0],
): AsyncIterable<Backup> {
  let cursor: string | undefined;
  do {
    const page = await application.backups.list(filter, { limit: 500, ...(cursor === undefined ? {} : { cursor }) });
    yield* page.items;
    cursor = page.nextCursor;
  } while (cursor !== undefined);
}

/**
 * Reads a time as people type it: RFC 3339, or without a zone in the zone of this process.
 * @returns RFC 3339, UTC
 */
export function typedTime(typed: string, option: string): string {
  return new Date(typedMoment(typed, option)).toISOString();
}

/**
 * The last millisecond that is named by what was typed: its whole second where it has no fraction.
 * @returns RFC 3339, UTC
 */
export function typedEnd(typed: string, option: string): string {
  const moment = readMoment(typedMoment(typed, option));
  return new Date(moment?.lastMillisecond ?? Number.NaN).toISOString();
}

/**
 * The same as `typedTime`, with the digits of the second that were typed where the zone was typed too.
 * @returns RFC 3339
 */
export function typedMoment(typed: string, option: string): string {
  const [, date, clock = '00:00', seconds = ':00', zone = ''] = TYPED.exec(typed) ?? [];
  const text = `${date}T${clock}${seconds}`;
  const moment = readMoment(`${text}${zone || 'Z'}`);
  if (moment !== undefined && zone !== '') return moment.written;
  if (moment !== undefined) {
    const local = new Date(text).toISOString();
    const written = seconds.includes('.') ? local : local.replace('.000Z', 'Z');
    // In UTC it may lie in a year that has not four digits.
    if (readMoment(written) !== undefined) return written;
  }
  throw usageError(
    'time-invalid',
    `${option} "${typed}" is no time. Write it as 2026-01-31T12:30:00Z, or without the zone as local time.`,
  );
}

const TYPED = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(:\d\d(?:\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?$/i;

/** The catalogue's upper bound is exclusive and its times are whole milliseconds. */
function justAfter(time: string): string {
  return new Date(Date.parse(time) + 1).toISOString();
}
