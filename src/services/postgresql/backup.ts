import { createHash } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { HoldfastError } from '../../core/errors.ts';
import { inParallel } from '../../core/parallel-work.ts';
import type { StoredStream } from '../../core/ports/repository.ts';
import type { BackupContext, ServiceBackup } from '../../core/ports/service.ts';
import { comparePaths, type TreeEntry } from '../../core/tree-entry.ts';
import { lookForClientTools, oldestSufficient } from './client-tools.ts';
import { type PostgresqlConfiguration, parsePostgresqlConfiguration } from './configuration.ts';
import { Connection, connectionText, type ResolveSecret } from './connection.ts';
import { CONTENTS_PATH, type Contents, GLOBALS_PATH } from './contents.ts';
import { type DatabaseDump, type DumpContext, dumpDatabase, toolOutput } from './database-dump.ts';
import { listDatabases, readServerVersion, requireKnownVersion } from './database-facts.ts';
import { Session } from './session.ts';

const TASK_MODULE = new URL('./entry-task.ts', import.meta.url).href;

/**
 * Backs up databases with the client tools: each dump is a stream into the repository, uncompressed so that it deduplicates
 * against earlier ones, and all of them make one tree together with the globals and a list of what is in it.
 */
export async function backUpPostgresql(context: BackupContext, resolveSecret: ResolveSecret): Promise<ServiceBackup> {
  const { signal } = context;
  const configuration = parsePostgresqlConfiguration(context.resource.configuration);
  const connection = await Connection.open(configuration.connection, resolveSecret);
  const [{ server, names, first }, found] = await Promise.all([
    lookAround(connection, configuration, signal),
    lookForClientTools(configuration.binaries),
  ]);
  const tools = oldestSufficient(found, server.major);
  const dumping: DumpContext = {
    configuration,
    connection,
    tools,
    serverMajor: server.major,
    writer: context.writer,
    earlier: context.earlier,
    readers: readersOf(connection, configuration, names.length),
    databases: Math.min(configuration.jobs, names.length),
    warn: context.warn,
    onBytes: progressOf(context),
  };
  const globals = configuration.globals ? await storeGlobals(first, dumping, signal) : undefined;
  const dumps = await inParallel(names, { most: configuration.jobs, signal }, (name, ending) =>
    dumpDatabase(name, dumping, ending),
  );
  const contents: Contents = {
    format: 1,
    server,
    tools: { version: tools.version, major: tools.major },
    ...(globals === undefined ? {} : { globals: describeGlobals(globals, configuration) }),
    databases: dumps.map(({ database }) => database),
  };
  return storeTree(context, contents, dumps, globals, configuration);
}

/**
 * Sessions that read the rows of one database: where there are fewer databases than jobs, these share them. One by TCP keeps two processors busy that the server has
 * to share with us, and more cost more than they bring (decision 63).
 */
function readersOf({ isLoopback }: Connection, { jobs }: PostgresqlConfiguration, databases: number): number {
  if (isLoopback && availableParallelism() <= FEW_PROCESSORS) return 1;
  return Math.max(1, Math.floor(jobs / databases));
}

const FEW_PROCESSORS = 2;

/** The server's version and the databases to dump; `first` is where queries about the whole cluster go. */
async function lookAround(connection: Connection, { databases }: PostgresqlConfiguration, signal: AbortSignal) {
  const first = databases === 'all' ? connection.database : (databases[0] ?? connection.database);
  const session = await Session.open(connection, first, signal);
  try {
    const server = await readServerVersion(session);
    requireKnownVersion(server);
    const there = await listDatabases(session);
    const names = databases === 'all' ? there : [...new Set(databases)];
    const missing = names.filter((name) => !there.includes(name));
    if (missing.length > 0) throw databasesMissing(missing, connection);
    return { server, names, first };
  } finally {
    await session.close();
  }
}

function databasesMissing(missing: readonly string[], { place }: Connection): HoldfastError {
  const message = `There is no database ${missing.map((name) => `"${name}"`).join(', ')} on ${place} that accepts connections. Correct the resource's \`databases\`.`;
  return new HoldfastError('not-found', 'postgresql-database-missing', message, { details: { databases: missing } });
}

async function storeGlobals(database: string, dumping: DumpContext, signal: AbortSignal): Promise<StoredStream> {
  const { configuration, writer } = dumping;
  const args = [
    '--globals-only',
    `--database=${connectionText(database)}`,
    ...(configuration.rolePasswords ? [] : ['--no-role-passwords']),
  ];
  try {
    return await writer.writeStream(toolOutput('pg_dumpall', args, database, dumping, signal));
  } catch (error) {
    if (!(error instanceof HoldfastError) || !error.message.includes('pg_authid')) throw error;
    const message = `The role "${dumping.connection.user}" cannot read the passwords of roles: that takes a superuser, or since PostgreSQL 14 pg_read_all_data. Set \`rolePasswords: false\` to back the roles up without them.`;
    throw new HoldfastError('denied', 'postgresql-role-passwords-unreadable', message, { cause: error });
  }
}

function describeGlobals({ length, sha256 }: StoredStream, { rolePasswords }: PostgresqlConfiguration) {
  return { path: GLOBALS_PATH, bytes: length, sha256, rolePasswords };
}

async function storeTree(
  { writer }: BackupContext,
  contents: Contents,
  dumps: readonly DatabaseDump[],
  globals: StoredStream | undefined,
  { binaries }: PostgresqlConfiguration,
): Promise<ServiceBackup> {
  const text = Buffer.from(`${JSON.stringify(contents, null, 1)}\n`);
  const list = await writer.writeStream(once(text));
  const entries = [
    fileEntry(CONTENTS_PATH, list),
    { ...BASE, path: 'databases', type: 'directory', mode: 0o700, modifiedAt: now() } satisfies TreeEntry,
    ...dumps.map(({ database, stream }) => fileEntry(database.dump.path, stream)),
    ...(globals === undefined ? [] : [fileEntry(GLOBALS_PATH, globals)]),
  ].sort((a, b) => comparePaths(a.path, b.path));
  const encoder = writer.tasks<TreeEntry, Uint8Array>({ module: TASK_MODULE, options: {} });
  const tree = writer.beginTree();
  for (const entry of entries) {
    const bytes = await encoder.run(entry);
    await tree.append({ bytes, ends: Uint32Array.of(bytes.length), paths: [entry.path] });
  }
  const size = entries.reduce((sum, { size: bytes = 0 }) => sum + bytes, 0);
  return {
    type: 'full',
    root: await tree.finish(),
    size,
    // The list holds the SHA-256 of everything else.
    checksum: `sha256:${createHash('sha256').update(text).digest('hex')}`,
    isDelta: false,
    readBytes: size,
    sourceBytes: size,
    serviceData: {
      serverVersion: contents.server.version,
      toolVersion: contents.tools.version,
      databases: contents.databases.map(({ name }) => name),
      ...(binaries === undefined ? {} : { binaries }),
    },
  };
}

const BASE = { uid: 0, gid: 0 };
const now = (): bigint => BigInt(Date.now()) * 1_000_000n;

function fileEntry(path: string, { length, root }: StoredStream): TreeEntry {
  return { ...BASE, path, type: 'file', mode: 0o600, modifiedAt: now(), size: length, content: root.content };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

function progressOf({ report }: BackupContext): DumpContext['onBytes'] {
  const done = new Map<string, number>();
  let last = 0;
  return (database, bytes) => {
    done.set(database, bytes);
    const moment = performance.now();
    if (moment - last < 200) return;
    last = moment;
    const doneBytes = done.values().reduce((sum, each) => sum + each, 0);
    report({ percent: 0, phase: 'dumping', doneBytes, current: database });
  };
}
