import type { ActorState, Rules, State, Store } from './protocol-state.ts';

export interface Configuration {
  name: string;
  store: Store;
  reported: string[];
  actors: readonly (Partial<ActorState> & { role: ActorState['role'] })[];
  /** Rules without which this one breaks; each rule is named by at least one. */
  shows?: readonly (keyof Rules)[];
}

const GARBAGE: Store = { packs: ['P'], segments: { s: ['P'] }, snapshots: {}, trash: {}, rounds: {} };
const BACKED_UP: Store = { ...GARBAGE, snapshots: { first: 0 } };
const TWICE: Store = { ...BACKED_UP, packs: ['P', 'Q'], segments: { s: ['P'], t: ['Q'] } };
const FORGOTTEN: Store = { ...GARBAGE, trash: { first: 'kept' } };
const SECOND_ROUND_DONE: Store = {
  ...GARBAGE,
  rounds: { 2: { condemned: [], resolution: { outcome: 'sealed', list: [], kept: [] }, done: true } },
};

/** Looked at in every run of the tests. */
export const SMALL: readonly Configuration[] = [
  {
    ...of('a writer and a collector, garbage', GARBAGE, [], ['writer', 'collector']),
    shows: [
      'recheckAfterCommit',
      'readerFence',
      'secondListing',
      'segmentsBeforePacks',
      'namesNeverComeTwice',
      'mergedBeforeInputsGo',
    ],
  },
  of('a writer and a collector, a backup', BACKED_UP, ['first'], ['writer', 'collector']),
  of('two collectors, a backup that lies in two packs', TWICE, ['first'], ['collector', 'collector']),
  {
    ...of('forgetting and collecting', BACKED_UP, ['first'], ['forgetter', 'collector', 'clock']),
    shows: ['trashIsLive'],
  },
  {
    ...of('writing and forgetting while a collector looks', GARBAGE, [], []),
    actors: [{ role: 'writer' }, { role: 'collector' }, { role: 'forgetter', id: 'by-w0' }],
    shows: ['secondListingOfTrash'],
  },
  {
    ...of('a collector that slept while others made a later round', SECOND_ROUND_DONE, [], []),
    actors: [{ role: 'writer' }, { role: 'collector', at: 'condemn', round: 1, marked: [], candidates: ['P'] }],
    shows: ['givesUpBehind'],
  },
  {
    ...of(
      'forgetting, bringing back and collecting',
      BACKED_UP,
      ['first'],
      ['forgetter', 'undeleter', 'collector', 'clock'],
    ),
    shows: ['undeleteRechecks', 'namesNeverComeTwice', 'undeleteFinishesForgetting'],
  },
  of('two writers and a collector, garbage', GARBAGE, [], ['writer', 'writer', 'collector']),
  {
    ...of('a writer and two collectors, garbage', GARBAGE, [], ['writer', 'collector', 'collector']),
    shows: ['createOnceResolution', 'copiesLieElsewhere'],
  },
  of(
    'bringing back twice, forgetting and collecting',
    FORGOTTEN,
    [],
    ['undeleter', 'undeleter', 'forgetter', 'collector'],
  ),
];

/** What takes minutes: `npm run model`. */
export const LARGE: readonly Configuration[] = [
  of('bringing back beside two collectors', FORGOTTEN, [], ['undeleter', 'collector', 'collector', 'clock']),
  of('two writers and two collectors, garbage', GARBAGE, [], ['writer', 'writer', 'collector', 'collector']),
  of('two writers and two collectors, a backup', BACKED_UP, ['first'], ['writer', 'writer', 'collector', 'collector']),
  of('a writer and three collectors, garbage', GARBAGE, [], ['writer', 'collector', 'collector', 'collector']),
  of('all at once', BACKED_UP, ['first'], ['writer', 'forgetter', 'undeleter', 'collector', 'clock']),
  of(
    'all at once and two collectors',
    BACKED_UP,
    ['first'],
    ['forgetter', 'undeleter', 'collector', 'collector', 'clock'],
  ),
];

/** The state that a configuration begins with. */
export function beginningOf({ store, reported, actors }: Configuration): State {
  return {
    store,
    reported,
    actors: actors.map((actor, index) => ({ name: `${actor.role[0]}${index}`, at: 'begin', ...actor })),
  };
}

function of(name: string, store: Store, reported: string[], roles: readonly ActorState['role'][]): Configuration {
  return { name, store, reported, actors: roles.map((role) => ({ role })) };
}
