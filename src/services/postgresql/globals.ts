import { HoldfastError } from '../../core/errors.ts';
import { feed } from './archive-reading.ts';
import type { ClientTools } from './client-tools.ts';
import type { Connection } from './connection.ts';
import type { Session } from './session.ts';
import { startTool } from './tool-process.ts';

/** Duplicates, which an interrupted restore of globals leaves behind for the next one. */
const ALREADY_THERE = new Set(['42710', '42P06', '42P04']);

/** What was made of the globals, for the report. */
export interface GlobalsReport {
  /** Roles and tablespaces that were there already and stayed as they are. */
  kept: number;
}

/**
 * Runs the part of `globals.sql` that the target lacks. A role that is there stays as it is, password and all: the script's
 * statements about it are left out.
 *
 * @throws HoldfastError `postgresql-globals-failed` with the server's messages
 */
export async function restoreGlobals(
  script: string,
  { connection, tools, session }: { connection: Connection; tools: ClientTools; session: Session },
  signal: AbortSignal,
): Promise<GlobalsReport> {
  const existing = await existingNames(session);
  const lines = script.split('\n');
  const wanted = lines.filter((line) => !isAbout(line, existing));
  const args = ['--no-psqlrc', '--quiet', '--no-password', '--set=VERBOSITY=verbose', '--file=-'];
  const psql = startTool(tools.program('psql'), args, {
    environment: connection.toolEnvironment(connection.database),
    signal,
    name: 'psql',
  });
  psql.stdout.resume();
  try {
    await feed(once(Buffer.from(wanted.join('\n'))), psql);
    const end = await psql.ended;
    signal.throwIfAborted();
    const faults = serverErrors(end.stderr).filter(({ state }) => !ALREADY_THERE.has(state));
    if (end.exitCode === 0 && faults.length === 0) return { kept: existing.size };
    const said = faults.slice(0, 5).map(({ text }) => connection.withoutSecret(text));
    const message = `Roles and tablespaces were not all restored: ${said.join('; ') || `psql ended with ${end.exitCode ?? end.signal}`}. Make what is missing by hand (folders of tablespaces must exist), or restore without \`globals\`.`;
    throw new HoldfastError('conflict', 'postgresql-globals-failed', message);
  } finally {
    await psql.stop();
  }
}

/** Only what the server says in one line: what follows it repeats the statement, which may hold a password's hash. */
function serverErrors(stderr: string): { state: string; text: string }[] {
  return [...stderr.matchAll(/^psql:[^\n]*?: (?:ERROR|FATAL): +([0-9A-Z]{5}): (.*)$/gm)].map(([, state, text]) => ({
    state: state ?? '',
    text: text ?? '',
  }));
}

async function existingNames(session: Session): Promise<Set<string>> {
  const rows = await session.rows<{ name: string }>(
    `SELECT 'ROLE ' || quote_ident(rolname) AS name FROM pg_roles
     UNION ALL SELECT 'TABLESPACE ' || quote_ident(spcname) FROM pg_tablespace`,
  );
  return new Set(rows.map(({ name }) => name));
}

const STATEMENT = /^(?:CREATE|ALTER|COMMENT ON) ((?:ROLE|TABLESPACE) (?:"(?:[^"]|"")+"|[^\s;]+))/;

function isAbout(line: string, existing: ReadonlySet<string>): boolean {
  const name = STATEMENT.exec(line)?.[1];
  return name !== undefined && existing.has(name);
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
