import type { Command } from 'commander';
import type { Application } from '../../../core/application.ts';
import type { Backup } from '../../../core/backup.ts';
import type { ByteString, TreeEntry } from '../../../core/tree-entry.ts';
import { printable } from '../../../reports/table.ts';
import { chooseBackup } from '../choose-backup.ts';
import type { CommandSession } from '../command-session.ts';
import { displayPath, pathMembers, typedPath } from '../entry-path.ts';
import { usageError } from '../exit-codes.ts';
import { formatBytes, formatDuration, formatTime, localTimeZone } from '../formatting.ts';
import { gathered } from '../option-values.ts';
import { tagsText } from './list.ts';

interface ShowOptions {
  resource?: string;
  entries?: boolean;
  path?: string[];
}

export function define(command: Command, session: CommandSession): void {
  command
    .argument('<backup>', 'id of a backup, or "latest"')
    .option('--resource <id>', 'with "latest": of this resource')
    .option('--entries', 'list the files in it')
    .option('--path <path>', 'with --entries: only what is at or below this path; may be repeated', gathered)
    .action((reference: string, options: ShowOptions) => show(session, reference, options));
}

async function show(session: CommandSession, reference: string, options: ShowOptions): Promise<void> {
  const application = await session.application();
  const among = options.resource === undefined ? {} : { resourceId: options.resource };
  const backup = await chooseBackup(application, reference, among);
  if (!options.entries) {
    session.output.result({ backup }, () => backupLines(backup));
  } else if (backup.contentKind !== 'tree') {
    throw usageError(
      'content-is-no-tree',
      `${backup.id} holds a ${backup.contentKind}, no files. Leave --entries away.`,
    );
  } else {
    session.deed = { action: 'backup.entries', subject: backup.id };
    await writeEntries(session, application, backup, options.path?.map(typedPath));
  }
}

/** Entries are written as they are read: a backup may hold millions, more than fit into one object. */
async function writeEntries(
  session: CommandSession,
  application: Application,
  backup: Backup,
  paths: readonly ByteString[] | undefined,
): Promise<void> {
  const { output } = session;
  const { json } = output.options;
  if (json) await output.writePart(`{"backup":${JSON.stringify(backup)},"entries":[`);
  else output.note(`Times are in ${localTimeZone()}.`);
  let separator = '';
  for await (const entry of application.backups.entries(backup.id, paths)) {
    session.signal.throwIfAborted();
    await output.writePart(json ? separator + JSON.stringify(entryMembers(entry)) : `${entryLine(entry)}\n`);
    separator = ',';
  }
  if (json) await output.writePart(']}\n');
}

function backupLines(backup: Backup): string[] {
  const { statistics } = backup;
  const facts: [string, string | undefined][] = [
    ['ID', backup.id],
    ['Resource', `${backup.resourceId} (${backup.resourceType}, service ${backup.service})`],
    ['Type', backup.requestedType ? `${backup.type} (${backup.requestedType} was asked for)` : backup.type],
    ['Status', backup.status],
    [
      'Created',
      `${formatTime(backup.createdAt)} (${localTimeZone()}), in ${formatDuration(statistics.durationMilliseconds)}`,
    ],
    ['Expires', backup.expiresAt === undefined ? 'never' : formatTime(backup.expiresAt)],
    ['Held', backup.held ? 'yes' : undefined],
    ['Size', `${formatBytes(backup.size)}, ${formatBytes(backup.compressedSize)} compressed`],
    ['Read', `${formatBytes(statistics.readBytes)} of ${formatBytes(statistics.sourceBytes)}`],
    ['New', `${formatBytes(statistics.newBytes)}, ${formatBytes(statistics.storedBytes)} stored`],
    ['Files', filesText(backup)],
    ['Encrypted', backup.encrypted ? 'yes' : 'no'],
    ['Checksum', backup.checksum],
    ['Based on', backup.parentId],
    ['Full backup', backup.baseFullId],
    ['Derived from', backup.derivedFrom],
    ['Tags', tagsText(backup) || undefined],
    ['Repository', backup.repositoryId],
  ];
  const lines = facts.flatMap(([name, text]) => (text === undefined ? [] : [`${name.padEnd(12)} ${printable(text)}`]));
  return [...lines, ...backup.warnings.map((warning) => `Warning      ${printable(warning)}`)];
}

function filesText(backup: Backup): string | undefined {
  const { files } = backup.statistics;
  if (files === undefined) return undefined;
  return `${files.total}: ${files.new} new, ${files.changed} changed, ${files.unmodified} unmodified; ${files.directories} folders, ${files.other} others`;
}

const TYPE_LETTERS: Readonly<Record<TreeEntry['type'], string>> = {
  file: '-',
  directory: 'd',
  symlink: 'l',
  fifo: 'p',
  'character-device': 'c',
  'block-device': 'b',
  socket: 's',
};

/** As `ls -l` shows it. */
export function entryLine(entry: TreeEntry): string {
  const columns = [
    TYPE_LETTERS[entry.type] + permissionLetters(entry.mode),
    (entry.user ?? String(entry.uid)).padEnd(8),
    (entry.group ?? String(entry.gid)).padEnd(8),
    String(entry.size ?? '').padStart(12),
    formatTime(new Date(Number(entry.modifiedAt / 1_000_000n))),
    displayPath(entry.path),
  ];
  return columns.join(' ') + (entry.target === undefined ? '' : ` -> ${displayPath(entry.target)}`);
}

function permissionLetters(mode: number): string {
  const letters = [6, 3, 0].map((shift) => {
    const bits = (mode >> shift) & 7;
    return [bits & 4 ? 'r' : '-', bits & 2 ? 'w' : '-', bits & 1 ? 'x' : '-'];
  });
  SPECIAL_BITS.forEach(([bit, letter], index) => {
    const triple = letters[index];
    if (triple !== undefined && mode & bit) triple[2] = triple[2] === 'x' ? letter : letter.toUpperCase();
  });
  return letters.flat().join('');
}

const SPECIAL_BITS = [
  [0o4000, 's'],
  [0o2000, 's'],
  [0o1000, 't'],
] as const;

function entryMembers(entry: TreeEntry): Readonly<Record<string, unknown>> {
  const { type, mode, uid, gid, user, group, size, hardLinkGroup } = entry;
  return {
    ...pathMembers(entry.path),
    type,
    mode: mode.toString(8).padStart(4, '0'),
    uid,
    gid,
    user,
    group,
    size,
    modifiedAt: new Date(Number(entry.modifiedAt / 1_000_000n)).toISOString(),
    target: entry.target === undefined ? undefined : displayPath(entry.target),
    hardLinkGroup,
    extendedAttributes: entry.extendedAttributes?.map(({ name }) => displayPath(name)),
  };
}
