import path from 'node:path';
import { z } from 'zod';
import type { Backup } from '../../core/backup.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { RestoreContext } from '../../core/ports/service.ts';
import { parseRestoreFields } from '../../core/service-settings.ts';
import { parsePhysicalConfiguration } from './configuration.ts';

const folder = z
  .string()
  .refine((value) => path.isAbsolute(value) && path.resolve(value) !== '/', 'must be an absolute path of a folder');

const recoverTo = z.union([
  z.enum(['latest', 'immediate']),
  z.strictObject({ time: z.string().refine(isExactTime, 'must be RFC 3339 with a time zone: 2026-01-31T12:30:00Z') }),
  z.strictObject({ transactionId: z.string().regex(/^\d{1,20}$/, 'must be a number as a text') }),
  z.strictObject({ lsn: z.string().regex(/^[0-9A-Fa-f]{1,8}\/[0-9A-Fa-f]{1,8}$/, 'must be like 0/3000060') }),
  z.strictObject({ name: z.string().min(1).max(63).refine(isOneLine, 'must not hold line breaks') }),
]);

const schema = z.strictObject({
  /** The data folder to be made. */
  target: folder,
  /** `replace`: another data folder that is there, in which no server runs, is moved aside when the restored one is complete. */
  conflict: z.enum(['fail', 'replace']).default('fail'),
  /** New folders of tablespaces, by OID or by their old folder. */
  tablespaces: z.record(z.string(), folder).default({}),
  recoverTo: recoverTo.optional(),
  /** Whether what happened exactly at the target still counts. */
  inclusive: z.boolean().default(true),
  /** What the server does when it is there. */
  action: z.enum(['promote', 'pause', 'shutdown']).default('promote'),
  /** The history to follow: `latest`, `current` or a number. */
  timeline: z.union([z.enum(['latest', 'current']), z.int().min(1)]).default('latest'),
  /** Instead of asking Holdfast for WAL: a shell command with `%f` and `%p`. */
  restoreCommand: z.string().min(1).refine(isOneLine, 'must be one line').optional(),
  /**
   * `off` keeps a copy beside a living server from archiving a history of its own among that one's WAL; so it is by default where the
   * restore goes into another resource.
   */
  archiving: z.enum(['keep', 'off']).optional(),
  /** Account that shall own the files and run the server, by name or number; for root only. */
  owner: z.union([z.string().regex(/^[\w.@-]+$/, 'must be the name of an account'), z.int().min(1)]).optional(),
  dryRun: z.boolean().default(false),
});

export type RecoveryTarget = z.infer<typeof recoverTo>;
export type RestoreOptions = z.infer<typeof schema> & { archiving: 'keep' | 'off' };

/** @throws HoldfastError `options-invalid` (invalid) naming the field */
export function parseRestoreOptions(
  context: Pick<RestoreContext, 'options' | 'moment' | 'targetResource'> & { backup: Pick<Backup, 'resourceId'> },
): RestoreOptions {
  const { moment, targetResource, backup } = context;
  const parsed = parseRestoreFields(
    schema,
    withTarget(context),
    'It needs `target`, the data folder to make; docs/postgresql-physical.md lists the rest.',
  );
  const isCopy = targetResource !== undefined && targetResource.id !== backup.resourceId;
  const data: RestoreOptions = { ...parsed, archiving: parsed.archiving ?? (isCopy ? 'off' : 'keep') };
  if (data.inclusive === false && (data.recoverTo === 'latest' || data.recoverTo === 'immediate'))
    throw invalid('`inclusive: false` needs a `recoverTo` with a time, a transaction or an LSN.');
  if (moment === undefined) return data;
  if (data.recoverTo !== undefined)
    throw invalid('`recoverTo` and a point in time exclude each other: the timestamp says where to recover to.');
  if (!isExactTime(moment))
    throw invalid(`"${moment}" does not say its time zone. Write it as RFC 3339: 2026-01-31T12:30:00Z.`);
  return { ...data, recoverTo: { time: moment } };
}

/** A resource says by its `dataFolder` where to restore to. */
function withTarget({ options, targetResource }: Pick<RestoreContext, 'options' | 'targetResource'>) {
  if (targetResource === undefined) return options;
  const { id, configuration } = targetResource;
  if (options.target !== undefined)
    throw invalid(
      `The restore goes into the resource "${id}", whose \`dataFolder\` says where that is: leave \`target\` away.`,
    );
  const { dataFolder } = parsePhysicalConfiguration(configuration);
  if (dataFolder !== undefined) return { ...options, target: dataFolder };
  const message = `The resource "${id}" does not say where its data folder is. Set \`dataFolder\` in its configuration, if that is on this machine, or restore to a folder by \`target\`.`;
  throw new HoldfastError('conflict', 'restore-target-unknown', message, { details: { targetResourceId: id } });
}

/** Without a zone it would be read in that of the restored server. */
function isExactTime(text: string): boolean {
  return /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d([.,]\d{1,9})?)?(Z|[+-]\d\d(:?\d\d)?)$/i.test(text) && isDate(text);
}

function isDate(text: string): boolean {
  return !Number.isNaN(Date.parse(`${text.slice(0, 10)}T${text.slice(11, 16)}Z`));
}

function isOneLine(text: string): boolean {
  return !/[\n\r\0]/.test(text);
}

function invalid(message: string): HoldfastError {
  return new HoldfastError('invalid', 'options-invalid', message);
}
