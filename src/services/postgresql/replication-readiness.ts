import { CheckList } from '../../core/check-list.ts';
import type { ConnectionCheck } from '../../core/ports/connection-check.ts';
import { readServerVersion } from './database-facts.ts';
import { quoted, type Session } from './session.ts';

/** The first version whose base backups have a manifest. */
export const BASE_BACKUP_SINCE = 13;
/** The first version that makes incremental base backups. */
const INCREMENTAL_SINCE = 17;

/** What physical backups and a continuous log need of a server, asked over an ordinary connection of the role that would do it. */
export async function replicationReadiness(session: Session, signal: AbortSignal): Promise<readonly ConnectionCheck[]> {
  const list = new CheckList(signal);
  const { major, version } = await readServerVersion(session);
  if (major < BASE_BACKUP_SINCE) {
    const message = `The server is PostgreSQL ${version}; physical backups need ${BASE_BACKUP_SINCE} or later, which sends a backup manifest.`;
    list.failed('version', message, 'Use the service `postgresql`, or upgrade the server.');
    return list.checks;
  }
  await list.attempt('replication right', () => replicationRight(session, list));
  await list.attempt('wal_level', () => walLevel(session, list));
  await list.attempt('max_wal_senders', () => freePlaces(session, list, SENDERS));
  await list.attempt('max_replication_slots', () => freePlaces(session, list, SLOTS));
  await list.attempt('summarize_wal', () => walSummaries(session, list, major));
  await list.attempt('pg_hba.conf', () => replicationLine(session, list));
  await list.attempt('data checksums', () => dataChecksums(session, list));
  return list.checks;
}

async function replicationRight(session: Session, list: CheckList): Promise<void> {
  const { user, allowed } = await session.row<{ user: string; allowed: boolean }>(
    'SELECT rolname AS user, rolreplication OR rolsuper AS allowed FROM pg_roles WHERE rolname = current_user',
  );
  if (allowed) list.ok('replication right', `The role "${user}" may replicate.`);
  else
    list.failed(
      'replication right',
      `The role "${user}" may not replicate.`,
      `As a superuser: ALTER ROLE ${quoted(user)} REPLICATION;`,
    );
}

async function walLevel(session: Session, list: CheckList): Promise<void> {
  const level = await setting(session, 'wal_level');
  if (level !== 'minimal') list.ok('wal_level', `wal_level is ${level}.`);
  else
    list.failed(
      'wal_level',
      'wal_level is minimal, so the log is not enough to restore from.',
      'As a superuser: ALTER SYSTEM SET wal_level = replica; then restart the server.',
    );
}

const SENDERS = { name: 'max_wal_senders', used: 'SELECT count(*) AS used FROM pg_stat_replication', needed: 2 };
const SLOTS = {
  name: 'max_replication_slots',
  used: 'SELECT count(*) AS used FROM pg_replication_slots',
  needed: 1,
};

async function freePlaces(
  session: Session,
  list: CheckList,
  { name, used: query, needed }: typeof SENDERS,
): Promise<void> {
  const most = Number(await setting(session, name));
  const { used } = await session.row<{ used: string }>(query);
  const free = most - Number(used);
  const message = `${used} of ${most} are in use.`;
  const advice = `As a superuser: ALTER SYSTEM SET ${name} = ${Number(used) + needed + 2}; then restart the server. Or drop what nobody uses.`;
  if (free < 1) list.failed(name, message, advice);
  else if (free < needed) list.warning(name, `${message} A base backup beside the log takes ${needed}.`, advice);
  else list.ok(name, message);
}

async function walSummaries(session: Session, list: CheckList, major: number): Promise<void> {
  if (major < INCREMENTAL_SINCE) {
    const message = `PostgreSQL ${major} makes no incremental base backups; ${INCREMENTAL_SINCE} and later do.`;
    list.skipped('summarize_wal', message);
    return;
  }
  if ((await setting(session, 'summarize_wal')) === 'on') list.ok('summarize_wal', 'summarize_wal is on.');
  else
    list.warning(
      'summarize_wal',
      'summarize_wal is off, so the server makes no incremental base backups.',
      'As a superuser: ALTER SYSTEM SET summarize_wal = on; SELECT pg_reload_conf();',
    );
}

/** Which line decides also depends on the address that we come from, which is not known here. */
async function replicationLine(session: Session, list: CheckList): Promise<void> {
  const name = 'pg_hba.conf';
  const { readable } = await session.row<{ readable: boolean }>(
    `SELECT has_table_privilege('pg_hba_file_rules', 'SELECT')
        AND has_function_privilege('pg_hba_file_rules()', 'EXECUTE') AS readable`,
  );
  if (!readable) {
    list.skipped(
      name,
      'The role may not read pg_hba.conf; whether it lets replication in shows at the first base backup.',
    );
    return;
  }
  const { user, lines } = await session.row<{ user: string; lines: string }>(
    `SELECT current_user AS user, count(*) AS lines FROM pg_hba_file_rules
      WHERE error IS NULL AND auth_method <> 'reject' AND 'replication' = ANY (database)
        AND (user_name && ARRAY['all', current_user::text]
             OR EXISTS (SELECT FROM unnest(user_name) u JOIN pg_roles r ON '+' || r.rolname = u
                         WHERE pg_has_role(current_user, r.oid, 'MEMBER')))`,
  );
  if (Number(lines) > 0)
    list.ok(name, `${lines} of its lines let "${user}" replicate, from the addresses that they name.`);
  else
    list.failed(
      name,
      `No line of pg_hba.conf lets "${user}" replicate: \`all\` in its second column does not mean replication.`,
      `Add a line such as "hostssl replication ${user} ADDRESS scram-sha-256", then SELECT pg_reload_conf();`,
    );
}

async function dataChecksums(session: Session, list: CheckList): Promise<void> {
  if ((await setting(session, 'data_checksums')) === 'on') list.ok('data checksums', 'Pages have checksums.');
  else
    list.warning(
      'data checksums',
      'Pages have no checksums, so damage of the source cannot be seen while it is backed up.',
      'With the server stopped: pg_checksums --enable -D DATA_FOLDER',
    );
}

async function setting(session: Session, name: string): Promise<string> {
  const { value } = await session.row<{ value: string | null }>('SELECT current_setting($1, true) AS value', [name]);
  return value ?? '';
}
