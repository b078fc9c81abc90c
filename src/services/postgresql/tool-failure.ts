import { HoldfastError } from '../../core/errors.ts';
import type { Connection } from './connection.ts';
import { conflictMessage, loginMessage } from './session.ts';
import type { ToolEnd } from './tool-process.ts';

export interface ToolContext {
  tool: string;
  database: string;
  connection: Pick<Connection, 'user' | 'place' | 'withoutSecret'>;
}

const UNREADABLE =
  /permission denied for (?:(?:table|sequence|schema|large object|view|materialized view|foreign table) .+|relation .+)/;
const MOST_LINES = 5;

/** The messages without `DETAIL`, `CONTEXT` and the statements: those repeat rows of tables. */
export function toolMessages(stderr: string): string[] {
  const lines = stderr.split('\n').map((line) => line.trim());
  return lines.filter((line) => MESSAGE.test(line) && !QUOTED.test(line));
}

const MESSAGE = /^(pg_dump|pg_dumpall|pg_restore|psql)(:\S*)?: /;
const QUOTED = /: (detail: (?!Error message from server)|hint|from TOC entry|The command was|Command was)/i;

/** What it means that a tool failed, to the one who asked for a backup or a restore. */
export function toolFailure(end: ToolEnd, { tool, database, connection }: ToolContext): HoldfastError {
  const said = connection.withoutSecret(spoken(end));
  const details = { tool, database, exitCode: end.exitCode, signal: end.signal };
  const make = (kind: HoldfastError['kind'], code: string, message: string) =>
    new HoldfastError(kind, code, message, { details });
  const unreadable = UNREADABLE.exec(said);
  if (unreadable !== null && tool.startsWith('pg_dump'))
    return make('denied', 'postgresql-unreadable', unreadableMessage(connection.user, database, unreadable[0]));
  const known = KNOWN.find(({ pattern }) => pattern.test(said));
  if (known !== undefined) return make(known.kind, known.code, known.message({ tool, database, connection }, said));
  if (end.signal !== null)
    return make(
      'unavailable',
      'postgresql-tool-killed',
      `${tool} of "${database}" was killed (${end.signal}). Look in the system's log for the reason, such as memory that ran out, and try again.`,
    );
  return make('internal', 'postgresql-tool-failed', `${tool} of "${database}" ended with ${end.exitCode}: ${said}`);
}

interface KnownFailure {
  pattern: RegExp;
  kind: HoldfastError['kind'];
  code: string;
  message(context: ToolContext, said: string): string;
}

const KNOWN: readonly KnownFailure[] = [
  {
    pattern: /conflict with recovery/,
    kind: 'unavailable',
    code: 'postgresql-standby-conflict',
    message: ({ database }, said) => conflictMessage(database, said),
  },
  {
    pattern: /server version mismatch/,
    kind: 'unsupported',
    code: 'postgresql-tool-older',
    message: ({ tool }, said) =>
      `${tool} is older than the server (${said}). Install the client tools of the server's version, or name their folder by \`binaries\`.`,
  },
  {
    pattern: /unsupported version \(.*\) in file header/,
    kind: 'unsupported',
    code: 'postgresql-tool-older',
    message: ({ tool }) =>
      `${tool} is older than the pg_dump that made this backup. Install client tools of at least that version, or name their folder by \`binaries\`.`,
  },
  {
    pattern: /(?:could not execute query|psql:\S+): ERROR: +role ".*" does not exist/,
    kind: 'not-found',
    code: 'postgresql-role-missing',
    message: ({ database }, said) =>
      `The restore into "${database}" stopped: ${said}. Restore the globals too (\`globals: true\`), or leave owners and privileges away (\`owners: false\`, \`privileges: false\`).`,
  },
  {
    pattern:
      /password authentication failed|no password supplied|no pg_hba.conf entry|authentication failed|FATAL: +role ".*" does not exist/,
    kind: 'denied',
    code: 'postgresql-login-refused',
    message: ({ connection }, said) => loginMessage(connection, said),
  },
  {
    pattern: /canceling statement due to lock timeout/,
    kind: 'unavailable',
    code: 'postgresql-locked',
    message: ({ database }, said) =>
      `A table of "${database}" is locked by somebody else: ${said}. Try later, or raise \`lockTimeoutSeconds\`.`,
  },
  {
    pattern:
      /terminating connection|PQgetCopyData\(\) failed|server closed the connection|connection to server .* (failed|was lost)|could not connect|the database system is/,
    kind: 'unavailable',
    code: 'postgresql-unreachable',
    message: ({ tool, database, connection }, said) =>
      `${tool} lost its connection to "${database}" on ${connection.place}: ${said}. See whether the server runs and the database is still there, and try again.`,
  },
  {
    pattern: /No space left on device|could not extend file/,
    kind: 'unavailable',
    code: 'postgresql-disk-full',
    message: ({ tool, database }, said) =>
      `${tool} of "${database}" found a full disk: ${said}. Make room and try again.`,
  },
];

export function unreadableMessage(user: string, database: string, what: string): string {
  return `The role "${user}" cannot read all of "${database}": ${what}. Nothing was backed up. Grant it pg_read_all_data, or before PostgreSQL 14 USAGE of schemas and SELECT on tables and sequences (docs/postgresql.md), or exclude by \`schemas\` and \`tables\` what it should not read.`;
}

function spoken(end: ToolEnd): string {
  const errors = toolMessages(end.stderr).filter((line) => /: (error|fatal|detail): /i.test(line));
  const lines = errors.length > 0 ? errors : toolMessages(end.stderr).slice(-2);
  return lines.slice(0, MOST_LINES).join(' ');
}
