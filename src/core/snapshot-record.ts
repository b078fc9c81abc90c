import type { Backup } from './backup.ts';
import type { ByteString, Content } from './tree-entry.ts';

/** Where a snapshot's bytes begin. */
export type SnapshotRoot =
  | { kind: 'stream'; length: number; content: Content }
  | { kind: 'tree'; length: number; entries: number; content: Content; lost?: readonly LostEntries[] };

/** A part of a tree that is lost: entries from `from` on, before `until` (to the end where that is absent). */
export interface LostEntries {
  from: ByteString;
  until?: ByteString;
  /** How many; absent where not even that is known. */
  entries?: number;
}

/**
 * What a snapshot object says: everything the catalogue knows of the backup, so that the catalogue can be rebuilt from the
 * repository alone, and where the bytes begin. `backup.id` is the snapshot's id.
 */
export interface SnapshotRecord {
  backup: Backup;
  root: SnapshotRoot;
  /** What the service wants to find again at restore time (a delta's base, source paths, the host's name). */
  serviceData: Readonly<Record<string, unknown>>;
}
