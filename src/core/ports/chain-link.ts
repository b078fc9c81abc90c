import type { Backup } from '../backup.ts';
import type { SnapshotReader } from './repository.ts';

/** A backup together with an open reader of its snapshot. */
export interface ChainLink {
  backup: Backup;
  reader: SnapshotReader;
}
