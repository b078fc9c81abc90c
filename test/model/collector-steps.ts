import { go, packOf } from './actor.ts';
import {
  type ActorState,
  condemnedPacks,
  isValid,
  newestRound,
  type Rules,
  rows,
  type State,
  type Store,
  validSnapshots,
} from './protocol-state.ts';

/** A round of condemning, looking again, sealing and removing; or the end of somebody else's. */
export function collector(state: State, actor: ActorState, rules: Rules): void {
  const { store } = state;
  const round = actor.round ?? 0;
  switch (actor.at) {
    case 'begin': {
      const open = Object.keys(store.rounds)
        .map(Number)
        .find((n) => isOpen(store, n));
      if (open !== undefined) {
        go(actor, 'cancel', { round: open });
        return;
      }
      const newest = newestRound(store);
      if (store.rounds[newest]?.resolution?.outcome === 'sealed' && !store.rounds[newest]?.done) {
        go(actor, 'rewrite', { round: newest });
        return;
      }
      go(actor, 'list', { round: newest + 1 });
      return;
    }
    case 'cancel':
      if (!resolve(store, round, { outcome: 'cancelled', list: [], kept: [] }, rules)) {
        go(actor, 'end');
        return;
      }
      go(actor, 'begin');
      return;
    case 'list':
      go(actor, 'list-trash', { marked: validSnapshots(store, rules) });
      return;
    case 'list-trash': {
      const kept = Object.keys(store.trash).filter((id) => rules.trashIsLive && store.trash[id] === 'kept');
      go(actor, 'survey', { marked: [...(actor.marked ?? []), ...kept], condemned: condemnedPacks(store) });
      return;
    }
    case 'survey':
      survey(store, actor, rules);
      return;
    case 'copy':
      store.packs.push(packOf(actor));
      go(actor, 'copy-segment');
      return;
    case 'copy-segment':
      store.segments[`s-${packOf(actor)}`] = [packOf(actor)];
      go(actor, 'condemn');
      return;
    case 'condemn':
      if (store.rounds[round]?.condemned !== undefined) {
        go(actor, 'end');
        return;
      }
      store.rounds[round] = {
        ...store.rounds[round],
        condemned: [...(actor.candidates ?? []), ...condemnedPacks(store, true)],
      };
      go(actor, rules.givesUpBehind && newestRound(store) > round ? 'cancel-own' : 'list-again');
      return;
    case 'cancel-own':
      resolve(store, round, { outcome: 'cancelled', list: [], kept: [] }, rules);
      go(actor, 'end');
      return;
    case 'list-again':
      go(actor, 'list-trash-again', { listed: rules.secondListing ? validSnapshots(store, rules) : [] });
      return;
    case 'list-trash-again': {
      const trash = Object.keys(store.trash).filter((id) => store.trash[id] === 'kept');
      go(actor, 'index-again', { listedTrash: rules.secondListingOfTrash && rules.trashIsLive ? trash : [] });
      return;
    }
    case 'index-again': {
      const unmarked = [...(actor.listed ?? []), ...(actor.listedTrash ?? [])].filter(
        (id) => !actor.marked?.includes(id),
      );
      const all = condemnedPacks(store);
      const elsewhere = rows(store).some((pack) => !all.includes(pack));
      const kept =
        unmarked.length > 0 && !elsewhere ? (actor.candidates ?? []).filter((pack) => rows(store).includes(pack)) : [];
      go(actor, 'seal', { kept });
      return;
    }
    case 'seal': {
      const sealed = { outcome: 'sealed', list: actor.listed ?? [], kept: actor.kept ?? [] } as const;
      if (!resolve(store, round, { ...sealed, list: [...sealed.list] }, rules)) {
        go(actor, 'end');
        return;
      }
      if (rules.givesUpBehind && newestRound(store) > round) {
        go(actor, 'end');
        return;
      }
      go(actor, rules.segmentsBeforePacks ? 'rewrite' : 'packs');
      return;
    }
    default:
      removal(state, actor, rules);
      return;
  }
}

function survey(store: Store, actor: ActorState, rules: Rules): void {
  const known = rows(store).filter((pack) => !actor.condemned?.includes(pack) && store.packs.includes(pack));
  const isNeeded = (actor.marked ?? []).length > 0;
  if (!isNeeded) {
    go(actor, known.length > 0 ? 'condemn' : 'end', { candidates: known });
    return;
  }
  if (actor.tries === undefined) {
    // All old packs are taken for sparse: their chunk is copied, unless a copy is taken to lie elsewhere already.
    const hasOther = !rules.copiesLieElsewhere && known.length > 1;
    go(actor, known.length === 0 ? 'end' : hasOther ? 'condemn' : 'copy', { candidates: known });
    return;
  }
  const [, ...others] = known;
  go(actor, others.length > 0 ? 'condemn' : 'end', { candidates: others });
  return;
}

/** Told from the storage alone. */
function removal(state: State, actor: ActorState, rules: Rules): void {
  const { store } = state;
  const round = actor.round ?? 0;
  const removed = condemnedPacks(store, true);
  switch (actor.at) {
    case 'rewrite': {
      // All segments are merged into one, without packs that go: of two or more, or of one that names such a pack.
      const inputs = Object.keys(store.segments);
      const left = rows(store).filter((pack) => !removed.includes(pack));
      if (inputs.length < 2 && left.length === rows(store).length) {
        go(actor, 'packs');
        return;
      }
      if (rules.mergedBeforeInputsGo) merge(store, actor, left);
      go(actor, 'segments', { inputs, listed: left });
      return;
    }
    case 'segments':
      for (const name of actor.inputs ?? []) delete store.segments[name];
      go(actor, rules.mergedBeforeInputsGo ? 'packs' : 'merged', { inputs: [] });
      return;
    case 'merged':
      merge(store, actor, actor.listed ?? []);
      go(actor, 'packs');
      return;
    case 'packs':
      store.packs = store.packs.filter(
        (pack) => !removed.includes(pack) || (rules.segmentsBeforePacks && rows(store).includes(pack)),
      );
      go(actor, rules.segmentsBeforePacks ? 'tidy' : 'fold-early');
      return;
    case 'fold-early':
      // What breaks where packs go first: the rounds that say so are folded, the segments still name them.
      delete store.rounds[round];
      go(actor, 'end');
      return;
    case 'tidy':
      go(actor, 'finish-forgetting', { commits: Object.keys(store.trash) });
      return;
    case 'finish-forgetting':
      for (const commit of actor.commits ?? []) delete store.snapshots[commit];
      go(actor, 'empty-trash', { commits: [] });
      return;
    case 'empty-trash': {
      const seal = store.rounds[round]?.resolution?.list ?? [];
      for (const commit of Object.keys(store.trash))
        if (store.trash[commit] === 'expired' && store.snapshots[commit] === undefined && !seal.includes(commit))
          delete store.trash[commit];
      const voided = Object.keys(store.snapshots).filter((commit) => !isValid(store, commit, rules));
      go(actor, 'void', { commits: voided });
      return;
    }
    case 'void':
      for (const commit of actor.commits ?? []) delete store.snapshots[commit];
      go(actor, 'done', { commits: [] });
      return;
    case 'done':
      store.rounds[round] = { ...store.rounds[round], done: true };
      for (const other of Object.keys(store.rounds).map(Number)) if (other < round) delete store.rounds[other];
      go(actor, 'end');
      return;
  }
}

function merge(store: Store, actor: ActorState, packs: string[]): void {
  if (packs.length > 0) store.segments[`m-${actor.name}${actor.round ?? 0}`] = packs;
}

function resolve(
  store: Store,
  round: number,
  resolution: { outcome: 'sealed' | 'cancelled'; list: string[]; kept: string[] },
  rules: Rules,
): boolean {
  const known = store.rounds[round];
  if (rules.createOnceResolution && known?.resolution !== undefined) return false;
  store.rounds[round] = { ...known, resolution };
  return true;
}

function isOpen(store: Store, round: number): boolean {
  const { condemned, resolution } = store.rounds[round] ?? {};
  return condemned !== undefined && resolution === undefined;
}
