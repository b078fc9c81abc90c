import { access, constants } from 'node:fs/promises';
import { HoldfastError } from '../../core/errors.ts';
import type { DrillContext, DrillFinding, DrillRecorder } from '../../core/ports/service-drill.ts';
import type { PrivateServer } from './private-server.ts';
import { Session } from './session.ts';
import { startTool } from './tool-process.ts';

const MOST_FINDINGS = 50;
const KEPT_OUTPUT = 1 << 20;

/**
 * Has pg_amcheck look at every table and index of all databases: rows that are visible or not as they should be, TOAST, the order
 * of B-trees, and that each row is in each of its indexes.
 *
 * @param maintenance a database of the server to begin with
 */
export async function checkRelations(
  server: PrivateServer,
  maintenance: string,
  { checks, signal, report }: Pick<DrillContext, 'checks' | 'signal' | 'report'>,
): Promise<void> {
  report({ percent: 99, phase: 'checking tables and indexes' });
  await checks.make(
    {
      name: 'amcheck',
      kind: 'integrity',
      description: 'pg_amcheck finds every table and index sound, and every row in each of its indexes',
      expected: 'nothing found',
    },
    async () => {
      const missing = await amcheckMissing(server, maintenance, signal);
      return missing === undefined
        ? amcheck(server, maintenance, signal)
        : { outcome: 'not-applicable', found: missing };
    },
  );
}

async function amcheckMissing(
  server: PrivateServer,
  maintenance: string,
  signal: AbortSignal,
): Promise<string | undefined> {
  try {
    await access(server.programs.program('pg_amcheck'), constants.X_OK);
  } catch {
    return 'pg_amcheck is not installed beside the server';
  }
  const session = await Session.open(server.connection, maintenance, signal);
  try {
    const found = await session.rows(`SELECT FROM pg_available_extensions WHERE name = 'amcheck'`);
    return found.length > 0 ? undefined : 'the extension amcheck is not installed (postgresql-contrib)';
  } finally {
    await session.close();
  }
}

async function amcheck(server: PrivateServer, maintenance: string, signal: AbortSignal): Promise<DrillFinding> {
  const args = ['--all', `--maintenance-db=${maintenance}`, '--install-missing', '--heapallindexed', '--jobs=2'];
  const tool = startTool(server.programs.program('pg_amcheck'), [...args, '--no-password'], {
    environment: server.connection.toolEnvironment(maintenance),
    signal,
    name: 'pg_amcheck',
  });
  try {
    tool.stdin.end();
    let output = '';
    for await (const text of tool.stdout.setEncoding('utf8')) if (output.length < KEPT_OUTPUT) output += text;
    const end = await tool.ended;
    signal.throwIfAborted();
    if (end.exitCode === 0) return { outcome: 'passed', found: 'nothing found' };
    const findings = output.split('\n').filter((line) => line.trim() !== '');
    // 2: corruption was found, and told on standard output. All else means that it could not look.
    if (end.exitCode === 2 && findings.length > 0)
      return { outcome: 'failed', found: findings.slice(0, 2).join(' '), details: findings.slice(0, MOST_FINDINGS) };
    const message = `pg_amcheck could not look at the restored databases: ${end.stderr.trim().split('\n').slice(0, 3).join(' ')}`;
    throw new HoldfastError('unsupported', 'postgresql-amcheck-failed', message);
  } finally {
    await tool.stop();
  }
}

/**
 * Has pg_checksums read every page of a data folder whose server was stopped in an orderly way.
 * Where the cluster has no page checksums, or the program is missing, the check does not apply.
 */
export async function checkPages(server: PrivateServer, dataFolder: string, checks: DrillRecorder): Promise<void> {
  await checks.make(
    {
      name: 'page-checksums',
      kind: 'integrity',
      description: 'Every page on the disk has the checksum that it was written with',
      expected: '0 bad checksums',
    },
    async () => {
      try {
        await access(server.programs.program('pg_checksums'), constants.X_OK);
      } catch {
        return { outcome: 'not-applicable', found: 'pg_checksums is not installed beside the server' };
      }
      return judgePages(server, dataFolder);
    },
  );
}

async function judgePages(server: PrivateServer, dataFolder: string): Promise<DrillFinding> {
  try {
    const { stdout } = await server.run('pg_checksums', ['--check', '--pgdata', dataFolder]);
    const blocks = /Blocks scanned: +(\d+)/.exec(stdout)?.[1];
    return { outcome: 'passed', found: `0 bad checksums in ${blocks ?? 'all'} pages` };
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== 'postgresql-private-server-failed') throw error;
    if (/not enabled/.test(error.message))
      return { outcome: 'not-applicable', found: 'the cluster has no page checksums' };
    const bad = error.message.split('\n').filter((line) => /checksum verification failed/.test(line));
    if (bad.length === 0) throw error;
    return { outcome: 'failed', found: bad[0] ?? '', details: bad.slice(0, MOST_FINDINGS) };
  }
}
