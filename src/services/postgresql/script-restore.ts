import { type Archive, feed } from './archive-reading.ts';
import { type Connection, inheritedEnvironment } from './connection.ts';
import { forOlderServer } from './older-server-sql.ts';
import { withStatementsFirst } from './script-head.ts';
import { toolFailure, toolMessages } from './tool-failure.ts';
import { startTool } from './tool-process.ts';

export interface ScriptRestore {
  into: string;
  archive: Archive;
  connection: Connection;
  /** Of the target's server. */
  major: number;
  warn(message: string): void;
  onBytes(bytes: number): void;
}

export interface Script {
  /** Of pg_restore, other than where its output goes. */
  args: readonly string[];
  /** All of it or nothing; with these statements first, where there are any. */
  transaction?: { first: readonly string[] };
}

/** More than what stands behind the end of a script's transaction. */
const HELD_BYTES = 4096;

/**
 * Restores a dump by the script that pg_restore makes of it and psql runs, which lets us have a say in the script.
 * @throws HoldfastError those of tools
 */
export async function restoreByScript(
  { args, transaction }: Script,
  { archive, connection, major, into, warn, onBytes }: ScriptRestore,
  signal: AbortSignal,
): Promise<void> {
  const { tools, stored, database } = archive;
  // A transaction of psql's own would end where the script ends one that it makes for each large object.
  const whole = transaction === undefined ? [] : ['--single-transaction'];
  const reading = startTool(tools.program('pg_restore'), [...args, ...whole, '--file=-'], {
    environment: { ...inheritedEnvironment(), LC_ALL: 'C' },
    signal,
    name: 'pg_restore',
  });
  const options = ['--no-psqlrc', '--quiet', '--no-password', '--set=ON_ERROR_STOP=1', '--file=-'];
  const writing = startTool(tools.program('psql'), options, {
    environment: connection.toolEnvironment(into),
    signal,
    name: 'psql',
  });
  writing.stdout.resume();
  const feeding = feed(counted(stored.bytes(database.dump, signal), onBytes), reading);
  feeding.catch(() => undefined);
  const context = { connection, database: into };
  const isWell = async (): Promise<void> => {
    await feeding;
    const end = await reading.ended;
    signal.throwIfAborted();
    if (end.exitCode !== 0) throw toolFailure(end, { ...context, tool: 'pg_restore' });
  };
  const sql = forOlderServer(reading.stdout, major);
  const script = transaction === undefined ? sql : withStatementsFirst(sql, transaction.first);
  try {
    // A psql that stopped at an error reads no more: how it ended tells why.
    await feed(withEndHeldBack(script, isWell), writing, { untilClosed: true });
    const end = await writing.ended;
    signal.throwIfAborted();
    if (end.exitCode !== 0) throw toolFailure(end, { ...context, tool: 'psql' });
    for (const message of toolMessages(end.stderr)) warn(connection.withoutSecret(message));
  } finally {
    await Promise.allSettled([reading.stop(), writing.stop(), feeding]);
  }
}

/** The end commits, so that must not come before all is known to be well. */
async function* withEndHeldBack(
  script: AsyncIterable<Uint8Array>,
  isWell: () => Promise<void>,
): AsyncGenerator<Uint8Array> {
  let held = Buffer.alloc(0);
  for await (const piece of script) {
    held = Buffer.concat([held, piece]);
    const free = held.length - HELD_BYTES;
    if (free <= 0) continue;
    yield held.subarray(0, free);
    held = held.subarray(free);
  }
  await isWell();
  yield held;
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
