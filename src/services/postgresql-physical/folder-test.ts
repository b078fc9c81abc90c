import type { CheckList } from '../../core/check-list.ts';
import type { Connection } from '../postgresql/connection.ts';
import { Session } from '../postgresql/session.ts';
import { verifyRunsIn } from './live-folder.ts';
import { backupFunctions, OnlineBackup } from './online-backup.ts';
import type { ServerFacts } from './server-look.ts';

export interface FolderTestTools {
  connection: Connection;
  facts: ServerFacts;
  list: CheckList;
  signal: AbortSignal;
}

/** What a backup needs whose files are read beside the server: the folder itself, and the right to begin and end a backup. */
export async function testFolder(folder: string, { connection, facts, list, signal }: FolderTestTools): Promise<void> {
  const session = await Session.open(connection, connection.database, signal);
  try {
    const startedAt = await OnlineBackup.serverStart(session);
    await verifyRunsIn(folder, { systemIdentifier: facts.systemIdentifier, startedAt });
    list.ok('data folder', `The server works in ${folder}, and its files can be read.`);
    await list.attempt('backup functions', () => testFunctions(session, facts.major, connection.user, list));
  } finally {
    await session.close();
  }
}

async function testFunctions(session: Session, major: number, user: string, list: CheckList): Promise<void> {
  const missing: string[] = [];
  for (const name of backupFunctions(major)) {
    const { may } = await session.row<{ may: boolean }>(`SELECT has_function_privilege($1, 'EXECUTE') AS may`, [name]);
    if (!may) missing.push(name);
  }
  if (missing.length === 0) list.ok('backup functions', `"${user}" may begin and end backups.`);
  else
    list.failed(
      'backup functions',
      `"${user}" may not call ${missing.join(' and ')}.`,
      `As a superuser, in the database that \`connection\` names: ${missing.map((name) => `GRANT EXECUTE ON FUNCTION ${name} TO "${user}";`).join(' ')}`,
    );
}
