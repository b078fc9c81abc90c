import { CheckList } from '../../core/check-list.ts';
import { messageOf } from '../../core/errors.ts';
import type { ConnectionCheck, ConnectionTestContext } from '../../core/ports/connection-check.ts';
import type { Connection, ResolveSecret } from '../postgresql/connection.ts';
import { adviceFor, checkReach, checkSecrets } from '../postgresql/reach.ts';
import { replicationReadiness } from '../postgresql/replication-readiness.ts';
import { Session } from '../postgresql/session.ts';
import { type PhysicalConfiguration, parsePhysicalConfiguration } from './configuration.ts';
import { testFolder } from './folder-test.ts';
import { ReplicationSession } from './replication-session.ts';
import { readServerFacts, type ServerFacts } from './server-look.ts';

/** What a physical backup needs, from the password to a free replication slot. */
export async function testCluster(
  { configuration: given, signal }: ConnectionTestContext,
  resolveSecret: ResolveSecret,
): Promise<readonly ConnectionCheck[]> {
  const list = new CheckList(signal);
  const configuration = parsePhysicalConfiguration(given);
  const connection = await list.attempt('secrets', () => checkSecrets(configuration.connection, resolveSecret, list));
  if (connection === undefined) return list.checks;
  if ((await list.attempt('server', () => checkReach(connection, list, signal))) !== true) return list.checks;
  const facts = await list.attempt('replication', () => replicate(connection, configuration, list, signal));
  await list.attempt('settings', () => readSettings(connection, facts !== undefined, list, signal));
  const { transfer, dataFolder } = configuration;
  if (transfer === 'folder' && dataFolder !== undefined && facts !== undefined)
    await list.attempt('data folder', () => testFolder(dataFolder, { connection, facts, list, signal }));
  return list.checks;
}

/** The deed itself tells more surely than settings do. */
async function replicate(
  connection: Connection,
  { checksums }: PhysicalConfiguration,
  list: CheckList,
  signal: AbortSignal,
): Promise<ServerFacts | undefined> {
  let session: ReplicationSession | undefined;
  try {
    session = await ReplicationSession.open(connection, signal);
    const facts = await readServerFacts(session);
    list.ok('replication', `The server lets "${connection.user}" replicate.`);
    list.ok('version', `The server is PostgreSQL ${facts.version}, system ${facts.systemIdentifier}.`);
    if (!facts.dataChecksums && checksums !== 'off')
      list.warning(
        'data checksums',
        'Pages have no checksums, so damage of the source cannot be seen while it is backed up.',
        'With the server stopped: pg_checksums --enable -D DATA_FOLDER',
      );
    else list.ok('data checksums', facts.dataChecksums ? 'Pages have checksums.' : 'They are not looked at.');
    return facts;
  } catch (error) {
    signal.throwIfAborted();
    list.failed('replication', messageOf(error), adviceFor(messageOf(error)));
    return undefined;
  } finally {
    await session?.close();
  }
}

/** Told by an ordinary connection, which a backup does not need. */
async function readSettings(
  connection: Connection,
  replicates: boolean,
  list: CheckList,
  signal: AbortSignal,
): Promise<void> {
  let session: Session | undefined;
  try {
    session = await Session.open(connection, connection.database, signal);
  } catch (error) {
    signal.throwIfAborted();
    list.skipped(
      'settings',
      `An ordinary connection is refused (${messageOf(error)}) Backups work without one; they then lack the list of databases and the server's clock.`,
      `Add a line for "${connection.database}" to pg_hba.conf.`,
    );
    return;
  }
  try {
    for (const check of await replicationReadiness(session, signal)) {
      const { name, outcome, message, advice } = check;
      if (SHOWN_BY_REPLICATING.has(name)) {
        if (!replicates && outcome === 'failed') list.failed(name, message, advice);
      } else if (name === SLOTS && outcome === 'failed')
        list.warning(name, `${message} A backup goes on without one, and fails if the server removes WAL.`, advice);
      else list.checks.push(check);
    }
  } finally {
    await session.close();
  }
}

const SHOWN_BY_REPLICATING = new Set(['replication right', 'pg_hba.conf', 'data checksums']);
const SLOTS = 'max_replication_slots';
