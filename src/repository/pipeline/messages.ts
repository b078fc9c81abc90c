import type { ErrorKind } from '../../core/errors.ts';
import type { StorageModuleReference } from '../../core/ports/storage.ts';
import type { IndexedPack } from '../index-segment.ts';
import type { SharedIndex } from '../index-store.ts';
import type { KeyringSecrets } from '../keyring.ts';
import type { WrittenPack } from '../pack-writer.ts';
import type { RepositorySettings } from '../settings.ts';
import type { ChunkPlace } from './session-callbacks.ts';

/** What a worker thread is started with. */
export interface WorkerStart {
  storage: StorageModuleReference;
  settings: RepositorySettings;
}

/** Opens a session (one snapshot written or read) in a worker thread. */
export interface OpenSession {
  keyring: KeyringSecrets;
  index: SharedIndex;
  /** Present exactly when the session writes. */
  writing?: { claims: SharedArrayBuffer; encrypt: boolean };
}

export type ToWorker =
  | { type: 'open'; session: number; open: OpenSession }
  | {
      type: 'task';
      session: number;
      task: number;
      module: string;
      options: Readonly<Record<string, unknown>>;
      payload: unknown;
    }
  | { type: 'flush'; session: number; task: number }
  | { type: 'close'; session: number; task: number; abort: boolean }
  | { type: 'pack-information'; request: number; pack: IndexedPack }
  | { type: 'chunk-places'; request: number; places: readonly ChunkPlace[] }
  /** Whoever asked waits until it is told something, so this is said where nothing else can be. */
  | { type: 'no-answer'; request: number; error: TransferredError };

export type FromWorker =
  | { type: 'result'; task: number; value: unknown; counts: SessionCounts | undefined }
  | { type: 'error'; task: number; error: TransferredError }
  | { type: 'pack'; session: number; pack: WrittenPack }
  | { type: 'pack-wanted'; request: number; session: number; pack: number }
  | { type: 'places-wanted'; request: number; session: number; ids: readonly Uint8Array[] };

/** Sums of one session in one worker thread; bytes. */
export interface SessionCounts {
  contentBytes: number;
  newBytes: number;
  newEncodedBytes: number;
  /** Known chunks with a frame of their own: what that frame takes. */
  knownStoredBytes: number;
  /** Known chunks that share a frame: their plain length. */
  knownSharedBytes: number;
}

/** An error on its way between threads: structured clones lose classes and codes. */
export interface TransferredError {
  message: string;
  kind?: ErrorKind;
  code?: string;
  details?: Readonly<Record<string, unknown>>;
  stack?: string;
}

/** Names the tasks that the engine itself runs; any other module is a file: URL. */
export const ENGINE_MODULE = 'engine';
