import type { BackupContext } from '../../core/ports/service.ts';
import type { Connection } from '../postgresql/connection.ts';
import type { BackupPosition, SentTablespace } from './base-backup-stream.ts';
import type { ClusterStoring } from './cluster-storing.ts';
import type { PhysicalConfiguration } from './configuration.ts';
import type { IncrementalBase } from './incremental-base.ts';
import type { ReplicationSession } from './replication-session.ts';
import type { ServerFacts } from './server-look.ts';

/** What a base backup is made with. */
export interface BackupJob {
  context: BackupContext;
  configuration: PhysicalConfiguration;
  connection: Connection;
  session: ReplicationSession;
  facts: ServerFacts;
}

/** One that the server has begun. */
export interface BaseBackup {
  startLsn: string;
  /** bytes, about */
  totalBytes: number;
  /** What it builds on; absent for full ones. */
  base?: IncrementalBase;
  /** Stores all that it is and checks it by the manifest. */
  receive(storing: ClusterStoring): Promise<ReceivedBaseBackup>;
  /** To be called in any case; has the server give up what has not ended. */
  close(): Promise<void>;
}

export interface ReceivedBaseBackup {
  /** Of what is stored. */
  manifest: Buffer;
  end: BackupPosition;
  tablespaces: readonly SentTablespace[];
}
