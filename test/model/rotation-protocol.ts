import type { ActorAt, Protocol } from './explore.ts';

/** Rules of the rotation of keys that can be taken out one by one; `src/repository/repository-keys.ts` keeps to them. */
export interface RotationRules {
  /** A new generation's slots are there before its keyring. */
  slotsBeforeKeyring: boolean;
  /** A generation's keyring is created once. */
  createOnceKeyring: boolean;
  /** Who created a keyring looks whether a newer one is there already. */
  looksForNewer: boolean;
  /** The old generation goes after the new one is there. */
  oldGoesLast: boolean;
  /** Slots whose keyring was not created are taken away by name, not all of their generation. */
  removesOnlyOlderOrForeign: boolean;
  /** Who finds no slot that opens looks whether the keyring was replaced meanwhile. */
  openerLooksAgain: boolean;
}

export const ALL_ROTATION_RULES: RotationRules = {
  slotsBeforeKeyring: true,
  createOnceKeyring: true,
  looksForNewer: true,
  oldGoesLast: true,
  removesOnlyOlderOrForeign: true,
  openerLooksAgain: true,
};

interface RotationActor extends ActorAt {
  role: 'rotator' | 'opener';
  generation?: number;
  epochs?: string[];
  newest?: number;
  slots?: string[];
  tries?: number;
}

/** Keys are named by the rotator that made them. */
export interface RotationState {
  keyrings: { [generation: number]: { master: string; epochs: string[] } };
  slots: { [name: string]: { generation: number; master: string } };
  /** Epochs that something was sealed under. */
  sealed: string[];
  refused: boolean;
  actors: RotationActor[];
}

export function rotationOf(rotators: number, openers: number): RotationState {
  const actor = (role: RotationActor['role'], number: number): RotationActor => ({
    role,
    name: `${role[0]}${number}`,
    at: 'begin',
  });
  return {
    keyrings: { 0: { master: 'first', epochs: ['first'] } },
    slots: { first: { generation: 0, master: 'first' } },
    sealed: ['first'],
    refused: false,
    actors: [
      ...Array.from({ length: rotators }, (_, number) => actor('rotator', number)),
      ...Array.from({ length: openers }, (_, number) => actor('opener', number)),
    ],
  };
}

export function rotationProtocol(rules: RotationRules): Protocol<RotationState> {
  return {
    step: (state, actor) => (actor.role === 'rotator' ? rotator(state, actor, rules) : opener(state, actor, rules)),
    violationOf,
  };
}

function violationOf({ keyrings, slots, sealed, refused }: RotationState): string | undefined {
  const keyring = keyrings[newestOf(keyrings)];
  if (keyring === undefined) return 'there is no keyring';
  const generation = newestOf(keyrings);
  const opens = Object.values(slots).some((slot) => slot.generation === generation && slot.master === keyring.master);
  if (!opens) return 'no slot opens the newest keyring';
  const lost = sealed.find((epoch) => !keyring.epochs.includes(epoch));
  if (lost !== undefined) return `something was sealed under a key that is in no keyring: ${lost}`;
  return refused ? 'the right key was refused' : undefined;
}

function rotator(state: RotationState, actor: RotationActor, rules: RotationRules): void {
  const { keyrings, slots } = state;
  const { name, generation = 0, epochs = [] } = actor;
  switch (actor.at) {
    case 'begin': {
      const newest = newestOf(keyrings);
      const known = keyrings[newest]?.epochs ?? [];
      const first = rules.slotsBeforeKeyring ? 'slot' : 'publish';
      go(actor, rules.oldGoesLast ? first : 'remove-keyrings', { generation: newest + 1, epochs: [...known, name] });
      break;
    }
    case 'slot':
      slots[name] = { generation, master: name };
      go(actor, rules.slotsBeforeKeyring ? 'publish' : 'look');
      break;
    case 'publish':
      if (keyrings[generation] !== undefined && rules.createOnceKeyring) {
        go(actor, 'undo');
        break;
      }
      keyrings[generation] = { master: name, epochs };
      go(actor, rules.slotsBeforeKeyring ? 'look' : 'slot');
      break;
    case 'look':
      go(actor, rules.looksForNewer && newestOf(keyrings) !== generation ? 'withdraw' : 'seal');
      break;
    case 'withdraw':
      delete keyrings[generation];
      go(actor, 'undo');
      break;
    case 'undo':
      delete slots[name];
      go(actor, 'end');
      break;
    case 'seal':
      state.sealed.push(name);
      go(actor, 'remove-slots');
      break;
    case 'remove-slots':
      for (const [other, slot] of Object.entries(slots))
        if (other !== name && (slot.generation <= generation || !rules.removesOnlyOlderOrForeign)) delete slots[other];
      go(actor, rules.oldGoesLast ? 'remove-keyrings' : 'end');
      break;
    case 'remove-keyrings':
      for (const older of Object.keys(keyrings).map(Number)) if (older < generation) delete keyrings[older];
      go(actor, rules.oldGoesLast ? 'end' : 'slot');
  }
}

function opener(state: RotationState, actor: RotationActor, rules: RotationRules): void {
  const { keyrings, slots } = state;
  const { newest = 0, tries = 0 } = actor;
  switch (actor.at) {
    case 'begin':
      go(actor, 'list-slots', { newest: newestOf(keyrings) });
      break;
    case 'list-slots':
      go(actor, 'open', { slots: Object.keys(slots).filter((name) => slots[name]?.generation === newest) });
      break;
    case 'open': {
      const masters = actor.slots?.map((name) => slots[name]?.master) ?? [];
      const gone = keyrings[newest] === undefined || masters.includes(undefined);
      const opened = !gone && masters.includes(keyrings[newest]?.master);
      go(actor, opened ? 'end' : gone ? 'again' : 'conclude');
      break;
    }
    case 'conclude':
      if (rules.openerLooksAgain && newestOf(keyrings) !== newest) go(actor, 'again');
      else {
        state.refused = true;
        go(actor, 'end');
      }
      break;
    case 'again':
      go(actor, tries < 3 ? 'begin' : 'end', { tries: tries + 1, slots: [] });
  }
}

function newestOf(keyrings: RotationState['keyrings']): number {
  return Math.max(-1, ...Object.keys(keyrings).map(Number));
}

function go(actor: RotationActor, at: string, change: Partial<RotationActor> = {}): void {
  Object.assign(actor, change, { at });
}
