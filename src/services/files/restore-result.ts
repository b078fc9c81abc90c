import type { RestoreDamage } from '../../core/ports/service.ts';
import type { ByteString, TreeEntry } from '../../core/tree-entry.ts';
import { printable } from './byte-path.ts';
import type { RestoredMetadata } from './file-writer.ts';

export type DirectoryEnd = { path: ByteString } & RestoredMetadata;

export interface RestoreCounts {
  files: number;
  directories: number;
  other: number;
  bytes: number;
  skipped: number;
  overwritten: number;
}

/** What is done, or what a dry run would do. */
export type RestoreAction = 'create' | 'overwrite' | 'skip' | 'conflict';

export interface RestoreTaskResult {
  counts: RestoreCounts;
  directories: DirectoryEnd[];
  /** Files too large for one task. */
  large: TreeEntry[];
  /** Files with several names, to be made when all else is. */
  linked: TreeEntry[];
  /** Of `entries` and `begin`: those that were made. */
  made: ByteString[];
  /** Of `links`: those that the target's file system cannot make. */
  unlinkable: ByteString[];
  warnings: string[];
  /** Bytes that are lost: holes now. */
  damages: RestoreDamage[];
  /** Of `pages`: positions of those that cannot be read. */
  lostPages: { index: number; reason: string }[];
  /** Of a dry run: the first, and how many there are. */
  actions: { action: RestoreAction; path: string }[];
  actionCounts: Record<RestoreAction, number>;
  /** Of `begin`: where to write, and whether something is replaced; absent if the file is skipped. */
  begun?: { temporary: ByteString; replace: boolean };
}

/** What a directory is to become when all is in it. */
export function directoryEnd({ path, type, mode, uid, gid, modifiedAt, extendedAttributes }: TreeEntry): DirectoryEnd {
  const end = { path, type, mode, uid, gid, modifiedAt };
  return extendedAttributes === undefined ? end : { ...end, extendedAttributes };
}

export const ACTIONS_TOLD = 1000;

export function noActions(): Record<RestoreAction, number> {
  return { create: 0, overwrite: 0, skip: 0, conflict: 0 };
}

export function emptyResult(): RestoreTaskResult {
  return {
    counts: { files: 0, directories: 0, other: 0, bytes: 0, skipped: 0, overwritten: 0 },
    directories: [],
    large: [],
    linked: [],
    made: [],
    unlinkable: [],
    warnings: [],
    damages: [],
    lostPages: [],
    actions: [],
    actionCounts: noActions(),
  };
}

export function addAction(result: RestoreTaskResult, action: RestoreAction, path: ByteString): void {
  result.actionCounts[action]++;
  if (result.actions.length < ACTIONS_TOLD) result.actions.push({ action, path: printable(path) });
}
