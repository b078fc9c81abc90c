import type { JsonPath } from './json-path.ts';

/** Follows any number of paths at once through a document. The place of a path in the list is its index; lower ones count more. */
export class PathAutomaton {
  readonly root: PathState;
  readonly #paths: readonly JsonPath[];
  readonly #states = new Map<string, PathState>();
  #positions = 0;

  constructor(paths: readonly JsonPath[]) {
    this.#paths = paths;
    this.root = this.state(paths.map((_, path) => ({ path, step: 0 })));
  }

  /** The same state for the same positions, so that there are few; begun anew where a policy makes very many. */
  state(positions: readonly PathPosition[]): PathState {
    const key = positions.map(({ path, step }) => `${path}:${step}`).join(' ');
    const known = this.#states.get(key);
    if (known !== undefined) return known;
    this.#positions += positions.length + 1;
    if (this.#positions > MOST_POSITIONS) {
      this.#states.clear();
      this.#positions = 0;
    }
    const state = new PathState(this, this.#paths, positions);
    this.#states.set(key, state);
    return state;
  }
}

/** What is known at one value of a document. */
export class PathState {
  /** Index of the first path that ends here, or NO_PATH. */
  readonly accepted: number;
  /** Index of the first path that may still end further down, or NO_PATH. */
  readonly pending: number;
  readonly #automaton: PathAutomaton;
  readonly #paths: readonly JsonPath[];
  readonly #positions: readonly PathPosition[];
  /** States below members whose names some path asks for; null until one is met. */
  readonly #named: Map<string, PathState | null>;
  /** By the length of a name: whether some path asks for one of that length. */
  readonly #lengths: readonly boolean[];
  #other: PathState | undefined;

  constructor(automaton: PathAutomaton, paths: readonly JsonPath[], positions: readonly PathPosition[]) {
    this.#automaton = automaton;
    this.#paths = paths;
    const isEnd = ({ path, step }: PathPosition) => step === paths[path]?.length;
    this.#positions = positions.filter((position) => !isEnd(position));
    this.accepted = firstPath(positions.filter(isEnd));
    this.pending = firstPath(this.#positions);
    const names = this.#positions.flatMap(({ path, step }) => paths[path]?.[step]?.names ?? []);
    this.#named = new Map(names.map((name) => [name, null]));
    const longest = Math.max(-1, ...names.map((name) => name.length));
    this.#lengths = Array.from({ length: longest + 1 }, (_, length) => names.some((name) => name.length === length));
  }

  /** False where no member whose name has this length, in UTF-16 units, can make a difference. */
  asksForLength(length: number): boolean {
    return length < this.#lengths.length && this.#lengths[length] === true;
  }

  /** The state at a member. @param name decoded */
  member(name: string): PathState {
    const known = this.#named.get(name);
    if (known === undefined) return this.other();
    if (known !== null) return known;
    const made = this.#after(name);
    this.#named.set(name, made);
    return made;
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

/** Above the index of any path; a small integer, since it is compared for each value. */
export const NO_PATH = 0x3fff_ffff;

function firstPath(positions: readonly PathPosition[]): number {
  return positions.reduce((least, { path }) => Math.min(least, path), NO_PATH);
}

function distinct(positions: readonly PathPosition[]): PathPosition[] {
  const byKey = new Map(positions.map((position) => [`${position.path}:${position.step}`, position]));
  return [...byKey.values()].sort((a, b) => a.path - b.path || a.step - b.step);
}

/** Of all states that are remembered. */
const MOST_POSITIONS = 500_000;
