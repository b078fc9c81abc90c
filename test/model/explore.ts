/** What every protocol's state has. */
export interface ActorAt {
  role: string;
  name: string;
  /** The step that it does next; `end` where nothing more is to be done. */
  at: string;
}

export interface Protocol<S extends { actors: ActorAt[] }> {
  /** One step of an actor, which is what it does to the storage at once: changes the state given. */
  step(state: S, actor: S['actors'][number]): void;
  /** @returns what is broken, or undefined */
  violationOf(state: S): string | undefined;
}

export interface Exploration {
  states: number;
  /** The most states were looked at before all were. */
  cut: boolean;
  violation?: { what: string; trace: string[] };
}

/**
 * Looks at every state that any order of the actors' steps leads to. An actor that crashes is one whose further steps do not
 * come: each state is one in which all of them may have crashed, so what must hold after a crash must hold in each.
 */
export function explore<S extends { actors: ActorAt[] }>(
  beginning: S,
  protocol: Protocol<S>,
  mostStates = 3_000_000,
): Exploration {
  const seen = new Set<string>();
  const stack: { text: string; trace: Trace | undefined }[] = [{ text: JSON.stringify(beginning), trace: undefined }];
  for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
    const { text, trace } = top;
    if (seen.has(text)) continue;
    seen.add(text);
    const what = protocol.violationOf(JSON.parse(text) as S);
    if (what !== undefined) return { states: seen.size, cut: false, violation: { what, trace: stepsOf(trace) } };
    if (seen.size >= mostStates) return { states: seen.size, cut: true };
    for (const index of beginning.actors.keys()) {
      const next = JSON.parse(text) as S;
      const actor = next.actors[index] as S['actors'][number];
      if (actor.at === 'end') continue;
      const label = `${actor.name} ${actor.at}`;
      protocol.step(next, actor);
      // What an actor remembered is of no use to it any more: fewer states are told apart.
      if (actor.at === 'end') next.actors[index] = { role: actor.role, name: actor.name, at: 'end' };
      stack.push({ text: JSON.stringify(next), trace: { label, before: trace } });
    }
  }
  return { states: seen.size, cut: false };
}

interface Trace {
  label: string;
  before: Trace | undefined;
}

function stepsOf(trace: Trace | undefined): string[] {
  const steps: string[] = [];
  for (let at = trace; at !== undefined; at = at.before) steps.unshift(at.label);
  return steps;
}
