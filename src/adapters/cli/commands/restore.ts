import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import type { Application, RestoreOperation } from '../../../core/application.ts';
import type { Backup } from '../../../core/backup.ts';
import type { ContentDamage } from '../../../core/ports/repository.ts';
import type { RestorePlan } from '../../../core/restore-plan.ts';
import { chooseBackup, typedEnd, typedMoment } from '../choose-backup.ts';
import type { CommandSession } from '../command-session.ts';
import { ExitCode, usageError } from '../exit-codes.ts';
import { followOperation } from '../follow-operation.ts';
import { count, formatBytes, formatTime } from '../formatting.ts';
import { gathered } from '../option-values.ts';
import { planLines } from '../restore-plan-lines.ts';
import { writeContent } from '../write-content.ts';

interface RestoreOptions {
  resource?: string;
  at?: string;
  target?: string;
  inPlace?: boolean;
  toResource?: string;
  path?: string[];
  conflict?: 'fail' | 'skip' | 'overwrite' | 'newer';
  dryRun?: boolean;
  output?: string;
  allowDamaged?: boolean;
  options?: Readonly<Record<string, unknown>>;
}

export function define(command: Command, session: CommandSession): void {
  command
    .argument('<backup>', 'id of a backup, or "latest"')
    .option('--resource <id>', 'with "latest": of this resource')
    .option('--at <time>', 'with "latest": as things were at this time; exactly then, where a log is kept')
    .option('--target <folder>', 'folder to restore files into; for a database, the file to make')
    .option('--in-place', 'restore files or a database to where they came from')
    .option('--to-resource <id>', 'restore to where another resource of the same service is')
    .option('--path <path>', 'only this file or folder of the backup; may be repeated', gathered)
    .addOption(
      new Option('--conflict <strategy>', 'what to do where something is in the way (default: fail)').choices([
        'fail',
        'skip',
        'overwrite',
        'newer',
        'replace',
      ]),
    )
    .option('--dry-run', 'only tell what would be restored')
    .option('--output <file>', 'file to write a document or stream to; "-" for standard output')
    .option('--allow-damaged', 'give zeros for what is lost instead of stopping; ends with code 4')
    .option('--options <json>', "the service's own options, as one JSON object", jsonObject)
    .addHelpText('after', EXAMPLES)
    .action((reference: string, options: RestoreOptions) => restore(session, reference, options));
}

const EXAMPLES = `
Examples:
  holdfast restore latest --resource shop --output - | psql shop
  holdfast restore latest --resource shop-files --at "2026-01-31 12:00" --target /tmp/shop
  holdfast restore latest --resource shop-db --target /srv/shop/copy.db
  holdfast restore latest --resource cluster --at 2026-01-31T11:59:59.5Z --target /var/lib/postgresql/15/restored
  holdfast restore latest --resource shop-pg --options '{"targetDatabase": "shop_copy"}'
  holdfast restore latest --resource shop-pg --to-resource staging-pg --dry-run
  holdfast restore backup-01J... --path etc/nginx --in-place --conflict newer`;

async function restore(session: CommandSession, reference: string, options: RestoreOptions): Promise<void> {
  if (reference !== 'latest' && (options.resource !== undefined || options.at !== undefined)) {
    throw usageError('needs-latest', '--resource and --at choose among backups: use them with "latest".');
  }
  const at = options.at === undefined ? undefined : typedEnd(options.at, '--at');
  if (at !== undefined && options.resource === undefined) {
    throw usageError('resource-missing', 'Say whose state to restore: --at goes with --resource ID.');
  }
  const application = await session.application(undefined, { startThreads: true });
  const among = {
    ofOneResource: true,
    ...(options.resource === undefined ? {} : { resourceId: options.resource }),
    ...(at && { at }),
  };
  const backup = await chooseBackup(application, reference, among);
  requireFetched(application, backup, options);
  session.deed = { action: 'restore.create', subject: backup.id, details: { resourceId: backup.resourceId } };
  if (backup.service === 'files' && options.output !== undefined) {
    const message = `${backup.id} holds files, and --output is for what is one stream. Restore with --target FOLDER or --in-place.`;
    throw usageError('target-missing', message);
  }
  const isTree = backup.contentKind === 'tree' && options.output === undefined;
  if (isTree || isRestoredToPlace(application, backup, options))
    await restoreToPlace(session, application, backup, options);
  else await restoreContent(session, application, backup, options);
}

/** What was posted is put back by whoever posted it. */
function requireFetched(application: Application, { service }: Backup, { toResource, output }: RestoreOptions): void {
  if (toResource === undefined) return;
  if (output !== undefined) throw usageError('target-missing', 'Say where it goes: --to-resource ID or --output FILE.');
  if (application.services.some(({ name, source }) => name === service && source === 'fetched')) return;
  const message = `A ${service} is posted, and Holdfast cannot put it anywhere by itself: leave --to-resource away and use --output FILE.`;
  throw usageError('resource-is-posted', message);
}

/** What a service fetched by itself it can put back by itself, though its bytes may be had as a stream as well. */
function isRestoredToPlace(
  application: Application,
  backup: Backup,
  { output, target, inPlace, toResource, options }: RestoreOptions,
): boolean {
  const isPlaced = [target, inPlace, toResource, options].some((place) => place !== undefined);
  if (output !== undefined || !isPlaced) return false;
  return application.services.some(({ name, source }) => name === backup.service && source === 'fetched');
}

async function restoreToPlace(
  session: CommandSession,
  application: Application,
  backup: Backup,
  options: RestoreOptions,
): Promise<void> {
  const places = [options.target, options.inPlace, options.toResource ?? options.options];
  if (places.filter((place) => place !== undefined).length !== 1) {
    const message =
      'Say where it goes: --target FOLDER, --in-place or --to-resource ID, or for servers --options, one of them.';
    throw usageError('target-missing', message);
  }
  const operation = await begun(application, backup, options, session.actor);
  await followOperation(application, await application.operations.get(operation.id), session);
  const restored = await application.restores.get(operation.id);
  for (const warning of restored.warnings) session.output.warn(warning);
  if (restored.warnings.length > 0) session.exitCode = ExitCode.partial;
  const from = restored.backupId === backup.id ? backup : await application.backups.get(restored.backupId);
  session.output.result({ operation: restored }, () => [
    ...placeLines(from, restored, options),
    ...planLines(restored.result?.plan as RestorePlan | undefined),
  ]);
}

/** To a time, where there is a log, from the newest backup that was complete by then. */
async function begun(
  application: Application,
  backup: Backup,
  options: RestoreOptions,
  createdBy: string,
): Promise<RestoreOperation> {
  const { restores } = application;
  const request = {
    createdBy,
    ...(options.toResource === undefined ? {} : { targetResourceId: options.toResource }),
    options: serviceOptions(options),
  };
  const { resource: resourceId, at } = options;
  if (resourceId === undefined || at === undefined || !(await hasLog(application, resourceId)))
    return (await restores.restore({ ...request, backupId: backup.id })).operation;
  const timestamp = typedMoment(at, '--at');
  return (await restores.restorePointInTime({ ...request, resourceId, timestamp })).operation;
}

function serviceOptions(options: RestoreOptions): Readonly<Record<string, unknown>> {
  return {
    ...options.options,
    ...(options.inPlace ? { inPlace: true } : {}),
    ...(options.target === undefined ? {} : { target: resolve(options.target) }),
    ...(options.path === undefined ? {} : { paths: options.path }),
    ...(options.conflict === undefined ? {} : { conflict: options.conflict }),
    ...(options.dryRun ? { dryRun: true } : {}),
    ...(options.allowDamaged ? { allowDamaged: true } : {}),
  };
}

async function hasLog(application: Application, resourceId: string): Promise<boolean> {
  return (await application.logs.of(resourceId).pieces()).length > 0;
}

async function restoreContent(
  session: CommandSession,
  application: Application,
  backup: Backup,
  options: RestoreOptions,
): Promise<void> {
  const { output } = options;
  if (output === undefined) {
    const what = backup.contentKind === 'document' ? 'a document' : 'a stream';
    throw usageError('output-missing', `This backup holds ${what}: say where it goes with --output FILE, or "-".`);
  }
  if (options.dryRun) {
    session.output.result({ backup, output, dryRun: true }, () => [`Would write ${backup.id} to ${output}.`]);
    return;
  }
  const damages: ContentDamage[] = [];
  const onDamage = (damage: ContentDamage): void => {
    damages.push(damage);
    session.output.warn(`Lost: ${damage.length} bytes from byte ${damage.offset}; there are zeros in their place.`);
  };
  const { bytes } = await application.backups.content(
    backup.id,
    session.signal,
    options.allowDamaged ? { onDamage } : {},
  );
  const written = await writeContent(bytes, output, backup.size, session, options.conflict ?? 'fail');
  const place = output === '-' ? 'standard output' : output;
  const line = `Restored ${backup.id} of ${formatTime(backup.createdAt)}: ${formatBytes(written)} to ${place}.`;
  if (damages.length > 0) session.exitCode = ExitCode.damageFound;
  if (output === '-') session.output.note(line);
  else session.output.result({ backup, output, bytes: written, damages }, () => [line]);
}

function placeLines(backup: Backup, restored: RestoreOperation, options: RestoreOptions): string[] {
  const madeAt = restored.result?.target;
  const saidPlace = options.options === undefined ? 'where it came from' : 'where --options says';
  const ownPlace = typeof madeAt === 'string' ? madeAt : saidPlace;
  const place = options.toResource === undefined ? ownPlace : `the resource ${options.toResource}`;
  const where = options.target === undefined ? place : resolve(options.target);
  const isDry = options.dryRun === true || restored.result?.dryRun === true;
  const verb = isDry ? 'Would restore' : 'Restored';
  const counts = Object.entries(restored.result ?? {}).flatMap(([name, value]) => {
    if (typeof value !== 'number' || name === 'restoredBytes' || (value === 0 && name !== 'files')) return [];
    const words = name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
    return [`  ${words}: ${/bytes$/i.test(name) ? formatBytes(value) : value.toLocaleString('en-US')}`];
  });
  const databases = Array.isArray(restored.result?.databases) ? restored.result.databases.flatMap(databaseLine) : [];
  const aside = restored.result?.movedAside;
  const moved = typeof aside === 'string' ? [`  what was there is now ${aside}`] : [];
  const warnings = restored.warnings.length === 0 ? [] : [`  ${count(restored.warnings.length, 'warning')}`];
  const what = `${backup.id} of ${backup.resourceId}, ${formatTime(backup.createdAt)},`;
  return [`${verb} ${what} to ${where}.`, ...moved, ...databases, ...counts, ...serverLines(restored), ...warnings];
}

/** How far a restored server recovers, and how it is started. */
function serverLines({ result = {} }: RestoreOperation): string[] {
  const { recoverTo, start, note, dryRun } = result;
  if (typeof start !== 'string' || dryRun === true) return [];
  return [
    `  recovers to: ${recoveryTarget(recoverTo)}`,
    `  start: ${start}`,
    ...(typeof note === 'string' ? [`  ${note}`] : []),
  ];
}

/** `latest`, or `{ time: '2026-03-01T13:00:00Z' }` as `time 2026-03-01T13:00:00Z`. */
function recoveryTarget(target: unknown): string {
  if (typeof target !== 'object' || target === null) return String(target);
  return Object.entries(target)
    .map(([kind, value]) => `${kind} ${value}`)
    .join(', ');
}

/** `shop_copy: 3 tables, 10,050 rows`; the plan of a dry run says it in its own way. */
function databaseLine(restored: unknown): string[] {
  const { database, target = database, tables, rows } = restored as Record<string, unknown>;
  if (typeof tables !== 'number' || typeof rows !== 'number') return [];
  return [`  ${target}: ${count(tables, 'table')}, ${count(rows, 'row')}`];
}

function jsonObject(text: string): Readonly<Record<string, unknown>> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw usageError('options-malformed', '--options takes one JSON object, such as \'{"targetDatabase": "copy"}\'.');
}
