import type { ServiceLog } from '../../core/ports/resource-log.ts';
import type { ResolveSecret } from '../postgresql/connection.ts';
import { parseLsn } from './wal-position.ts';
import { slotOf, walOf } from './wal-schema.ts';

/**
 * Keeps the WAL of PostgreSQL clusters as it is written, by physical replication.
 *
 * @param resolveSecret reads what a reference to a password names
 */
export function createPostgresqlLog(resolveSecret: ResolveSecret): ServiceLog {
  return {
    // A slot keeps WAL on the server's disk: none is made for somebody who did not ask for it.
    isKept: (configuration) => configuration.wal !== undefined && walOf(configuration).mode === 'stream',
    capture: async (context) => (await import('./capture.ts')).captureWal(context, resolveSecret),
    release: async (resource, now) => {
      // By another name it may still be the same server, whose slot is in use then.
      if (now !== undefined && slotOf(now) === slotOf(resource)) return;
      const { dropReplicationSlot } = await import('./capture.ts');
      await dropReplicationSlot(resource, resolveSecret);
    },
    moments: async (question) => (await import('./log-moments.ts')).momentsOfLog(question),
    // A history is some lines, and every backup of its timeline and of later ones needs it. A backup that begins in the middle of
    // a segment needs its beginning too.
    outlivesBackups: ({ facts, to }, oldest) =>
      facts.kind === 'history' || facts.partial === true || (oldest !== undefined && isNeededBy(oldest, to)),
  };
}

/** A standby's checkpoint, with which its backup begins, may be older than the backup. */
function isNeededBy(serviceData: Readonly<Record<string, unknown>>, end: string): boolean {
  const { startLsn } = serviceData;
  return typeof startLsn === 'string' && parseLsn(end) > parseLsn(startLsn);
}
