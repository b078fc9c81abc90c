import { type Archive, feed } from './archive-reading.ts';
import { type Connection, inheritedEnvironment } from './connection.ts';
import { withKnownSettings } from './known-settings.ts';
import { toolFailure, toolMessages } from './tool-failure.ts';
import { startTool } from './tool-process.ts';

export interface ScriptRestore {
  into: string;
  archive: Archive;
  connection: Connection;
  warn(message: string): void;
  onBytes(bytes: number): void;
}

export interface Script {
  /** Of pg_restore, other than where its output goes. */
  args: readonly string[];
  /** Statements that come before it. */
  before?: readonly string[];
  inOneTransaction: boolean;
}

/**
 * Restores a dump by the script that pg_restore makes of it and psql runs, which lets us have a say in the script.
 * @throws HoldfastError those of tools
 */
export async function restoreByScript(
  { args, before = [], inOneTransaction }: Script,
  { archive, connection, into, warn, onBytes }: ScriptRestore,
  signal: AbortSignal,
): Promise<void> {
  const { tools, stored, database } = archive;
  const reading = startTool(tools.program('pg_restore'), [...args, '--file=-'], {
    environment: { ...inheritedEnvironment(), LC_ALL: 'C' },
    signal,
    name: 'pg_restore',
  });
  const options = ['--no-psqlrc', '--quiet', '--no-password', '--set=ON_ERROR_STOP=1'];
  if (inOneTransaction) options.push('--single-transaction');
  const writing = startTool(tools.program('psql'), [...options, '--file=-'], {
    environment: connection.toolEnvironment(into),
    signal,
    name: 'psql',
  });
  writing.stdout.resume();
  const feeding = feed(counted(stored.bytes(database.dump, signal), onBytes), reading);
  feeding.catch(() => undefined);
  const context = { connection, database: into };
  /** psql commits at the end of its input, so that must not come before all is known to be well. */
  const script = async function* (): AsyncGenerator<Uint8Array> {
    yield Buffer.from(before.map((statement) => `${statement};\n`).join(''));
    yield* withKnownSettings(reading.stdout);
    await feeding;
    const end = await reading.ended;
    signal.throwIfAborted();
    if (end.exitCode !== 0) throw toolFailure(end, { ...context, tool: 'pg_restore' });
  };
  try {
    // A psql that stopped at an error reads no more: how it ended tells why.
    await feed(script(), writing, { untilClosed: true });
    const end = await writing.ended;
    signal.throwIfAborted();
    if (end.exitCode !== 0) throw toolFailure(end, { ...context, tool: 'psql' });
    for (const message of toolMessages(end.stderr)) warn(connection.withoutSecret(message));
  } finally {
    await Promise.allSettled([reading.stop(), writing.stop(), feeding]);
  }
}

/** Tells how many bytes were taken. */
export async function* counted(
  source: AsyncIterable<Uint8Array>,
  onBytes: (bytes: number) => void,
): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  for await (const piece of source) {
    yield piece;
    bytes += piece.length;
    onBytes(bytes);
  }
}
