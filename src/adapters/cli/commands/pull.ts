import path from 'node:path';
import { type Command, Option } from 'commander';
import type { Column } from '../../../reports/table.ts';
import type { CommandSession } from '../command-session.ts';
import { ExitCode, usageError } from '../exit-codes.ts';
import { formatBytes } from '../formatting.ts';
import { type ProgressDisplay, startProgress } from '../progress-display.ts';
import { addServiceOptions, type ServiceOptions, withService } from '../pull/called-service.ts';
import { addDownloadOptions, type DownloadOptions, requireOneBackup, timeAsked } from '../pull/download-options.ts';
import { pullToFile } from '../pull/pull-to-file.ts';
import { pullToPipe } from '../pull/pull-to-pipe.ts';
import type { ContentFacts, SnapshotServer } from '../pull/snapshot-server.ts';

interface PullOptions extends ServiceOptions, DownloadOptions {
  output?: string;
  conflict: 'fail' | 'overwrite';
  list?: boolean;
  format?: string;
  variant?: string;
  reason?: string;
  staleOk?: boolean;
}

export function define(command: Command, session: CommandSession): void {
  const choosing = addServiceOptions(
    command.argument('[resource]', 'what to download; default: what the server has as its default'),
  )
    .option('--output <file>', 'write a file instead of standard output; what was cut is gone on with')
    .addOption(new Option('--conflict <how>', 'if the file exists').choices(['fail', 'overwrite']).default('fail'))
    .option('--list', 'list what there is to download, and download nothing')
    .option('--format <name>', 'another one of the formats that the list names')
    .option('--variant <name>', 'which masked or reduced copy; "raw", the data itself, is given only so')
    .option('--stale-ok', 'of a copy that is not made yet: the newest older one that is, at once')
    .option('--reason <text>', 'what for, where your grant asks for it; the audit log of the service keeps it');
  addDownloadOptions(choosing)
    .addHelpText('after', HELP_AFTER)
    .action((resource: string | undefined, options: PullOptions) => pull(session, resource, options));
}

const HELP_AFTER = `
  holdfast pull shop | psql shop
  holdfast pull shop --output shop.sql
Exit codes: ${ExitCode.success} all of it came and is what the server announced, ${ExitCode.partial} it was cut off,
${ExitCode.refused} you are not known or may not have it, ${ExitCode.notFound} there is no such thing (or not for you), ${ExitCode.failure} anything else.`;

async function pull(session: CommandSession, resource: string | undefined, options: PullOptions): Promise<void> {
  requireSensible(options);
  await withService(session, options, async ({ server, url }) => {
    if (options.list) await list(session, server, resource);
    else await download(session, server, { resource, options, url });
  });
}

function requireSensible(options: PullOptions): void {
  const { output, list: isList } = options;
  requireOneBackup(options);
  if (!isList && output === undefined && process.stdout.isTTY)
    throw usageError('output-missing', 'Pipe it into a program, or name a file: --output FILE (- for the terminal).');
}

function queryOf(options: PullOptions): URLSearchParams {
  const { variant, reason, backup, format, mode, seal, tables, database, path: paths = [] } = options;
  const at = timeAsked(options.at);
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries({ variant, reason, at, backup, format, mode, seal, tables, database }))
    if (value !== undefined) query.set(name, value);
  if (options.staleOk === true) query.set('stale', 'ok');
  for (const each of paths) query.append('path', each);
  return query;
}

interface Wanted {
  resource: string | undefined;
  options: PullOptions;
  url: URL;
}

async function download(session: CommandSession, server: SnapshotServer, wanted: Wanted): Promise<void> {
  const { output } = wanted.options;
  const display = startProgress('pull', session.output.options);
  try {
    if (output === undefined || output === '-') await downloadToPipe(session, server, wanted, display);
    else await downloadToFile(session, server, { ...wanted, file: path.resolve(output) }, display);
  } finally {
    display.end();
  }
}

async function downloadToPipe(
  session: CommandSession,
  server: SnapshotServer,
  { resource, options }: Wanted,
  display: ProgressDisplay,
): Promise<void> {
  const content = await server.content(resource, queryOf(options), session.signal);
  const onBytes = (done: number) => report(display, done, content);
  const { bytes, hasDigest } = await pullToPipe(content, process.stdout, onBytes, session.signal);
  display.end();
  session.output.note(summary(content, bytes, hasDigest));
}

async function downloadToFile(
  session: CommandSession,
  server: SnapshotServer,
  { resource, options, url, file }: Wanted & { file: string },
  display: ProgressDisplay,
): Promise<void> {
  const query = queryOf(options);
  const { bytes, hasDigest, content } = await pullToFile({
    file,
    overwrite: options.conflict === 'overwrite',
    signal: session.signal,
    request: `${url.href}download/${resource ?? ''}?${query}`,
    fetch: (from) => server.content(resource, query, session.signal, from),
    onBytes: (done, of) => report(display, done, of),
    onResume: (offset) => session.output.note(`Going on after ${formatBytes(offset)} that are there already.`),
  });
  display.end();
  const { snapshotId, resourceId, createdAt } = content;
  session.output.result(
    { file, bytes, verified: hasDigest, backup: snapshotId, resource: resourceId, createdAt },
    () => [`${file}: ${summary(content, bytes, hasDigest)}`],
  );
}

function report(display: ProgressDisplay, doneBytes: number, { length }: ContentFacts): void {
  const percent = length ? Math.min(100, Math.floor((doneBytes / length) * 100)) : 0;
  display.report({ percent, doneBytes, ...(length === undefined ? {} : { totalBytes: length }) });
}

function summary(
  { resourceId, createdAt, snapshotId, newerId }: ContentFacts,
  bytes: number,
  hasDigest: boolean,
): string {
  const verified = hasDigest ? ', SHA-256 as announced' : '';
  return `${resourceId} of ${createdAt} (${snapshotId}), ${formatBytes(bytes)}${verified}${newerId === undefined ? '' : `; the copy of the newer ${newerId} is not made yet`}`;
}

async function list(session: CommandSession, server: SnapshotServer, resource: string | undefined): Promise<void> {
  const query = new URLSearchParams({ limit: '1000', ...(resource === undefined ? {} : { resource }) });
  const snapshots = await server.list(query, session.signal);
  session.output.table({ snapshots }, COLUMNS, snapshots, 'There is nothing that you may download.');
}

/** `reduced, masked (blocked), raw` */
function variantWords(variants: unknown): string {
  if (!Array.isArray(variants)) return '';
  return (variants as { name?: unknown; state?: unknown }[])
    .map(({ name, state }) => (state === 'ready' || state === 'on-demand' ? String(name) : `${name} (${state})`))
    .join(', ');
}

const COLUMNS: readonly Column<Record<string, unknown>>[] = [
  { heading: 'Resource', value: ({ resource }) => String(resource) },
  { heading: 'Time (UTC)', value: ({ createdAt }) => String(createdAt).slice(0, 19).replace('T', ' ') },
  {
    heading: 'Size',
    value: ({ size }) => (typeof size === 'number' ? formatBytes(size) : ''),
    align: 'right',
  },
  { heading: 'Formats', value: ({ formats }) => (Array.isArray(formats) ? formats.join(', ') : '') },
  { heading: 'Variants', value: ({ variants }) => variantWords(variants) },
  {
    heading: 'Proven',
    value: ({ proven }) =>
      typeof proven === 'object' && proven !== null && 'at' in proven ? String(proven.at).slice(0, 10) : '',
  },
  { heading: 'Backup', value: ({ id }) => String(id) },
];
