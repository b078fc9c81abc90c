import type { ActorAt } from './explore.ts';

/** Rules of the protocol that can be taken out one by one, to see that each of them is needed. */
export interface Rules {
  /** W5: a writer looks for new rounds after its snapshot is there. */
  recheckAfterCommit: boolean;
  /** A snapshot counts only if the newest seal lists it or its base is not older. */
  readerFence: boolean;
  /** A collector lists snapshots again after it condemned. */
  secondListing: boolean;
  /** That second look is at the trash as well. */
  secondListingOfTrash: boolean;
  /** Resolutions are created once. */
  createOnceResolution: boolean;
  /** Segments without the packs that go are there before those packs go. */
  segmentsBeforePacks: boolean;
  /** What the trash holds is needed until its time is over. */
  trashIsLive: boolean;
  /** Bringing back looks for new rounds as a commit does. */
  undeleteRechecks: boolean;
  /** Copies count only in packs that do not go in the same round. */
  copiesLieElsewhere: boolean;
  /** A commit that is repeated, or brought back, has a name that there was never before. */
  namesNeverComeTwice: boolean;
  /** Bringing back finishes a forgetting that was interrupted before it takes the trash entry away. */
  undeleteFinishesForgetting: boolean;
  /** What a merged index segment replaces goes after it is there. */
  mergedBeforeInputsGo: boolean;
  /** A round that somebody is ahead of is given up: writers have not looked for it. */
  givesUpBehind: boolean;
}

export const ALL_RULES: Rules = {
  recheckAfterCommit: true,
  readerFence: true,
  secondListing: true,
  secondListingOfTrash: true,
  createOnceResolution: true,
  segmentsBeforePacks: true,
  trashIsLive: true,
  undeleteRechecks: true,
  copiesLieElsewhere: true,
  namesNeverComeTwice: true,
  undeleteFinishesForgetting: true,
  mergedBeforeInputsGo: true,
  givesUpBehind: true,
};

export interface Round {
  condemned?: string[];
  resolution?: { outcome: 'sealed' | 'cancelled'; list: string[]; kept: string[] };
  done?: true;
}

/**
 * What lies in the storage. There is one chunk, which every backup needs; a segment names the packs that hold it. Snapshots and
 * trash are named by commits: a backup's id, or its id, a dot and something.
 */
export interface Store {
  packs: string[];
  segments: { [name: string]: string[] };
  snapshots: { [commit: string]: number };
  trash: { [commit: string]: 'kept' | 'expired' };
  rounds: { [round: number]: Round };
}

export interface ActorState extends ActorAt {
  role: 'writer' | 'collector' | 'forgetter' | 'undeleter' | 'clock';
  /** What it has read and remembers. */
  base?: number;
  condemned?: string[];
  round?: number;
  marked?: string[];
  listed?: string[];
  listedTrash?: string[];
  candidates?: string[];
  kept?: string[];
  tries?: number;
  id?: string;
  /** Names of commits that it is about to do something with. */
  commits?: string[];
  inputs?: string[];
}

export interface State {
  store: Store;
  actors: ActorState[];
  /** Backups that somebody was told are complete, and has not asked to forget. */
  reported: string[];
}

export function newestRound(store: Store): number {
  return Math.max(0, ...Object.keys(store.rounds).map(Number));
}

export function newestCondemned(store: Store): number {
  return Math.max(
    0,
    ...Object.keys(store.rounds)
      .map(Number)
      .filter((n) => store.rounds[n]?.condemned !== undefined),
  );
}

/** Packs that writers treat as absent; `sealedOnly`: those that are removed for good. */
export function condemnedPacks(store: Store, sealedOnly = false): string[] {
  const packs = new Set<string>();
  for (const { condemned = [], resolution } of Object.values(store.rounds)) {
    if (resolution?.outcome === 'cancelled' || (sealedOnly && resolution?.outcome !== 'sealed')) continue;
    for (const pack of condemned) if (!resolution?.kept.includes(pack)) packs.add(pack);
  }
  return [...packs].sort();
}

export function isValid(store: Store, commit: string, rules: Rules): boolean {
  const sealed = Object.keys(store.rounds)
    .map(Number)
    .filter((n) => store.rounds[n]?.resolution?.outcome === 'sealed');
  const newest = Math.max(0, ...sealed);
  if (newest === 0 || !rules.readerFence) return true;
  return (store.snapshots[commit] ?? -1) >= newest || store.rounds[newest]?.resolution?.list.includes(commit) === true;
}

export function validSnapshots(store: Store, rules: Rules): string[] {
  return Object.keys(store.snapshots).filter((commit) => isValid(store, commit, rules));
}

export function commitsOf(objects: { [commit: string]: unknown }, id: string): string[] {
  return Object.keys(objects).filter((commit) => commit.split('.')[0] === id);
}

/** Those of a backup's commits that are listed: valid, and not in the trash. */
export function countingCommits(store: Store, id: string, rules: Rules): string[] {
  const valid = commitsOf(store.snapshots, id).filter((commit) => isValid(store, commit, rules));
  return valid.filter((commit) => store.trash[commit] === undefined);
}

/** The packs that the index names. */
export function rows(store: Store): string[] {
  return [...new Set(Object.values(store.segments).flat())].sort();
}

/** @returns what is broken, or undefined */
export function violationOf(state: State, rules: Rules): string | undefined {
  const { store } = state;
  const removed = condemnedPacks(store, true);
  const resolvable = rows(store).some((pack) => store.packs.includes(pack));
  for (const pack of rows(store))
    if (!store.packs.includes(pack) && !removed.includes(pack)) return `the index leads: ${pack} is gone`;
  for (const commit of validSnapshots(store, rules))
    if (!resolvable && store.trash[commit] !== 'expired') return `${commit} counts and its chunk is nowhere`;
  for (const commit of Object.keys(store.trash))
    if (store.trash[commit] === 'kept' && !resolvable) return `${commit} lies in the trash and its chunk is nowhere`;
  for (const id of Object.keys(store.snapshots).filter((commit) => !commit.includes('.'))) {
    const counting = countingCommits(store, id, rules);
    if (counting.includes(id) && counting.length > 1) return `${id} counts beside a later commit of it`;
  }
  for (const id of state.reported) {
    const commits = commitsOf(store.snapshots, id);
    if (commits.length === 0) return `${id} was reported and is gone`;
    if (!commits.some((commit) => isValid(store, commit, rules))) return `${id} was reported and does not count`;
    if (countingCommits(store, id, rules).length === 0) return `${id} was reported and lies in the trash`;
  }
  return undefined;
}
