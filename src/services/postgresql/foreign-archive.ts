import { HoldfastError } from '../../core/errors.ts';
import { feed } from './archive-reading.ts';
import { findClientTools } from './client-tools.ts';
import { inheritedEnvironment } from './connection.ts';
import { ALONE } from './download.ts';
import { forOlderServer } from './older-server-sql.ts';
import { toolFailure } from './tool-failure.ts';
import { startTool } from './tool-process.ts';

/**
 * Plain SQL of a custom archive (`pg_dump --format=custom`) that some other tool kept. Ends without an error only if the archive came to
 * its end and pg_restore was content with it.
 * @param head the archive's first bytes, 16 or more
 * @throws HoldfastError `postgresql-tool-missing`, `postgresql-tool-older` (unsupported), or what the source throws
 */
export async function* sqlOfForeignArchive(
  source: AsyncIterable<Uint8Array>,
  head: Uint8Array,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const tools = await findClientTools(oldestReader(head));
  const ending = new AbortController();
  const both = AbortSignal.any([signal, ending.signal]);
  const tool = startTool(tools.program('pg_restore'), [...ALONE, '--file=-'], {
    environment: { ...inheritedEnvironment(), LC_ALL: 'C' },
    signal: both,
    name: 'pg_restore',
  });
  const feeding = feed(source, tool);
  feeding.catch(() => ending.abort());
  try {
    yield* forOlderServer(tool.stdout);
    await feeding;
    signal.throwIfAborted();
    const end = await tool.ended;
    if (end.exitCode !== 0) throw unreadable(toolFailure(end, CONTEXT));
  } finally {
    ending.abort();
    await Promise.allSettled([feeding, tool.stop()]);
  }
}

const CONTEXT = {
  tool: 'pg_restore' as const,
  connection: { user: '', place: 'no server', withoutSecret: (text: string) => text },
  database: 'of the archive',
};

/** What pg_restore says may hold names of tables. */
function unreadable(cause: HoldfastError): HoldfastError {
  if (cause.kind === 'unavailable') return cause;
  const message =
    'The backup is an archive of pg_dump that is damaged or cut: pg_restore does not read it to its end. Take another one, and tell the operator.';
  return new HoldfastError('damaged', 'external-backup-damaged', message, { cause });
}

/** The oldest major version whose pg_restore knows the archive's format, by `K_VERS` in PostgreSQL's pg_backup_archiver.h. */
function oldestReader(head: Uint8Array): number {
  const [major, minor] = head.subarray('PGDMP'.length);
  if (major !== 1 || minor === undefined)
    throw new HoldfastError('damaged', 'external-content-differs', 'The backup is no archive of pg_dump after all.');
  if (minor <= 14) return 12;
  return minor === 15 ? 16 : 17;
}
