import { randomBytes } from 'node:crypto';
import { HoldfastError } from '../../core/errors.ts';
import type { BackupJob } from './base-backup.ts';

/**
 * Has the server keep the WAL that a backup needs, by a temporary slot, which ends with its connection, whatever happens. Goes on with a
 * warning where none can be had.
 *
 * @param create makes a slot of this name
 */
export async function holdWal(
  { configuration, context: { resource, warn } }: BackupJob,
  create: (slot: string) => Promise<unknown>,
): Promise<void> {
  if (!configuration.temporarySlot) return;
  try {
    await create(`holdfast_backup_${randomBytes(6).toString('hex')}`);
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.kind === 'unavailable') throw error;
    warn(
      `No temporary replication slot could be had for the backup of "${resource.id}" (${error.message}) Without one, the server may remove WAL that a long backup needs; the backup then fails and says so. Raise \`max_replication_slots\`.`,
    );
  }
}
