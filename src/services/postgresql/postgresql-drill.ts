import { HoldfastError } from '../../core/errors.ts';
import type { ServiceRestore } from '../../core/ports/service.ts';
import type { DrillContext, DrillFinding, DrillOutcome } from '../../core/ports/service-drill.ts';
import { schemaOf, storedArchive } from './archive-reading.ts';
import { judgeAll, OLDEST_MAJOR } from './assertion-checks.ts';
import { findClientTools } from './client-tools.ts';
import type { Contents } from './contents.ts';
import { restoreGlobals } from './globals.ts';
import { PrivateServer } from './private-server.ts';
import { restorePostgresql } from './restore.ts';
import { roleNamesIn } from './role-names.ts';
import type { RowsReport } from './row-comparison.ts';
import { checkPages, checkRelations } from './server-checks.ts';
import { findServerPrograms } from './server-programs.ts';
import { quoted, Session } from './session.ts';
import { StoredBackup } from './stored-backup.ts';

/** An empty cluster and its log. */
const CLUSTER_BYTES = 256 * 1024 * 1024;
/** Rows that go into a table of the same transaction are then not written to the log first. */
const SETTINGS = { wal_level: 'minimal', max_wal_senders: '0', max_wal_size: '128MB' };
/** The restored database beside what it took where it was backed up, which may have been packed more tightly. */
const GROWTH = 1.2;
const MAINTENANCE = 'holdfast_maintenance';

/**
 * Restores all databases of a backup into a private server with page checksums, by the code that restores them anywhere else, and
 * checks: rows as counted in the dump's snapshot, every page, every index, what the user asserts. The resource's own server is
 * neither needed nor touched.
 */
export async function drillPostgresql(context: DrillContext): Promise<DrillOutcome> {
  const { signal, folder, checks } = context;
  const stored = await StoredBackup.open(context.chain);
  const { contents } = stored;
  await context.requireRoom(roomFor(contents));
  const wanted = Math.max(contents.server.major, OLDEST_MAJOR);
  const programs = await findServerPrograms(wanted, { binaries: stored.binaries });
  const server = await PrivateServer.prepare({ programs, folder, signal });
  try {
    const dataFolder = await server.initialise();
    await start(server, dataFolder);
    await restore(context, stored, server);
    await checkRelations(server, MAINTENANCE, context);
    const restoredBytes = await measure(context, contents, server);
    const names = contents.databases.map(({ name }) => name);
    await judgeAll(context, names, { server, maintenance: MAINTENANCE });
    await server.stop('fast');
    await checkPages(server, dataFolder, checks);
    return { restoredBytes, software: { postgresql: programs.version } };
  } finally {
    await server.stop();
  }
}

/** Bytes of the restored databases as the server counts them. */
async function measure({ signal }: DrillContext, { databases }: Contents, server: PrivateServer): Promise<number> {
  const session = await Session.open(server.connection, MAINTENANCE, signal);
  try {
    const { bytes } = await session.row<{ bytes: string }>(
      'SELECT COALESCE(sum(pg_database_size(oid)), 0) AS bytes FROM pg_database WHERE datname = ANY ($1)',
      [databases.map(({ name }) => name)],
    );
    return Number(bytes);
  } finally {
    await session.close();
  }
}

function roomFor({ databases }: Contents): number {
  return CLUSTER_BYTES + Math.ceil(databases.reduce((sum, { bytes }) => sum + bytes, 0) * GROWTH);
}

/** The cluster's own database makes room for the backup's of that name. */
async function start(server: PrivateServer, dataFolder: string): Promise<void> {
  await server.start(dataFolder, { user: server.superuser, database: 'template1', settings: SETTINGS });
  const session = await Session.open(server.connection, 'template1');
  try {
    await session.run(`CREATE DATABASE ${MAINTENANCE} TEMPLATE template0`);
    await session.run('DROP DATABASE postgres');
  } finally {
    await session.close();
  }
}

async function restore(context: DrillContext, stored: StoredBackup, server: PrivateServer): Promise<void> {
  const { backup, chain, checks, signal, report, warn } = context;
  const { databases } = stored.contents;
  const tables = databases.flatMap((database) => database.tables).filter(({ rows }) => rows !== undefined);
  const largeObjects = databases.reduce((sum, each) => sum + each.largeObjects, 0);
  const connection = { ...server.connectionOptions, database: MAINTENANCE };
  const order = {
    ...{ backup, chain, signal, report, warn },
    options: { connection, tablespaces: false, jobs: 1 },
  };
  let rowsDiffer: HoldfastError | undefined;
  let counted = { tables: 0, rows: 0 };
  await checks.make(
    {
      name: 'restored',
      kind: 'integrity',
      description: 'A private PostgreSQL server takes roles and databases without an error',
      expected: databases.map(({ name }) => name).join(', '),
    },
    async () => {
      try {
        await makeRoles(context, stored, server);
        counted = countedBy(await restorePostgresql(order, async () => ''));
      } catch (error) {
        if (!(error instanceof HoldfastError) || error.code !== 'postgresql-rows-differ') throw meant(error, server);
        rowsDiffer = error;
      }
      context.dataReady();
      return { outcome: 'passed', found: `all of it, by PostgreSQL ${server.programs.version}` };
    },
  );
  await checks.make(
    {
      name: 'row-counts',
      kind: 'content',
      description: 'Every table has as many rows as were counted in the snapshot that the dump was made of',
      expected: `${tables.length} tables, ${tables.reduce((sum, { rows = 0 }) => sum + rows, 0)} rows, ${largeObjects} large objects`,
    },
    () => {
      if (rowsDiffer !== undefined) return differing(rowsDiffer);
      const isThere = tables.length > 0 || largeObjects > 0;
      return {
        outcome: isThere ? 'passed' : 'not-applicable',
        found: isThere
          ? `${counted.tables} tables, ${counted.rows} rows, the same in each`
          : 'no table whose rows were counted',
      };
    },
  );
  // A restore whose rows differ leaves nothing behind that could be looked at.
  if (rowsDiffer !== undefined) throw rowsDiffer;
}

/** What the restore itself counted when it compared. */
function countedBy({ report }: ServiceRestore): { tables: number; rows: number } {
  const sum = { tables: 0, rows: 0 };
  for (const { tables, rows } of report.databases as readonly RowsReport[]) {
    sum.tables += tables;
    sum.rows += rows;
  }
  return sum;
}

function differing(error: HoldfastError): DrillFinding {
  const tables = Array.isArray(error.details.tables) ? error.details.tables.map(String) : [];
  return { outcome: 'failed', found: tables[0] ?? error.message, details: tables.slice(0, 50) };
}

/** Those of the globals, and those that the dumps speak of: without globals they can log in nowhere and have no rights. */
async function makeRoles({ signal }: DrillContext, stored: StoredBackup, server: PrivateServer): Promise<void> {
  const { contents } = stored;
  const tools = await findClientTools(Math.max(server.programs.major, contents.tools.major), stored.binaries);
  const session = await Session.open(server.connection, MAINTENANCE, signal);
  try {
    if (contents.globals !== undefined) {
      const script = withoutTablespaces(await stored.text(contents.globals, signal));
      await restoreGlobals(script, { connection: server.connection, tools, session }, signal);
    }
    const names = new Set<string>();
    for (const database of contents.databases) {
      const { owner, privileges, settings } = database;
      for (const name of [
        owner,
        ...(privileges ?? []).map(({ grantee }) => grantee),
        ...settings.map(({ role }) => role),
      ])
        names.add(name);
      for (const name of roleNamesIn(await schemaOf(storedArchive({ stored, database, tools }), signal)))
        names.add(name);
    }
    const there = await session.rows<{ name: string }>('SELECT rolname AS name FROM pg_roles');
    for (const { name } of there) names.delete(name);
    for (const name of names) if (name !== '' && !name.startsWith('pg_')) await makeRole(session, name);
  } finally {
    await session.close();
  }
}

/** Words that were taken for names, and names that are too long, are none to make a role of; a role that is missed is told of by pg_restore. */
async function makeRole(session: Session, name: string): Promise<void> {
  try {
    await session.run(`CREATE ROLE ${quoted(name)}`);
  } catch (error) {
    if (!(error instanceof HoldfastError) || !NO_ROLE.has(String(error.details.sqlState))) throw error;
  }
}

/** duplicate_object, reserved_name, invalid_name. */
const NO_ROLE = new Set(['42710', '42939', '42602']);

/** The folders of tablespaces may be there on this machine, and belong to the server that was backed up. */
function withoutTablespaces(script: string): string {
  return script
    .split('\n')
    .filter((line) => !/^(CREATE|ALTER|COMMENT ON|GRANT .* ON|REVOKE .* ON) TABLESPACE /.test(line))
    .join('\n');
}

/** What this machine lacks is not the backup's fault; what an empty server refuses all the same is. */
function meant(error: unknown, { programs }: PrivateServer): unknown {
  if (!(error instanceof HoldfastError) || (error.kind !== 'internal' && !REFUSED.has(error.code))) return error;
  const { message, code, details } = error;
  const known = MISSING.find(({ pattern }) => pattern.test(message));
  if (known !== undefined)
    return new HoldfastError('unsupported', known.code, `${message} ${known.advice}`, { cause: error });
  if (!REFUSED.has(code)) return error;
  const said = `The backup does not restore into an empty server of PostgreSQL ${programs.version}: ${message}`;
  return new HoldfastError('damaged', 'postgresql-restore-failed', said, { cause: error, details });
}

/** What a server said no to that had nothing in it. */
const REFUSED = new Set(['postgresql-tool-failed', 'postgresql-globals-failed']);

const MISSING = [
  {
    pattern:
      /extension ".*" is not available|could not open extension control file|could not access file|could not load library/,
    code: 'postgresql-extension-missing',
    advice: 'Install the extension for the PostgreSQL server of this machine, which need not run.',
  },
  {
    pattern:
      /locale .*(not|does)|invalid (LC_COLLATE|LC_CTYPE|locale)|could not (create locale|open collator)|ICU is not supported/i,
    code: 'postgresql-locale-missing',
    advice: 'Make the locale on this machine (locale-gen).',
  },
];
