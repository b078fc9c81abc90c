import { commitName, go, hasPlace, lookAt, packOf } from './actor.ts';
import { collector } from './collector-steps.ts';
import type { Protocol } from './explore.ts';
import {
  type ActorState,
  commitsOf,
  countingCommits,
  newestCondemned,
  type Rules,
  rows,
  type State,
  type Store,
  violationOf,
} from './protocol-state.ts';

export function commitProtocol(rules: Rules): Protocol<State> {
  return {
    step: (state, actor) => step(state, actor, rules),
    violationOf: (state) => violationOf(state, rules),
  };
}

function step(state: State, actor: ActorState, rules: Rules): void {
  switch (actor.role) {
    case 'writer':
      writer(state, actor, rules);
      return;
    case 'collector':
      collector(state, actor, rules);
      return;
    case 'forgetter':
      forgetter(state, actor, rules);
      return;
    case 'undeleter':
      undeleter(state, actor, rules);
      return;
    case 'clock':
      for (const id of Object.keys(state.store.trash)) state.store.trash[id] = 'expired';
      actor.at = 'end';
  }
}

const MOST_TRIES = 1;

function writer(state: State, actor: ActorState, rules: Rules): void {
  const { store } = state;
  const id = `by-${actor.name}`;
  switch (actor.at) {
    case 'begin':
      go(actor, 'index', lookAt(store));
      return;
    case 'index':
      go(actor, hasPlace(store, actor) ? 'snapshot' : 'pack');
      return;
    case 'pack':
      store.packs.push(packOf(actor));
      go(actor, 'segment');
      return;
    case 'segment':
      store.segments[`s-${packOf(actor)}`] = [packOf(actor)];
      go(actor, 'snapshot');
      return;
    case 'snapshot':
      store.snapshots[commitName(actor, id, rules)] = actor.base ?? 0;
      go(actor, 'recheck');
      return;
    case 'recheck':
      if (rules.recheckAfterCommit && newestCondemned(store) > (actor.base ?? 0)) {
        go(actor, 'withdraw');
        return;
      }
      state.reported.push(id);
      go(actor, 'end');
      return;
    case 'withdraw':
      delete store.snapshots[commitName(actor, id, rules)];
      go(actor, (actor.tries ?? 0) < MOST_TRIES ? 'rescue' : 'end', { tries: (actor.tries ?? 0) + 1 });
      return;
    case 'rescue':
      go(actor, 'rescue-index', lookAt(store));
      return;
    default:
      rescue(store, actor, 'snapshot');
      return;
  }
}

/** Stores the chunk again if it only lies in condemned packs; gives up where it is gone. */
function rescue(store: Store, actor: ActorState, next: string): void {
  switch (actor.at) {
    case 'rescue-index':
      go(actor, hasPlace(store, actor) ? next : 'rescue-open');
      return;
    case 'rescue-open':
      go(actor, rows(store).some((pack) => store.packs.includes(pack)) ? 'rescue-pack' : 'end');
      return;
    case 'rescue-pack':
      store.packs.push(packOf(actor));
      go(actor, 'rescue-segment');
      return;
    case 'rescue-segment':
      store.segments[`s-${packOf(actor)}`] = [packOf(actor)];
      go(actor, next);
      return;
  }
}

/** Forgets all commits of a backup, one after the other. */
function forgetter({ store, reported }: State, actor: ActorState, rules: Rules): void {
  const id = actor.id ?? 'first';
  const [commit = '', ...others] = actor.commits ?? [];
  switch (actor.at) {
    case 'begin': {
      if (!reported.includes(id)) {
        go(actor, 'end');
        return;
      }
      const counting = countingCommits(store, id, rules);
      // Where the first commit counts, nobody looks for others.
      const commits = counting.includes(id) ? [id] : counting;
      go(actor, commits.length > 0 ? 'trash' : 'end', { commits });
      return;
    }
    case 'trash':
      if (reported.includes(id)) reported.splice(reported.indexOf(id), 1);
      store.trash[commit] = 'kept';
      go(actor, 'delete');
      return;
    case 'delete':
      delete store.snapshots[commit];
      go(actor, others.length > 0 ? 'trash' : 'end', { commits: others });
      return;
  }
}

function undeleter(state: State, actor: ActorState, rules: Rules): void {
  const { store } = state;
  const id = actor.id ?? 'first';
  const ownCommit = commitName(actor, `${id}.${actor.name}`, rules, id);
  switch (actor.at) {
    case 'begin': {
      const commits = commitsOf(store.trash, id);
      if (commits.length === 0) {
        go(actor, 'end');
        return;
      }
      go(actor, 'rescue-index', { commits, ...lookAt(store) });
      return;
    }
    case 'snapshot':
      store.snapshots[ownCommit] = actor.base ?? 0;
      go(actor, 'recheck');
      return;
    case 'recheck':
      if (rules.undeleteRechecks && newestCondemned(store) > (actor.base ?? 0)) {
        go(actor, 'withdraw');
        return;
      }
      go(actor, rules.undeleteFinishesForgetting ? 'finish-forgetting' : 'untrash');
      return;
    case 'finish-forgetting':
      for (const commit of actor.commits ?? []) delete store.snapshots[commit];
      go(actor, 'untrash');
      return;
    case 'withdraw':
      delete store.snapshots[ownCommit];
      go(actor, (actor.tries ?? 0) < MOST_TRIES ? 'rescue' : 'end', { tries: (actor.tries ?? 0) + 1 });
      return;
    case 'rescue':
      go(actor, 'rescue-index', lookAt(store));
      return;
    case 'untrash':
      for (const commit of actor.commits ?? []) delete store.trash[commit];
      // Whoever forgets at this moment what is being brought back may be the last one: it lies in the trash, then.
      if (store.trash[ownCommit] === undefined && !state.reported.includes(id)) state.reported.push(id);
      go(actor, 'end');
      return;
    default:
      rescue(store, actor, 'snapshot');
      return;
  }
}
