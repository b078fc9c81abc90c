import { HoldfastError } from '../../core/errors.ts';
import { printedName, type Selection, selectedTables, selectionOf } from './archive-selection.ts';
import type { Connection } from './connection.ts';
import type { StoredDatabase } from './contents.ts';
import { listTables } from './database-facts.ts';
import type { TableName } from './name-pattern.ts';
import { isSelection, type RestoreOptions } from './restore-options.ts';
import { quoted, Session } from './session.ts';

/**
 * create: make the database; fill-empty: it is there and holds nothing; add: what is chosen is not there yet; fill: rows into
 * empty tables; clean: replace what the backup has; replace: make it anew and drop the old one.
 */
export type PlannedAction = 'create' | 'fill-empty' | 'add' | 'fill' | 'clean' | 'replace';

export interface DatabasePlan {
  database: StoredDatabase;
  target: string;
  action: PlannedAction;
  selection: Selection | undefined;
  existing: ExistingDatabase | undefined;
}

export interface ExistingDatabase {
  schemas: ReadonlySet<string>;
  /** `schema.table`, of the tables that users made. */
  tables: ReadonlySet<string>;
  /** Those of the tables in question that hold a row. */
  filled: ReadonlySet<string>;
  isEmpty: boolean;
  /** The server's process that told all this, which may take a moment to go. */
  seenBy: number;
}

/**
 * What a restore would do to one database. Nothing is touched.
 * @throws HoldfastError `postgresql-target-exists`, `postgresql-database-in-use` (conflict), `postgresql-not-in-backup`,
 * `postgresql-database-missing` (not-found)
 */
export async function planDatabase(
  { database, target, options }: { database: StoredDatabase; target: string; options: RestoreOptions },
  connection: Connection,
  maintenance: Session,
  signal: AbortSignal,
): Promise<DatabasePlan> {
  const selection = selectionOf(database, options);
  const [there] = await maintenance.rows('SELECT FROM pg_database WHERE datname = $1', [target]);
  if (there === undefined) {
    if (options.dataOnly) throw dataWithoutDatabase(target);
    return { database, target, action: 'create', selection, existing: undefined };
  }
  const rowsMatter = options.dataOnly ? selectedTables(database, selection).map(nameOf) : [];
  const existing = await lookInto(target, rowsMatter, connection, signal);
  const action = actionFor({ database, target, selection, existing, options });
  if (action === 'clean' || action === 'replace') await refuseUsed(target, maintenance, existing.seenBy);
  return { database, target, action, selection, existing };
}

function actionFor(given: {
  database: StoredDatabase;
  target: string;
  selection: Selection | undefined;
  existing: ExistingDatabase;
  options: RestoreOptions;
}): PlannedAction {
  const { database, target, selection, existing, options } = given;
  const tables = selectedTables(database, selection).map(nameOf).map(printedName);
  if (options.dataOnly) {
    refuse(
      target,
      tables.filter((name) => !existing.tables.has(name)),
      'lacks the tables',
    );
    refuse(
      target,
      tables.filter((name) => existing.filled.has(name)),
      'has rows in',
    );
    return 'fill';
  }
  if (options.onExisting === 'drop') return 'replace';
  if (existing.isEmpty) return 'fill-empty';
  if (options.onExisting === 'clean') return 'clean';
  if (!isSelection(options)) throw targetExists(target, [...existing.tables], 'is there and not empty:');
  refuse(
    target,
    tables.filter((name) => existing.tables.has(name)),
    'has already',
  );
  return 'add';
}

function nameOf({ schema, name }: { schema: string; name: string }): TableName {
  return { schema, table: name };
}

function refuse(target: string, names: readonly string[], what: string): void {
  if (names.length > 0) throw targetExists(target, names, what);
}

function targetExists(target: string, names: readonly string[], what: string): HoldfastError {
  const named = names.slice(0, 10).join(', ');
  const more = names.length > 10 ? ` and ${names.length - 10} more` : '';
  const message = `The database "${target}" ${what} ${named === '' ? 'objects of users' : named}${more}. Nothing was changed. Choose another \`targetDatabase\`, or say by \`onExisting\` (clean or drop) that it may be replaced.`;
  return new HoldfastError('conflict', 'postgresql-target-exists', message, { details: { target } });
}

function dataWithoutDatabase(target: string): HoldfastError {
  const message = `There is no database "${target}" to put rows into. Leave \`dataOnly\` away, or restore with \`schemaOnly\` first.`;
  return new HoldfastError('not-found', 'postgresql-database-missing', message, { details: { target } });
}

/** @throws HoldfastError `postgresql-database-in-use` (conflict) naming who is connected */
export async function refuseUsed(target: string, maintenance: Session, ownProcess = 0): Promise<void> {
  const users = await maintenance.rows<{ usename: string | null; application: string | null; count: string }>(
    `SELECT usename, application_name AS application, count(*) AS count FROM pg_stat_activity
      WHERE datname = $1 AND pid NOT IN (pg_backend_pid(), $2) AND COALESCE(backend_type, 'client backend') = 'client backend'
      GROUP BY 1, 2 ORDER BY 3 DESC`,
    [target, ownProcess],
  );
  if (users.length === 0) return;
  const named = users
    .slice(0, 5)
    .map(
      ({ usename, application, count }) =>
        `${count} × ${usename ?? 'unknown'}${application ? ` (${application})` : ''}`,
    );
  const message = `The database "${target}" is in use: ${named.join(', ')}. Nothing was changed. End these connections, or restore under another name by \`targetDatabase\`.`;
  throw new HoldfastError('conflict', 'postgresql-database-in-use', message, { details: { target } });
}

async function lookInto(
  target: string,
  rowsMatter: readonly TableName[],
  connection: Connection,
  signal: AbortSignal,
): Promise<ExistingDatabase> {
  const session = await Session.open(connection, target, signal);
  try {
    const schemas = await session.rows<{ name: string }>('SELECT nspname AS name FROM pg_namespace');
    const tables = (await listTables(session)).map(nameOf);
    const filled: string[] = [];
    const { objects, pid } = await session.row<{ objects: string; pid: number }>(USER_OBJECTS);
    const there = new Set(tables.map(printedName));
    for (const name of rowsMatter)
      if (there.has(printedName(name)) && (await holdsRows(session, name))) filled.push(printedName(name));
    return {
      schemas: new Set(schemas.map(({ name }) => name)),
      tables: there,
      filled: new Set(filled),
      isEmpty: Number(objects) === 0,
      seenBy: pid,
    };
  } finally {
    await session.close();
  }
}

/** The first OID that users' objects get. */
const FIRST_USER_OID = 16_384;
const USER_OBJECTS = `SELECT (SELECT count(*) FROM pg_class WHERE oid >= ${FIRST_USER_OID} AND relpersistence <> 't'
      AND relkind IN ('r', 'p', 'v', 'm', 'S', 'f', 'c'))
  + (SELECT count(*) FROM pg_proc WHERE oid >= ${FIRST_USER_OID}) + (SELECT count(*) FROM pg_type WHERE oid >= ${FIRST_USER_OID}
      AND typtype IN ('e', 'd', 'r'))
  + (SELECT count(*) FROM pg_namespace WHERE oid >= ${FIRST_USER_OID} AND nspname !~ '^pg_(toast_)?temp')
  + (SELECT count(*) FROM pg_largeobject_metadata) AS objects,
  pg_backend_pid() AS pid`;

async function holdsRows(session: Session, { schema, table }: TableName): Promise<boolean> {
  const rows = await session.rows(`SELECT FROM ONLY ${quoted(schema)}.${quoted(table)} LIMIT 1`);
  return rows.length > 0;
}
