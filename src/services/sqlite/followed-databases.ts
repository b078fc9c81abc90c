import { setTimeout as sleep } from 'node:timers/promises';

/** A database that this process follows. */
export interface FollowedDatabase {
  /** Behind symbolic links, as far as it is there. */
  readonly path: string;
  /** RFC 3339; all that was committed by then is in the repository. Empty: nothing yet. */
  readonly through: string;
  /** Gives up what is held of the database until the returned function is called. */
  stepAside(): Promise<() => void>;
}

const followed = new Map<string, FollowedDatabase>();

/** Tells restores of this process that a resource's database is followed. @returns what ends that */
export function announceFollowed(resourceId: string, database: FollowedDatabase): () => void {
  followed.set(resourceId, database);
  return () => {
    if (followed.get(resourceId) === database) followed.delete(resourceId);
  };
}

interface BrokenOff {
  path: string;
  /** The newest state in the log. */
  state: number;
  /** RFC 3339; until then the database was in that state. */
  through: string;
}

const brokenOff = new Map<string, BrokenOff>();

/** Keeps, for the capture that begins next in this process, what one knew that failed. */
export function breakOff(resourceId: string, known: BrokenOff): void {
  brokenOff.set(resourceId, known);
}

/** @returns how long the database is known to have been in the log's newest state; empty: not at all */
export function takeUp(resourceId: string, { path, state }: Omit<BrokenOff, 'through'>): string {
  const known = brokenOff.get(resourceId);
  brokenOff.delete(resourceId);
  return known?.path === path && known.state === state ? known.through : '';
}

/**
 * How far the log of a resource is known to be complete, as far as this process follows it. Waits a little for a moment that is
 * about to be reached.
 * @param moment RFC 3339, UTC
 */
export async function followedThrough(resourceId: string, moment: string, signal: AbortSignal): Promise<string> {
  const end = performance.now() + (Date.parse(moment) <= Date.now() ? PATIENCE : 0);
  for (;;) {
    const through = followed.get(resourceId)?.through;
    if (through === undefined || through >= moment || performance.now() > end) return through ?? '';
    await sleep(POLL, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

/** Makes room for a database that takes the place of one which this process follows. @returns what ends it */
export async function makeRoomAt(path: string): Promise<() => void> {
  const resumes = await Promise.all(
    [...followed.values()].filter((database) => database.path === path).map((database) => database.stepAside()),
  );
  return () => {
    for (const resume of resumes) resume();
  };
}

/** milliseconds */
const PATIENCE = 15_000;
const POLL = 50;
