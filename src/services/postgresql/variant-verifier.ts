import { access, constants } from 'node:fs/promises';
import { HoldfastError } from '../../core/errors.ts';
import type { DrillFolders } from '../../core/ports/drill-folders.ts';
import type { SqlSealer } from '../../core/ports/sql-sealer.ts';
import type { VariantVerifier } from '../../core/ports/variant-verifier.ts';
import { withHead } from '../../core/stream-head.ts';
import { serverToLoadInto } from '../../core/variant-verification.ts';
import { feedChild } from '../../process/fed-child.ts';
import { OLDEST_MAJOR } from './assertion-checks.ts';
import { findClientTools } from './client-tools.ts';
import { loadRefusal, READABLE_COMPLAINTS } from './load-refusal.ts';
import { PrivateServer } from './private-server.ts';
import { findServerPrograms, type ServerPrograms } from './server-programs.ts';
import { startTool } from './tool-process.ts';

/** Bytes at the beginning of a dump that say of which server it is. */
const HEAD = 4096;
const DATABASE = 'variant';
/** For one statement, a table's rows or an index: one that never ends must not keep a server for ever. */
const PATIENCE_SECONDS = 3600;
/** Rows that go into a table of the same transaction are then not written to the log first. */
const SETTINGS = { wal_level: 'minimal', max_wal_senders: '0', max_wal_size: '128MB' };

export interface PostgresqlVariantVerifierParts {
  sealer: SqlSealer;
  /** For the server's files, removed on every path. */
  folders: DrillFolders;
  patienceSeconds?: number;
}

/**
 * Loads SQL of PostgreSQL as a developer does, sealed and in one transaction, into a server of its own that is thrown away. Keys, references and checks are
 * made behind the rows there, so that whatever is loaded to its end holds all of them.
 */
export function createPostgresqlVariantVerifier(parts: PostgresqlVariantVerifierParts): VariantVerifier {
  const { folders, sealer, patienceSeconds = PATIENCE_SECONDS } = parts;
  return {
    async verify(_material, bytes, signal) {
      await withHead(bytes, HEAD, async (head, dump) => {
        const programs = await serverFor(head.toString('latin1'));
        const folder = await folders.make();
        try {
          await load(dump, { programs, folder: folder.path, sealer, signal, patienceSeconds });
        } finally {
          await folder.remove();
        }
      });
    },
  };
}

interface LoadOptions {
  programs: ServerPrograms;
  folder: string;
  sealer: SqlSealer;
  signal: AbortSignal;
  patienceSeconds: number;
}

async function load(dump: AsyncIterable<Uint8Array>, options: LoadOptions): Promise<void> {
  const { programs, folder, sealer, signal, patienceSeconds } = options;
  const psql = await psqlOf(programs);
  const server = await PrivateServer.prepare({ programs, folder, signal });
  try {
    const dataFolder = await server.initialise();
    await server.start(dataFolder, { user: server.superuser, settings: SETTINGS });
    const sealed = sealer.seal(dump, { dialect: 'postgresql', mode: 'create', title: DATABASE });
    await runPsql(psql, sealed, { server, signal, patienceSeconds });
  } finally {
    await server.stop();
  }
}

async function runPsql(
  program: string,
  sealed: AsyncIterable<Uint8Array>,
  { server, signal, patienceSeconds: seconds }: { server: PrivateServer; signal: AbortSignal; patienceSeconds: number },
): Promise<void> {
  const { connection } = server;
  const tool = startTool(program, ['--no-psqlrc', '--quiet', ...READABLE_COMPLAINTS, '--file', '-'], {
    ...{ environment: connection.toolEnvironment(connection.database), signal, name: 'psql' },
  });
  tool.stdout.resume();
  const patience = { seconds, exceeded: () => tooSlow(server.programs.version, seconds) };
  const { exitCode, stderr } = await feedChild(tool, sealed, { signal, patience });
  if (exitCode !== 0) throw loadRefusal(stderr, server.programs.version);
}

function tooSlow(version: string, seconds: number): HoldfastError {
  const message = `The variant cannot be loaded: PostgreSQL ${version} was busy with one statement for ${seconds} seconds, and was ended. Take verify: load out of the policy if the tables are that large.`;
  return new HoldfastError('unavailable', 'variant-load-failed', message, { details: { seconds } });
}

/** As new as the server that was dumped: an older one may not know what is in the dump. */
function serverFor(head: string): Promise<ServerPrograms> {
  const major = Number.parseInt(/^-- Dumped from database version (\d+)/m.exec(head)?.[1] ?? '0', 10);
  return serverToLoadInto(() => findServerPrograms(Math.max(major, OLDEST_MAJOR)));
}

async function psqlOf({ program, major }: ServerPrograms): Promise<string> {
  const own = program('psql');
  try {
    await access(own, constants.X_OK);
    return own;
  } catch {
    // Some packages have client programs in a folder of their own.
    return (await findClientTools(major)).program('psql');
  }
}
