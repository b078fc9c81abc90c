import type { CheckList } from '../../core/check-list.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { PostgresqlConfiguration } from './configuration.ts';
import type { Connection } from './connection.ts';
import {
  chosenTables,
  isChosenSchema,
  isSuperuserSession,
  listTables,
  READ_ALL_SINCE,
  readServerVersion,
  type UnreadableObject,
  unreadableLargeObjects,
  unreadableSequences,
  unreadableTables,
} from './database-facts.ts';
import { quoted, Session } from './session.ts';

export interface DatabaseTest {
  name: string;
  connection: Connection;
  configuration: PostgresqlConfiguration;
  list: CheckList;
}

const MOST_NAMED = 20;
const LOCK_SECONDS = 5;

/** Whether the role may read all that the backup of one database would hold, and by which statements it may. */
export async function testDatabase(test: DatabaseTest, signal: AbortSignal): Promise<void> {
  const { name, connection, configuration } = test;
  const session = await Session.open(connection, name, signal);
  try {
    // Asking for a table's size waits for its lock.
    await session.run(`SET lock_timeout = '${LOCK_SECONDS}s'`);
    const { major } = await readServerVersion(session);
    const tables = chosenTables(await listTables(session), configuration);
    const unreadable = [
      ...(await unreadableTables(session, tables)),
      ...(configuration.tables.include.length > 0 ? [] : await unreadableSequences(session)).filter(({ schema }) =>
        isChosenSchema(schema, configuration),
      ),
    ];
    tellOfTables(test, tables.length, unreadable, major);
    await tellOfLargeObjects(session, test, major);
  } catch (error) {
    if (!(error instanceof HoldfastError && error.code === 'postgresql-locked')) throw error;
    const message = `A table is locked by somebody for more than ${LOCK_SECONDS} s, so the tables were not looked at.`;
    const advice = `A backup waits for it up to ${configuration.lockTimeoutSeconds} s (\`lockTimeoutSeconds\`).`;
    test.list.warning(`database ${name}`, message, advice);
  } finally {
    await session.close();
  }
}

function tellOfTables(
  { name, connection, list }: DatabaseTest,
  count: number,
  unreadable: readonly UnreadableObject[],
  major: number,
): void {
  const check = `database ${name}`;
  const hidden = unreadable.filter(({ lacks }) => lacks === 'BYPASSRLS');
  const closed = unreadable.filter(({ lacks }) => lacks !== 'BYPASSRLS');
  const user = quoted(connection.user);
  if (closed.length > 0)
    list.failed(
      check,
      `The role "${connection.user}" cannot read ${named(closed)}.`,
      major >= READ_ALL_SINCE ? `As a superuser: GRANT pg_read_all_data TO ${user};` : grantsFor(closed, user),
    );
  if (hidden.length > 0)
    list.failed(
      check,
      `Row-level security hides rows from the role "${connection.user}" in ${named(hidden)}.`,
      `As a superuser: ALTER ROLE ${user} BYPASSRLS;`,
    );
  if (unreadable.length === 0)
    list.ok(check, `${count} ${count === 1 ? 'table' : 'tables'}, all of which can be read.`);
}

function named(objects: readonly UnreadableObject[]): string {
  const more = objects.length > MOST_NAMED ? ` and ${objects.length - MOST_NAMED} more` : '';
  const first = objects.slice(0, MOST_NAMED).map(({ name, why }) => `${name} (${why})`);
  return `${first.join(', ')}${more}`;
}

function grantsFor(objects: readonly UnreadableObject[], user: string): string {
  const schemas = [...new Set(objects.map(({ schema }) => quoted(schema)))].slice(0, MOST_NAMED).join(', ');
  return `GRANT USAGE ON SCHEMA ${schemas} TO ${user}; GRANT SELECT ON ALL TABLES IN SCHEMA ${schemas} TO ${user}; GRANT SELECT ON ALL SEQUENCES IN SCHEMA ${schemas} TO ${user};`;
}

async function tellOfLargeObjects(
  session: Session,
  { name, connection, configuration, list }: DatabaseTest,
  major: number,
): Promise<void> {
  const { schemas, tables } = configuration;
  // With parts chosen, pg_dump leaves large objects away.
  if (schemas.include.length + tables.include.length > 0 || (await isSuperuserSession(session))) return;
  const { first, count } = await unreadableLargeObjects(session);
  if (count === 0) return;
  list.failed(
    `database ${name}`,
    `The role "${connection.user}" cannot read ${count} of its large objects${major >= READ_ALL_SINCE ? '; pg_read_all_data does not reach them' : ''}.`,
    `As their owner or a superuser: GRANT SELECT ON LARGE OBJECT ${first.join(', ')}${count > first.length ? ', …' : ''} TO ${quoted(connection.user)};`,
  );
}
