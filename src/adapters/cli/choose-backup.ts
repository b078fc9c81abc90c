import type { Application } from '../../core/application.ts';
import type { Backup } from '../../core/backup.ts';
import { HoldfastError } from '../../core/errors.ts';
import { usageError } from './exit-codes.ts';

const ID_PREFIX = 'backup-';

/**
 * Finds the backup that the user means: an id, with or without `backup-`, or `latest`.
 *
 * @param among narrows `latest`: to a resource, to backups at or before a time (RFC 3339)
 * @throws HoldfastError `backup-missing` (not-found)
 */
export async function chooseBackup(
  application: Application,
  reference: string,
  among: { resourceId?: string; at?: string } = {},
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
  if (backup !== undefined) return backup;
  const what = [resourceId === undefined ? '' : ` of "${resourceId}"`, at === undefined ? '' : ` at or before ${at}`];
  throw new HoldfastError(
    'not-found',
    'backup-missing',
    `There is no backup${what.join('')}. "holdfast list" shows those that exist.`,
  );
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
 * The same as `typedTime`, with all digits of the second where the zone was typed too.
 * @returns RFC 3339
 */
export function typedMoment(typed: string, option: string): string {
  const rounded = typedTime(typed, option);
  return /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]\d{2}:\d{2})$/.test(typed) ? typed : rounded;
}

/**
 * Reads a time as people type it: RFC 3339, or without a zone in the zone of this process.
 * @returns RFC 3339, UTC
 */
export function typedTime(typed: string, option: string): string {
  const text = /^\d{4}-\d{2}-\d{2}$/.test(typed) ? `${typed}T00:00:00` : typed.replace(/^(\S+) (\d)/, '$1T$2');
  const time = /^\d{4}-\d{2}-\d{2}T/.test(text) ? new Date(text) : new Date(Number.NaN);
  if (!Number.isNaN(time.getTime())) return time.toISOString();
  throw usageError(
    'time-invalid',
    `${option} "${typed}" is no time. Write it as 2026-01-31T12:30:00Z, or without the zone as local time.`,
  );
}

/** The catalogue's upper bound is exclusive and its times are whole milliseconds. */
function justAfter(time: string): string {
  return new Date(Date.parse(time) + 1).toISOString();
}
