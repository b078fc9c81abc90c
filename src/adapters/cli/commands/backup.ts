import { readdir } from 'node:fs/promises';
import { addAbortSignal } from 'node:stream';
import { type Command, Option } from 'commander';
import type { Application } from '../../../core/application.ts';
import type { Backup, BackupMetadata, BackupType } from '../../../core/backup.ts';
import type { Configuration } from '../../../core/configuration.ts';
import { HoldfastError, systemErrorCode } from '../../../core/errors.ts';
import type { CommandSession } from '../command-session.ts';
import { ExitCode, usageError } from '../exit-codes.ts';
import { ensureFilesResource, type FilesSelection, filesSelection } from '../files-resource.ts';
import { followOperation } from '../follow-operation.ts';
import { count, formatBytes, formatDuration } from '../formatting.ts';
import { gathered, gatheredTags, wholeNumber } from '../option-values.ts';
import { startProgress } from '../progress-display.ts';

export interface BackupOptions {
  resource?: string;
  type?: BackupType;
  exclude?: string[];
  excludeFile?: string[];
  oneFileSystem?: boolean;
  replaceResource?: boolean;
  tag?: Record<string, string>;
  retentionDays?: number;
  encrypt: boolean;
  stdin?: boolean;
  document?: boolean;
}

export function define(command: Command, session: CommandSession): void {
  command
    .argument('[path...]', 'files and folders; "-" for a stream from standard input')
    .option('--resource <id>', 'resource to file the backup under (default: from host and path)')
    .addOption(
      new Option('--type <type>', 'what to read (default: incremental; the first one is full)').choices([
        'full',
        'incremental',
        'differential',
      ]),
    )
    .option('--exclude <pattern>', 'leave out what matches, in the syntax of .gitignore; may be repeated', gathered)
    .option('--exclude-file <file>', 'a file of such patterns; may be repeated', gathered)
    .option('--one-file-system', 'do not go into other file systems')
    .option('--replace-resource', 'let the resource have these paths although it had others')
    .option('--tag <name=value>', 'label of the backup; may be repeated', gatheredTags)
    .option('--retention-days <days>', 'days until the backup expires', wholeNumber(1))
    .option('--no-encrypt', 'store this backup in the clear')
    .option('--stdin', 'back up what comes from standard input as one stream; needs --resource')
    .option('--document', 'with --stdin: it is a JSON document')
    .addHelpText('after', EXAMPLES)
    .action((paths: string[], options: BackupOptions) => backUp(session, paths, options));
}

const EXAMPLES = `
Examples:
  holdfast backup /srv/shop --exclude node_modules --tag env=production
  set -o pipefail; pg_dump shop | holdfast backup --stdin --resource shop
  holdfast backup --resource shop-files            a resource that exists, as it is configured`;

async function backUp(session: CommandSession, paths: readonly string[], options: BackupOptions): Promise<void> {
  const isStream = options.stdin === true || paths.includes('-');
  checkUse(paths, options, isStream);
  const selection = isStream || paths.length === 0 ? undefined : await filesSelection(paths, options);
  const configuration = await session.configuration({ logLevel: 'silent' });
  session.deed = { action: 'backup.create', details: { resourceId: options.resource ?? paths } };
  const application = await openAndMakeRepository(session, configuration);
  const backup = isStream
    ? await backUpStream(session, application, options)
    : await backUpFiles(session, application, selection, options);
  session.deed = { action: 'backup.create', subject: backup.id, details: { resourceId: backup.resourceId } };
  for (const warning of backup.warnings) session.output.warn(warning);
  if (backup.warningCount > backup.warnings.length) {
    session.output.warn(`${backup.warningCount - backup.warnings.length} more warnings are not listed.`);
  }
  if (isPartial(backup)) session.exitCode = ExitCode.partial;
  session.output.result({ backup }, () => summaryLines(backup));
}

function checkUse(paths: readonly string[], options: BackupOptions, isStream: boolean): void {
  if (isStream) {
    if (paths.some((path) => path !== '-')) {
      throw usageError('stdin-and-paths', 'Give paths or standard input, not both: make two backups.');
    }
    if (options.resource === undefined) {
      throw usageError('resource-missing', 'A stream has no name of its own. Say what it is with --resource ID.');
    }
  } else if (options.document) {
    throw usageError('document-needs-stdin', '--document goes with --stdin.');
  } else if (paths.length === 0 && options.resource === undefined) {
    throw usageError('paths-missing', 'Say what to back up: PATH..., --stdin, or --resource ID of one that exists.');
  }
}

/**
 * The first backup on a machine makes repository and key file, as the first start of the service does. Later a missing
 * repository is an error: it may lie on a disk that is not mounted, and a new one would hide that.
 */
async function openAndMakeRepository(session: CommandSession, configuration: Configuration): Promise<Application> {
  return session.application(configuration, {
    initialise: await isNewDataFolder(configuration.dataFolder),
    onKeyFileMade: (path) => {
      session.output.warn(
        `A new key file was made: ${path}. Copy it to another machine or a password manager now: ` +
          'without it nothing restores.',
      );
    },
  });
}

async function isNewDataFolder(folder: string): Promise<boolean> {
  const names = await readdir(folder).catch((error: unknown) => {
    if (systemErrorCode(error) === 'ENOENT') return [];
    throw error;
  });
  return names.length === 0;
}

async function backUpFiles(
  session: CommandSession,
  application: Application,
  selection: FilesSelection | undefined,
  options: BackupOptions,
): Promise<Backup> {
  const resource =
    selection === undefined
      ? await application.resources.get(options.resource ?? '')
      : await ensureFilesResource(application, selection, options, session.output);
  const operation = await application.backups.start({
    resourceId: resource.id,
    type: options.type ?? (await defaultType(application, resource.id)),
    metadata: metadataFrom(options),
    encrypt: options.encrypt,
    createdBy: session.actor,
  });
  const ended = await followOperation(application, operation, session);
  const backupId = ended.backupId ?? ended.result?.backupId;
  if (typeof backupId === 'string') return application.backups.get(backupId);
  throw new HoldfastError('internal', 'backup-unnamed', `Operation ${ended.id} ended without naming its backup.`);
}

async function backUpStream(
  session: CommandSession,
  application: Application,
  options: BackupOptions,
): Promise<Backup> {
  const display = startProgress('backup', session.output.options);
  // An interruption may come while nobody reads; whoever reads next is told.
  process.stdin.on('error', () => undefined);
  try {
    return await application.backups.createPosted({
      resourceId: options.resource ?? '',
      service: options.document ? 'document' : 'stream',
      ...(options.type === undefined ? {} : { type: options.type }),
      metadata: metadataFrom(options),
      encrypt: options.encrypt,
      input: counted(addAbortSignal(session.signal, process.stdin), (doneBytes) =>
        display.report({ percent: 0, doneBytes }),
      ),
      createdBy: session.actor,
      signal: session.signal,
    });
  } finally {
    display.end();
    process.stdin.destroy();
  }
}

async function* counted(input: AsyncIterable<Uint8Array>, tell: (bytes: number) => void): AsyncIterable<Uint8Array> {
  let bytes = 0;
  for await (const piece of input) {
    bytes += piece.byteLength;
    tell(bytes);
    yield piece;
  }
}

/** Incremental where there is something to build on: asking for one where there is not would warn each time. */
async function defaultType(application: Application, resourceId: string): Promise<BackupType> {
  const service = (await application.resources.get(resourceId)).service;
  const types = application.services.find(({ name }) => name === service)?.backupTypes ?? [];
  const { items } = await application.backups.list({ resourceId }, { limit: 1 });
  return items.length > 0 && types.includes('incremental') ? 'incremental' : 'full';
}

function metadataFrom(options: BackupOptions): Partial<BackupMetadata> {
  return {
    ...(options.tag === undefined ? {} : { tags: options.tag }),
    ...(options.retentionDays === undefined ? {} : { retentionDays: options.retentionDays }),
  };
}

/** True where something could not be read. That another type was made than asked for warns once too and is no loss. */
function isPartial(backup: Backup): boolean {
  return backup.warningCount > (backup.requestedType === undefined ? 0 : 1);
}

function summaryLines(backup: Backup): string[] {
  const { statistics } = backup;
  const lines = [`${backup.id}  ${backup.type} backup of ${backup.resourceId}`];
  if (statistics.files) {
    const { total, new: fresh, changed, unmodified } = statistics.files;
    lines.push(`  ${count(total, 'file')}: ${fresh} new, ${changed} changed, ${unmodified} unmodified`);
  }
  const rate = statistics.readBytes / Math.max(0.001, statistics.durationMilliseconds / 1000);
  lines.push(
    `  ${formatBytes(backup.size)} in all; ${formatBytes(statistics.newBytes)} new, ${formatBytes(statistics.storedBytes)} stored`,
    `  in ${formatDuration(statistics.durationMilliseconds)}, ${formatBytes(Math.round(rate))}/s read`,
  );
  return lines;
}
