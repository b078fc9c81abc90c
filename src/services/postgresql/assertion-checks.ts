import { randomBytes } from 'node:crypto';
import { expectationText } from '../../core/assertion.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { DrillContext } from '../../core/ports/service-drill.ts';
import { Connection } from './connection.ts';
import { connectionSchema } from './connection-schema.ts';
import { READ_ALL_SINCE } from './database-facts.ts';
import { judgeQuery, type PostgresqlAssertion } from './postgresql-assertions.ts';
import type { PrivateServer } from './private-server.ts';
import { quoted, Session } from './session.ts';

/** Queries of users are asked by a role that may read everything and do nothing else. */
export const OLDEST_MAJOR = READ_ALL_SINCE;

interface Restored {
  server: PrivateServer;
  /** A database to connect to that assertions are not about. */
  maintenance: string;
}

/**
 * Asks a private server all that the user asserts.
 * @param databases names of those that were restored
 * @throws HoldfastError `postgresql-assertions-need-newer` (unsupported)
 */
export async function judgeAll(context: DrillContext, databases: readonly string[], restored: Restored): Promise<void> {
  if (context.assertions.length === 0) return;
  const connection = await readerOf(context, databases, restored);
  // Each assertion came through the service's own schema.
  for (const assertion of context.assertions as readonly PostgresqlAssertion[])
    await context.checks.make(
      {
        name: 'assertion',
        kind: 'assertion',
        description: assertion.name ?? 'The query gives what is asserted',
        subject: assertion.database === undefined ? assertion.sql : `${assertion.database}: ${assertion.sql}`,
        expected: expectationText(assertion),
      },
      () => {
        const database = databaseOf(assertion, databases);
        if (database !== undefined) return judgeQuery(assertion, connection, database, context.signal);
        return { outcome: 'failed', found: `no such database, or several: ${databases.join(', ')}` };
      },
    );
}

function databaseOf({ database }: PostgresqlAssertion, databases: readonly string[]): string | undefined {
  if (database === undefined) return databases.length === 1 ? databases[0] : undefined;
  return databases.find((name) => name === database);
}

/** A role that reads everything, row-level security or not, and may do nothing else: no superuser runs a user's query. */
async function readerOf(
  context: DrillContext,
  databases: readonly string[],
  { server, maintenance }: Restored,
): Promise<Connection> {
  requireReader(context, server.programs);
  const user = `holdfast_reader_${randomBytes(6).toString('hex')}`;
  const session = await Session.open(server.connection, maintenance, context.signal);
  try {
    await session.run(`CREATE ROLE ${user} LOGIN BYPASSRLS IN ROLE pg_read_all_data`);
    for (const name of databases) {
      await session.run(`ALTER DATABASE ${quoted(name)} CONNECTION LIMIT -1`);
      await session.run(`GRANT CONNECT ON DATABASE ${quoted(name)} TO ${user}`);
    }
  } finally {
    await session.close();
  }
  return new Connection(connectionSchema.parse({ ...server.connectionOptions, user }), '');
}

/**
 * To be called before anything is restored: whether the server can be asked what the user asserts.
 * @throws HoldfastError `postgresql-assertions-need-newer` (unsupported)
 */
export function requireReader(
  { assertions }: Pick<DrillContext, 'assertions'>,
  { major, version }: Pick<PrivateServer['programs'], 'major' | 'version'>,
): void {
  if (assertions.length === 0 || major >= OLDEST_MAJOR) return;
  const message = `Assertions need PostgreSQL ${OLDEST_MAJOR} or newer, which has a role that can only read; this is ${version}. Leave \`assertions\` away.`;
  throw new HoldfastError('unsupported', 'postgresql-assertions-need-newer', message);
}
