import type { JsonPath } from './json-path.ts';

/** Follows any number of paths at once through a document. The place of a path in the list is its index; lower ones count more. */
export class PathAutomaton {
  readonly root: PathState;
  readonly #paths: readonly JsonPath[];
  readonly #states = new Map<string, PathState>();

  constructor(paths: readonly JsonPath[]) {
    this.#paths = paths;
    this.root = this.state(paths.map((_, path) => ({ path, step: 0 })));
  }

  /** The same state for the same positions, so that there are few; begun anew where a policy makes very many. */
  state(positions: readonly PathPosition[]): PathState {
    const key = positions.map(({ path, step }) => `${path}:${step}`).join(' ');
    const known = this.#states.get(key);
    if (known !== undefined) return known;
    if (this.#states.size >= MOST_STATES) this.#states.clear();
    const state = new PathState(this, this.#paths, positions);
    this.#states.set(key, state);
    return state;
  }
}

/** What is known at one value of a document. */
export class PathState {
  /** Index of the first path that ends here; Infinity: none. */
  readonly accepted: number;
  /** Index of the first path that may still end further down; Infinity: none. */
  readonly pending: number;
  readonly #automaton: PathAutomaton;
  readonly #paths: readonly JsonPath[];
  readonly #positions: readonly PathPosition[];
  /** States below members whose names some path asks for; undefined until one is met. */
  readonly #named: Map<string, PathState | undefined>;
  #other: PathState | undefined;

  constructor(automaton: PathAutomaton, paths: readonly JsonPath[], positions: readonly PathPosition[]) {
    this.#automaton = automaton;
    this.#paths = paths;
    const isEnd = ({ path, step }: PathPosition) => step === paths[path]?.length;
    this.#positions = positions.filter((position) => !isEnd(position));
    this.accepted = Math.min(...positions.filter(isEnd).map(({ path }) => path));
    this.pending = Math.min(...this.#positions.map(({ path }) => path));
    const names = this.#positions.flatMap(({ path, step }) => paths[path]?.[step]?.names ?? []);
    this.#named = new Map(names.map((name) => [name, undefined]));
  }

  /** True where the names of members make no difference. */
  get ignoresNames(): boolean {
    return this.#named.size === 0;
  }

  /** The state at a member. @param name decoded */
  member(name: string): PathState {
    if (!this.#named.has(name)) return this.other();
    let state = this.#named.get(name);
    if (state === undefined) {
      state = this.#after(name);
      this.#named.set(name, state);
    }
    return state;
  }

  /** The state at an element of an array, and at a member whose name no path asks for. */
  other(): PathState {
    this.#other ??= this.#after(undefined);
    return this.#other;
  }

  #after(name: string | undefined): PathState {
    const next: PathPosition[] = [];
    for (const position of this.#positions) {
      const step = this.#paths[position.path]?.[position.step];
      if (step === undefined) continue;
      if (step.isDescendant) next.push(position);
      if (step.names === undefined || (name !== undefined && step.names.includes(name))) {
        next.push({ path: position.path, step: position.step + 1 });
      }
    }
    return this.#automaton.state(distinct(next));
  }
}

interface PathPosition {
  path: number;
  step: number;
}

function distinct(positions: readonly PathPosition[]): PathPosition[] {
  const byKey = new Map(positions.map((position) => [`${position.path}:${position.step}`, position]));
  return [...byKey.values()].sort((a, b) => a.path - b.path || a.step - b.step);
}

const MOST_STATES = 10_000;
