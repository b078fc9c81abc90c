import { type Command, InvalidArgumentError, Option } from 'commander';
import type { DownloadFormat } from '../../../core/download-format.ts';
import { VARIANT_NAME } from '../../../core/grant.ts';
import type { VariantOverview } from '../../../core/variant.ts';
import type { CommandSession } from '../command-session.ts';
import { followOperation } from '../follow-operation.ts';
import { formatBytes, formatTime, localTimeZone } from '../formatting.ts';

interface BuildOptions {
  backup?: string;
  format?: DownloadFormat;
  database?: string;
}

const FORMATS: readonly DownloadFormat[] = ['sql', 'sqlite', 'tar', 'zip', 'json', 'bytes'];

export function define(command: Command, session: CommandSession): void {
  command
    .command('build')
    .description('Make a masked or reduced copy of a backup, so that nobody has to wait for it.')
    .argument('<resource>', 'whose backup: the newest one, unless said otherwise')
    .argument('<variant>', 'as the masking policy names it', variantName)
    .option('--backup <id>', 'of this backup')
    .addOption(new Option('--format <name>', 'as this, where the backup can be several things').choices(FORMATS))
    .option('--database <name>', 'of a backup that holds several databases')
    .action((resourceId: string, variant: string, options: BuildOptions) =>
      build(session, resourceId, variant, options),
    );
  command
    .command('list')
    .description('List the copies of a resource that are kept, and why others cannot be made.')
    .argument('<resource>', 'whose')
    .action((resourceId: string) => list(session, resourceId));
  command
    .command('remove')
    .description('Remove what is kept of a copy, and forget why it could not be made. The backup stays.')
    .argument('<resource>', 'whose')
    .argument('<variant>', 'as the masking policy names it', variantName)
    .requiredOption('--backup <id>', 'of which backup')
    .action((resourceId: string, variant: string, { backup }: { backup: string }) =>
      remove(session, { resourceId, variant, snapshotId: backup }),
    );
}

function variantName(text: string): string {
  if (VARIANT_NAME.test(text)) return text;
  throw new InvalidArgumentError('Write the name of a variant.');
}

async function build(
  session: CommandSession,
  resourceId: string,
  variant: string,
  { backup: snapshotId, format, database }: BuildOptions,
): Promise<void> {
  const application = await session.application();
  session.deed = { action: 'variant.create', subject: resourceId, details: { variant, snapshotId } };
  const started = await application.variants.build(
    {
      ...{ resourceId, variant, createdBy: session.actor },
      ...(snapshotId === undefined ? {} : { snapshotId }),
      ...(format === undefined ? {} : { format }),
      ...(database === undefined ? {} : { database }),
    },
    session.signal,
  );
  const { result = {} } = await followOperation(application, started, session);
  session.output.result({ variant: result }, () => [
    `Made ${variant} of ${String(result.snapshotId)}: ${formatBytes(Number(result.size))} (${String(result.variantId)})`,
  ]);
}

async function list(session: CommandSession, resourceId: string): Promise<void> {
  const { declared, kept, blocks } = await (await session.application()).variants.list(resourceId);
  const rows = [...kept.map(lineOfKept), ...blocks.map(lineOfBlock), ...declared.flatMap(lineOfFault)];
  session.output.table<Line>(
    { declared, kept, blocked: blocks },
    [
      { heading: 'Variant', value: ({ variant }) => variant },
      { heading: 'Backup', value: ({ snapshotId }) => snapshotId },
      { heading: 'State', value: ({ state }) => state },
      { heading: `Since (${localTimeZone()})`, value: ({ since }) => (since === '' ? '' : formatTime(since)) },
      { heading: 'Size', value: ({ size }) => (size === undefined ? '' : formatBytes(size)), align: 'right' },
      { heading: 'Why', value: ({ why }) => why },
    ],
    rows,
    declared.length === 0
      ? `${resourceId} has no masking policy.`
      : 'No copies are kept. "holdfast variant build RESOURCE VARIANT" makes one.',
  );
}

interface Line {
  variant: string;
  snapshotId: string;
  state: string;
  /** RFC 3339 */
  since: string;
  size?: number;
  why: string;
}

function lineOfKept({ variant, size, createdAt, isCurrent }: VariantOverview['kept'][number]): Line {
  const { name, sourceId: snapshotId } = variant;
  const facts = { variant: name, snapshotId, since: createdAt, size };
  return isCurrent
    ? { ...facts, state: 'ready', why: '' }
    : { ...facts, state: 'outdated', why: 'Another policy or key made it; the next clean-up removes it.' };
}

function lineOfBlock({ variant, snapshotId, createdAt, message }: VariantOverview['blocks'][number]): Line {
  return { variant, snapshotId, state: 'blocked', since: createdAt, why: message };
}

function lineOfFault({ name, fault }: VariantOverview['declared'][number]): Line[] {
  return fault === undefined ? [] : [{ variant: name, snapshotId: '', state: 'blocked', since: '', why: fault }];
}

async function remove(
  session: CommandSession,
  what: { resourceId: string; snapshotId: string; variant: string },
): Promise<void> {
  const application = await session.application();
  session.deed = { action: 'variant.delete', subject: what.resourceId, details: { ...what } };
  const removed = await application.variants.remove(what);
  session.output.result({ removed }, () => [
    `Removed ${removed.length === 0 ? 'what was remembered of it' : removed.join(', ')}`,
  ]);
}
