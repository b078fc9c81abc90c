import { type ActorState, condemnedPacks, newestCondemned, type Rules, rows, type Store } from './protocol-state.ts';

export function go(actor: ActorState, at: string, change: Partial<ActorState> = {}): void {
  Object.assign(actor, change, { at });
}

export function lookAt(store: Store): Partial<ActorState> {
  return { base: newestCondemned(store), condemned: condemnedPacks(store) };
}

/** The first is named as the backup. */
export function commitName(actor: ActorState, first: string, rules: Rules, plain = first): string {
  if (!rules.namesNeverComeTwice) return plain;
  return (actor.tries ?? 0) === 0 ? first : `${first}.${actor.tries}`;
}

export function hasPlace(store: Store, actor: ActorState): boolean {
  return rows(store).some((pack) => !actor.condemned?.includes(pack));
}

/** Names of packs never come twice. */
export function packOf(actor: ActorState): string {
  return `${actor.name}${actor.tries ?? 0}`;
}
