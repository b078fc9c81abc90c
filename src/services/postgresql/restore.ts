import { HoldfastError } from '../../core/errors.ts';
import type { RestoreContext, ServiceRestore } from '../../core/ports/service.ts';
import { restoreArchive } from './archive-restore.ts';
import { selectedTables } from './archive-selection.ts';
import { type ClientTools, findClientTools } from './client-tools.ts';
import { parsePostgresqlConfiguration } from './configuration.ts';
import { Connection, type ResolveSecret } from './connection.ts';
import type { StoredDatabase } from './contents.ts';
import { isSuperuserSession, readServerVersion } from './database-facts.ts';
import { restoreGlobals } from './globals.ts';
import { isSelection, parseRestoreOptions, type RestoreOptions } from './restore-options.ts';
import { type DatabasePlan, planDatabase, refuseUsed } from './restore-plan.ts';
import { restorePlanOf } from './restore-plan-answer.ts';
import { compareRows } from './row-comparison.ts';
import { Session } from './session.ts';
import { StoredBackup } from './stored-backup.ts';
import {
  applyProperties,
  createDatabase,
  dropDatabase,
  dropWorkingDatabase,
  renameDatabase,
  requireCreateRight,
  workingName,
} from './target-database.ts';

/**
 * Restores databases of a backup. All is planned and refused before anything is touched; a database that the restore makes
 * gets its name when it is complete and its rows were counted.
 */
export async function restorePostgresql(
  context: RestoreContext,
  resolveSecret: ResolveSecret,
): Promise<ServiceRestore> {
  const options = parseRestoreOptions(context.options);
  const stored = await StoredBackup.open(context.chain);
  const connection = await Connection.open(connectionOf(context, options), resolveSecret);
  const maintenance = await Session.open(connection, connection.database, context.signal);
  try {
    const { major } = await readServerVersion(maintenance);
    const isSuperuser = await isSuperuserSession(maintenance);
    refuseOlder(stored, major);
    const tools = await findClientTools(Math.max(major, stored.contents.tools.major), stored.binaries);
    const chosen = chosenDatabases(stored, options);
    const plans = await planAll(chosen, options, { connection, maintenance, context });
    const job = { context, options, stored, connection, maintenance, tools, major, isSuperuser };
    if (options.dryRun)
      return { plan: restorePlanOf(plans, stored.contents), report: { dryRun: true, ...describe(plans, job) } };
    const globals = options.globals ? await globalsOf(job) : undefined;
    const databases: Record<string, unknown>[] = [];
    for (const plan of plans) databases.push(await restoreDatabase(plan, job));
    const restoredBytes = plans.reduce((sum, { database }) => sum + database.dump.bytes, 0);
    return { restoredBytes, report: { dryRun: false, ...(globals === undefined ? {} : { globals }), databases } };
  } finally {
    await maintenance.close();
  }
}

interface RestoreJob {
  context: RestoreContext;
  options: RestoreOptions;
  stored: StoredBackup;
  connection: Connection;
  maintenance: Session;
  tools: ClientTools;
  /** Of the target's server. */
  major: number;
  isSuperuser: boolean;
}

function connectionOf({ resource, targetResource }: RestoreContext, options: RestoreOptions) {
  if (options.connection !== undefined && targetResource !== undefined) {
    const message = `The restore goes into the resource "${targetResource.id}", which says which server that is: leave \`connection\` away.`;
    throw new HoldfastError('invalid', 'options-invalid', message);
  }
  if (options.connection !== undefined) return options.connection;
  if (targetResource !== undefined) return parsePostgresqlConfiguration(targetResource.configuration).connection;
  if (resource?.service === 'postgresql') return parsePostgresqlConfiguration(resource.configuration).connection;
  const message = 'The resource of this backup is gone. Say by `connection` where to restore to.';
  throw new HoldfastError('invalid', 'restore-target-missing', message);
}

function refuseOlder({ contents: { server } }: StoredBackup, major: number): void {
  if (major >= server.major) return;
  const message = `The backup is of PostgreSQL ${server.version} and the target is version ${major}: what a newer server dumps, an older one may not understand. Restore into version ${server.major} or newer.`;
  throw new HoldfastError('unsupported', 'postgresql-target-older', message);
}

function chosenDatabases({ contents }: StoredBackup, options: RestoreOptions): StoredDatabase[] {
  const missing = options.databases?.filter((name) => !contents.databases.some((each) => each.name === name)) ?? [];
  if (missing.length > 0) {
    const message = `This backup has no database ${missing.map((name) => `"${name}"`).join(', ')}. It has ${contents.databases.map(({ name }) => `"${name}"`).join(', ')}.`;
    throw new HoldfastError('not-found', 'postgresql-not-in-backup', message, { details: { missing } });
  }
  const chosen = contents.databases.filter(({ name }) => options.databases?.includes(name) ?? true);
  if (chosen.length > 1 && options.targetDatabase !== undefined) {
    const message = '`targetDatabase` names one database, and this restore has several. Choose one by `databases`.';
    throw new HoldfastError('invalid', 'options-invalid', message);
  }
  if (chosen.length > 1 && isSelection(options)) {
    const message = 'Schemas and tables are chosen of one database. Choose it by `databases`.';
    throw new HoldfastError('invalid', 'options-invalid', message);
  }
  return chosen;
}

async function planAll(
  databases: readonly StoredDatabase[],
  options: RestoreOptions,
  { connection, maintenance, context }: { connection: Connection; maintenance: Session; context: RestoreContext },
): Promise<DatabasePlan[]> {
  const plans: DatabasePlan[] = [];
  for (const database of databases) {
    const target = options.targetDatabase ?? targetNameOf(database, databases.length, context);
    plans.push(await planDatabase({ database, target, options }, connection, maintenance, context.signal));
  }
  for (const { action, target } of plans)
    if (action === 'replace' && target === connection.database) throw replacesOwn(target);
  const made = plans.filter(({ action }) => action === 'create' || action === 'replace').map(({ target }) => target);
  if (made.length > 0) await requireCreateRight(maintenance, made);
  return plans;
}

/** Another resource says which databases are its own: a restore into it must not make or touch others unasked. */
function targetNameOf({ name }: StoredDatabase, count: number, { targetResource }: RestoreContext): string {
  if (targetResource === undefined) return name;
  const { databases } = parsePostgresqlConfiguration(targetResource.configuration);
  if (databases === 'all' || databases.includes(name)) return name;
  const [only] = databases;
  if (count === 1 && databases.length === 1 && only !== undefined) return only;
  const message = `The resource "${targetResource.id}" has no database "${name}". It has ${databases.map((each) => `"${each}"`).join(', ')}. Choose one database of the backup by \`databases\`, and say by \`targetDatabase\` where it goes.`;
  throw new HoldfastError('conflict', 'restore-target-databases-differ', message, {
    details: { targetResourceId: targetResource.id, database: name },
  });
}

function replacesOwn(target: string): HoldfastError {
  const message = `"${target}" cannot be replaced while Holdfast is connected to it. Name another database to connect to by \`connection.database\`, or use \`onExisting: clean\`.`;
  return new HoldfastError('conflict', 'postgresql-database-in-use', message, { details: { target } });
}

function describe(plans: readonly DatabasePlan[], { options, stored, tools }: RestoreJob): Record<string, unknown> {
  const databases = plans.map(({ database, target, action, selection, existing }) => {
    const tables = selectedTables(database, selection);
    return {
      database: database.name,
      target,
      action,
      drops: action === 'replace' || action === 'clean' ? [...(existing?.tables ?? [])].slice(0, 1000) : [],
      tables: tables.slice(0, 1000).map(({ schema, name, rows, bytes }) => ({ schema, name, rows, bytes })),
      tableCount: tables.length,
      rows: tables.reduce((sum, { rows = 0 }) => sum + rows, 0),
      bytes: tables.reduce((sum, { bytes }) => sum + bytes, 0),
      dumpBytes: database.dump.bytes,
    };
  });
  return { globals: options.globals && stored.contents.globals !== undefined, toolVersion: tools.version, databases };
}

async function globalsOf({ stored, connection, tools, maintenance, context }: RestoreJob) {
  const { globals } = stored.contents;
  if (globals === undefined) {
    const message = 'This backup has no globals: its resource was configured without. Leave `globals` away.';
    throw new HoldfastError('not-found', 'postgresql-not-in-backup', message);
  }
  const script = await stored.text(globals, context.signal);
  return restoreGlobals(script, { connection, tools, session: maintenance }, context.signal);
}

async function restoreDatabase(plan: DatabasePlan, job: RestoreJob): Promise<Record<string, unknown>> {
  const isMade = plan.action === 'create' || plan.action === 'replace';
  const rows = isMade ? await makeDatabase(plan, job) : await fillDatabase(plan, plan.target, job);
  return { database: plan.database.name, target: plan.target, action: plan.action, ...rows };
}

async function makeDatabase(plan: DatabasePlan, job: RestoreJob) {
  const { connection, maintenance, context, options, major } = job;
  const { database, target, selection } = plan;
  const working = workingName();
  try {
    await createDatabase(maintenance, working, database, major);
    const rows = await fillDatabase(plan, working, job);
    if (plan.action === 'replace') {
      await refuseUsed(target, maintenance);
      await dropDatabase(maintenance, target);
    }
    await renameDatabase(maintenance, working, target);
    if (selection === undefined) await applyProperties(maintenance, target, database, options, context.warn);
    return rows;
  } catch (error) {
    await dropWorking(working, connection, context.warn);
    throw error;
  }
}

/** By a connection of its own: that of the restore may be lost or cancelled. */
async function dropWorking(name: string, connection: Connection, warn: (message: string) => void): Promise<void> {
  try {
    const session = await Session.open(connection, connection.database);
    try {
      await dropWorkingDatabase(session, name);
    } finally {
      await session.close();
    }
  } catch {
    warn(`The unfinished database "${name}" could not be dropped. Drop it by hand.`);
  }
}

async function fillDatabase(plan: DatabasePlan, into: string, job: RestoreJob) {
  const { context, options, stored, connection, tools, major, isSuperuser } = job;
  const { database, selection } = plan;
  const archive = { stored, database, tools };
  const { warn, signal } = context;
  const onBytes = progressOf(context, database);
  await restoreArchive({ plan, into, archive, connection, major, isSuperuser, options, warn, onBytes }, signal);
  if (options.schemaOnly) return {};
  const isWhole = selection === undefined && !options.dataOnly && plan.action !== 'clean';
  const session = await Session.open(connection, into, signal);
  try {
    const tables = selectedTables(database, selection);
    return await compareRows(session, tables, isWhole ? database.largeObjects : undefined, signal);
  } finally {
    await session.close();
  }
}

function progressOf({ report }: RestoreContext, { name, dump }: StoredDatabase): (bytes: number) => void {
  let last = 0;
  return (doneBytes) => {
    const moment = performance.now();
    if (moment - last < 200) return;
    last = moment;
    const percent = dump.bytes === 0 ? 0 : Math.min(99, Math.floor((100 * doneBytes) / dump.bytes));
    report({ percent, phase: 'restoring', doneBytes, totalBytes: dump.bytes, current: name });
  };
}
