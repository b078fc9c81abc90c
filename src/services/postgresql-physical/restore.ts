import { closeSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { HoldfastError, messageOf } from '../../core/errors.ts';
import type { SnapshotReader } from '../../core/ports/repository.ts';
import type { LogPiece, LogReading } from '../../core/ports/resource-log.ts';
import type { RestoreContext, ServiceRestore } from '../../core/ports/service.ts';
import { plannedNames, servicePlan } from '../../core/restore-plan.ts';
import type { Content } from '../../core/tree-entry.ts';
import { saysDamaged } from '../../core/validator.ts';
import { ClusterWriting } from './cluster-writing.ts';
import { isPassed } from './log-moments.ts';
import { type RecordedCluster, recordedCluster } from './recorded-cluster.ts';
import { planRecovery, type RecoveryPlan, recoverySettings, withSettings } from './recovery-settings.ts';
import { parseRestoreOptions, type RestoreOptions } from './restore-options.ts';
import { planTarget, requireRoom, TargetFolders, type TargetPlan } from './restore-target.ts';
import { beginFile, type FileOwner, naming } from './restore-task.ts';
import { restoreCommand, type WalGetCommand } from './wal-get-command.ts';

/**
 * Restores a cluster into a data folder that a server of the same major version starts and recovers to the moment asked for.
 * All is refused before anything is touched; the folder gets its name when all of it is on the disk.
 *
 * @param how `isDurable: false` waits for no disk: for a server that is thrown away
 * @throws HoldfastError those of `planTarget` and `planRecovery`, `options-invalid` (invalid), `target-space-short`,
 * `restore-write-failed` (unavailable), and those of damaged content (damaged), which name the file
 */
export async function restoreCluster(
  context: RestoreContext,
  walGet: WalGetCommand,
  { isDurable = true }: { isDurable?: boolean } = {},
): Promise<ServiceRestore> {
  const options = parseRestoreOptions(context);
  const reader = context.chain.at(-1)?.reader;
  if (reader === undefined)
    throw new HoldfastError('internal', 'chain-empty', 'A restore was begun without a backup to restore.');
  const cluster = recordedCluster(reader.record.serviceData, context.backup.id);
  const recovery = await recoveryFor(context, options, cluster, walGet);
  const target = await planTarget(options, cluster);
  if (recovery.asksHoldfast && target.owner !== null)
    context.warn(
      `The restored server runs as the account ${target.owner.uid} and gets WAL by "${recovery.command}": that account must be able to run this, and to read Holdfast's configuration, data folder and key. Otherwise name another way by \`restoreCommand\`; docs/postgresql-physical.md has one.`,
    );
  if (target.tablespaces.size === 0) await requireRoom(target, context.backup.size);
  context.signal.throwIfAborted();
  const job = { context, options, reader, cluster, recovery, target, isDurable };
  if (options.dryRun) return { report: { dryRun: true, ...describe(job) }, plan: planOf(job) };
  const written = await writeCluster(job);
  const { aside } = target.data;
  const moved = aside === undefined ? {} : { movedAside: aside };
  return { report: { dryRun: false, ...describe(job), ...moved, ...written } };
}

interface RestoreJob {
  context: RestoreContext;
  options: RestoreOptions;
  reader: SnapshotReader;
  cluster: RecordedCluster;
  recovery: RecoveryPlan;
  target: TargetPlan;
  isDurable: boolean;
}

async function recoveryFor(
  context: RestoreContext,
  options: RestoreOptions,
  cluster: RecordedCluster,
  walGet: WalGetCommand,
): Promise<RecoveryPlan & { asksHoldfast: boolean }> {
  const { backup, log, moment, signal, warn } = context;
  const pieces = options.restoreCommand === undefined ? ((await log?.pieces()) ?? []) : [];
  const asking = pieces.length === 0 ? undefined : restoreCommand(walGet(backup.resourceId));
  const command = options.restoreCommand ?? asking;
  if (command === undefined && moment !== undefined) {
    warn(
      `"${backup.resourceId}" has no log, so the moment itself cannot be had: restored is ${backup.id}, the newest backup before it, as it was at ${cluster.stoppedAt}.`,
    );
    const plan = planRecovery({ ...options, recoverTo: 'immediate' }, undefined, cluster, backup.id);
    return { ...plan, asksHoldfast: false };
  }
  const asksHoldfast = asking !== undefined;
  const recovery = { ...planRecovery(options, command, cluster, backup.id), asksHoldfast };
  const { target } = recovery;
  if (log !== undefined && pieces.length > 0 && typeof target === 'object' && 'time' in target)
    await warnUnlessPassed({ log, signal, warn }, target.time, pieces);
  return recovery;
}

/** A server that is to stop at a time takes WAL in which no transaction ended later for incomplete. */
async function warnUnlessPassed(
  { log, signal, warn }: Pick<RestoreContext, 'signal' | 'warn'> & { log: LogReading },
  time: string,
  pieces: readonly LogPiece[],
): Promise<void> {
  try {
    if (await isPassed(log, time, signal)) return;
  } catch (error) {
    signal.throwIfAborted();
    if (!saysDamaged(error)) throw error;
    warn(`The log is damaged, so whether the server can stop at ${time} is not known: ${messageOf(error)}`);
    return;
  }
  const storedAt = pieces.reduce((latest, { completedAt }) => Math.max(latest, Date.parse(completedAt)), 0);
  warn(
    `The log, stored last at ${new Date(storedAt).toISOString()}, has no transaction that ended after ${time}. Where none comes, the server ends with "recovery ended before configured recovery target was reached": restore then with \`recoverTo: "latest"\`.`,
  );
}

async function writeCluster(job: RestoreJob): Promise<{ files: number; bytes: number }> {
  const { context, reader, target, isDurable } = job;
  const folders = new TargetFolders(target);
  const writing = new ClusterWriting({
    reader,
    folder: latin1(folders.working),
    tablespaces: new Map([...target.tablespaces].map(([oid, each]) => [oid, latin1(each.path)])),
    owner: target.owner,
    isDurable,
    signal: context.signal,
    onBytes: progressOf(context),
  });
  try {
    await folders.make();
    const { settings, control } = await writing.writeAll();
    const own = await writeRecoveryFiles(job, folders.working, settings);
    await writing.sync(own);
    await writing.writeControl(control);
    await writing.sync([folders.working, ...[...target.tablespaces.values()].map((each) => each.path)].map(latin1));
    context.signal.throwIfAborted();
    await folders.finish();
    return writing.written;
  } catch (error) {
    await writing.settle();
    for (const folder of await folders.remove())
      context.warn(`${folder}, which this restore began, could not be removed. Remove it by hand.`);
    context.signal.throwIfAborted();
    throw error;
  }
}

/** Tells the server to recover, how far, and whence it gets WAL. @returns the places that were written */
async function writeRecoveryFiles(job: RestoreJob, folder: string, settings: Content | undefined): Promise<string[]> {
  const { context, options, reader, recovery, target } = job;
  const pieces: Uint8Array[] = [];
  if (settings !== undefined) for await (const piece of reader.read(settings)) pieces.push(Uint8Array.from(piece));
  const comment = `restored from ${context.backup.id}; how far it recovers:`;
  const text = withSettings(Buffer.concat(pieces).toString(), recoverySettings(recovery, options), comment);
  return [
    writeOwned(path.join(folder, 'postgresql.auto.conf'), text, target.owner),
    writeOwned(path.join(folder, 'recovery.signal'), '', target.owner),
  ];
}

function writeOwned(file: string, text: string, owner: FileOwner | null): string {
  const place = latin1(file);
  const descriptor = beginFile({ place, size: 0, mode: 0o600 }, owner);
  try {
    naming(place, () => writeFileSync(descriptor, text));
  } finally {
    closeSync(descriptor);
  }
  return place;
}

/** Nothing is ever lost, so folders are all that there is to tell. */
function planOf({ context, target }: RestoreJob) {
  const { path: folder, aside } = target.data;
  const tablespaces = [...target.tablespaces.values()].map((each) => each.path);
  return servicePlan({
    created: plannedNames([...(aside === undefined ? [folder] : []), ...tablespaces]),
    ...(aside === undefined
      ? {}
      : { replaced: plannedNames([`${folder} (is moved aside, to ${folder}.before-restore-TIME)`]) }),
    bytes: context.backup.size,
  });
}

function describe({ options, cluster, recovery, target }: RestoreJob): Readonly<Record<string, unknown>> {
  const { path: folder } = target.data;
  return {
    target: folder,
    tablespaces: Object.fromEntries([...target.tablespaces].map(([oid, each]) => [oid, each.path])),
    ...(target.owner === null ? {} : { owner: target.owner }),
    serverVersion: cluster.serverVersion,
    systemIdentifier: cluster.systemIdentifier,
    recoverTo: recovery.target,
    action: options.action,
    ...(recovery.command === undefined ? {} : { restoreCommand: recovery.command }),
    consistentFrom: { time: cluster.stoppedAt, lsn: cluster.stopLsn },
    start: `pg_ctl -D ${/^[\w./-]+$/.test(folder) ? folder : `'${folder.replaceAll("'", `'\\''`)}'`} start`,
    note: `Start it with the programs of PostgreSQL ${cluster.major}, as the account that owns the folder; another port is set by -o "-p PORT".`,
  };
}

function progressOf({ backup, report }: RestoreContext): (bytes: number, files: number) => void {
  let last = 0;
  return (doneBytes, doneFiles) => {
    const moment = performance.now();
    if (moment - last < 200) return;
    last = moment;
    const percent = backup.size === 0 ? 0 : Math.min(99, Math.floor((100 * doneBytes) / backup.size));
    report({ percent, phase: 'restoring', doneBytes, totalBytes: backup.size, doneFiles });
  };
}

function latin1(text: string): string {
  return Buffer.from(text).toString('latin1');
}
