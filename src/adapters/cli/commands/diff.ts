import type { Command } from 'commander';
import type { Application } from '../../../core/application.ts';
import type { Backup } from '../../../core/backup.ts';
import { readCanonicalText } from '../../../core/json-document.ts';
import type { JsonValue } from '../../../core/json-value.ts';
import { printable } from '../../../reports/table.ts';
import { chooseBackup } from '../choose-backup.ts';
import type { CommandSession } from '../command-session.ts';
import { documentDifference } from '../document-difference.ts';
import { displayPath, pathMembers } from '../entry-path.ts';
import { usageError } from '../exit-codes.ts';
import { treeDifference } from '../tree-difference.ts';

const MARKS = { added: '+', removed: '-', changed: 'M' } as const;
type Counts = Record<keyof typeof MARKS, number>;

export function define(command: Command, session: CommandSession): void {
  command
    .argument('<before>', 'id of a backup, or "latest"')
    .argument('<after>', 'id of another')
    .option('--resource <id>', 'with "latest": of this resource')
    .addHelpText('after', '\n+ added, - removed, M changed. Exit code 0 whether they differ or not.')
    .action((before: string, after: string, options: { resource?: string }) => diff(session, before, after, options));
}

async function diff(
  session: CommandSession,
  before: string,
  after: string,
  options: { resource?: string },
): Promise<void> {
  const application = await session.application();
  const among = options.resource === undefined ? {} : { resourceId: options.resource };
  const old = await chooseBackup(application, before, among);
  const young = await chooseBackup(application, after, among);
  if (old.contentKind !== young.contentKind) {
    throw usageError(
      'contents-incomparable',
      `${old.id} holds a ${old.contentKind} and ${young.id} a ${young.contentKind}: they cannot be compared.`,
    );
  }
  session.deed = { action: 'backup.compare', subject: old.id, details: { with: young.id } };
  if (old.contentKind === 'tree') await diffTrees(session, application, old, young);
  else if (old.contentKind === 'document') await diffDocuments(session, application, old, young);
  else diffStreams(session, old, young);
}

/** Changes are written as they are found: there may be millions. */
async function diffTrees(session: CommandSession, application: Application, old: Backup, young: Backup): Promise<void> {
  const { output } = session;
  const { json } = output.options;
  const counts: Counts = { added: 0, removed: 0, changed: 0 };
  if (json)
    await output.writePart(`{"before":${JSON.stringify(old.id)},"after":${JSON.stringify(young.id)},"changes":[`);
  const changes = treeDifference(application.backups.entries(old.id), application.backups.entries(young.id));
  let separator = '';
  for await (const { kind, path, aspects } of changes) {
    session.signal.throwIfAborted();
    counts[kind]++;
    const which = aspects.length === 0 ? '' : `  (${aspects.join(', ')})`;
    if (json) await output.writePart(separator + JSON.stringify({ kind, ...pathMembers(path), aspects }));
    else await output.writePart(`${MARKS[kind]} ${displayPath(path)}${which}\n`);
    separator = ',';
  }
  if (json) await output.writePart(`],"summary":${JSON.stringify(counts)}}\n`);
  else output.note(countsText(counts));
}

async function diffDocuments(
  session: CommandSession,
  application: Application,
  old: Backup,
  young: Backup,
): Promise<void> {
  const changes = documentDifference(
    await documentOf(application, old, session.signal),
    await documentOf(application, young, session.signal),
  );
  const summary: Counts = { added: 0, removed: 0, changed: 0 };
  for (const { kind } of changes) summary[kind]++;
  session.output.result({ before: old.id, after: young.id, changes, summary }, () =>
    changes.map(({ kind, pointer }) => `${MARKS[kind]} ${printable(pointer) || '(the whole document)'}`),
  );
  session.output.note(countsText(summary));
}

function diffStreams(session: CommandSession, old: Backup, young: Backup): void {
  const equal = old.checksum === young.checksum && old.size === young.size;
  session.output.result({ before: old.id, after: young.id, equal, sizes: [old.size, young.size] }, () => [
    equal ? 'Both hold the same bytes.' : `They differ: ${old.size} bytes before, ${young.size} bytes after.`,
  ]);
}

async function documentOf(application: Application, backup: Backup, signal: AbortSignal): Promise<JsonValue> {
  const { bytes } = await application.backups.content(backup.id, signal);
  const pieces: Uint8Array[] = [];
  for await (const piece of bytes) pieces.push(Uint8Array.from(piece));
  return readCanonicalText(Buffer.concat(pieces));
}

function countsText({ added, removed, changed }: Counts): string {
  return `${added} added, ${removed} removed, ${changed} changed.`;
}
