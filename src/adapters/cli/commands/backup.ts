import { addAbortSignal } from 'node:stream';
import { type Command, Option } from 'commander';
import type { Application } from '../../../core/application.ts';
import { BACKUP_TYPES, type Backup, type BackupMetadata, type BackupType } from '../../../core/backup.ts';
import { followBackup, tellBackup } from '../backup-outcome.ts';
import type { CommandSession } from '../command-session.ts';
import { usageError } from '../exit-codes.ts';
import { ensureFilesResource, type FilesSelection, filesSelection } from '../files-resource.ts';
import { openAndMakeRepository } from '../first-repository.ts';
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
      new Option('--type <type>', 'what to read (default: incremental; the first one is full)').choices(BACKUP_TYPES),
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
  const application = await openAndMakeRepository(session, configuration, { startThreads: !isStream });
  const backup = isStream
    ? await backUpStream(session, application, options)
    : await backUpFiles(session, application, selection, options);
  session.deed = { action: 'backup.create', subject: backup.id, details: { resourceId: backup.resourceId } };
  tellBackup(session, backup);
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
  return followBackup(application, operation, session);
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
