import { HoldfastError } from '../../core/errors.ts';
import type { RowFields } from '../content/table-content.ts';
import { comparableKey } from './comparable-key.ts';
import { IntegerKeys } from './integer-keys.ts';
import { IntegerTuples } from './integer-tuples.ts';
import { jsonMember } from './json-member.ts';
import type { KeyList } from './key-list.ts';
import { KeyTable } from './key-table.ts';
import { rowsReferredTo } from './reference-keys.ts';
import { RowReferences } from './row-references.ts';
import type { KeyKind, PlannedEdge } from './subset-plan.ts';
import { TextKeys } from './text-keys.ts';

/** What is done with each row of a table. */
export type Visit = (fields: RowFields) => void;
/** Where a column stands in the rows that are visited; asks for it. */
export type Wanting = (column: string) => number;
type Keys = IntegerKeys | IntegerTuples | TextKeys;

/** Gathers the keys of referring and of referred rows, and then says which row each reference leads to. */
export class EdgeKeys {
  readonly #edges: readonly PlannedEdge[];
  readonly #references: (Keys | undefined)[];
  /** One key table serves all references to the same columns. */
  readonly #targets = new Map<string, { edge: PlannedEdge; keys: Keys }>();

  constructor(edges: readonly PlannedEdge[]) {
    this.#edges = edges;
    this.#references = edges.map(createKeys);
    for (const edge of edges)
      if (!this.#targets.has(targetOf(edge))) this.#targets.set(targetOf(edge), { edge, keys: createKeys(edge) });
  }

  /** What the rows of one of a table's members are to be shown to. */
  visits(table: number, member: string, want: Wanting): Visit[] {
    const visits: Visit[] = [];
    for (const [at, edge] of this.#edges.entries()) {
      const keys = this.#references[at];
      if (edge.table === table && keys !== undefined)
        visits.push(edge.members.includes(member) ? referring(edge, keys, want) : () => keys.push(null));
    }
    for (const { edge, keys } of this.#targets.values()) {
      if (edge.target !== table) continue;
      const isMember = edge.targetMembers.includes(member);
      visits.push(isMember ? pushing(keys, edge.targetColumns, edge.keys, want) : () => keys.push(null));
    }
    return visits;
  }

  /**
   * For each edge and each row of its table: the row that is referred to. The keys are gone afterwards.
   * @throws HoldfastError `variant-failed` (invalid): a key that several rows have
   */
  references(): RowReferences[] {
    const references = this.#edges.map(() => RowReferences.of(new Int32Array(0)));
    const names = this.#edges.map(targetOf);
    // One key table after the other: each is as large as the keys themselves, which are gone before the next.
    for (const [name, { edge: target, keys }] of [...this.#targets]) {
      this.#targets.delete(name);
      const edges = [...this.#edges.entries()].filter(([index]) => names[index] === name);
      const resolve = this.#isSparse(edges, keys) ? byReferences(keys, target) : byKeys(keys, target);
      for (const [index] of edges) {
        const list = this.#references[index];
        if (list === undefined) continue;
        this.#references[index] = undefined;
        references[index] = resolve(list);
        list.free();
      }
      keys.free();
    }
    return references;
  }

  /** Whether fewer references than rows have to be looked up. That keys are unique is known of those that the database refers to. */
  #isSparse(edges: readonly (readonly [index: number, edge: PlannedEdge])[], keys: Keys): boolean {
    const count = edges.reduce((sum, [index]) => sum + (this.#references[index]?.length ?? 0), 0);
    const isKnown = ({ isVirtual, keys: kind }: PlannedEdge) => !isVirtual && (kind === 'integers' || kind === 'text');
    return count * FEW < keys.length && edges.every(([, edge]) => isKnown(edge));
  }
}

/** Of so many rows, one is referred to. */
const FEW = 2;

function createKeys({ keys, columns }: PlannedEdge): Keys {
  if (keys === 'integer') return new IntegerKeys();
  return keys === 'integers' ? new IntegerTuples(columns.length) : new TextKeys();
}

function targetOf({ target, targetMembers, targetColumns, keys }: PlannedEdge): string {
  return JSON.stringify([target, targetMembers, targetColumns, keys]);
}

function referring(edge: PlannedEdge, keys: Keys, want: Wanting): Visit {
  const { jsonPath, when = [] } = edge;
  const push =
    jsonPath === undefined
      ? pushing(keys, edge.columns, edge.keys, want)
      : pushingMember(keys, { path: jsonPath, column: edge.columns[0] ?? '', kind: edge.keys }, want);
  if (when.length === 0) return push;
  const conditions = when.map(({ column, value }) => ({ at: want(column), value }));
  return (fields) => {
    if (conditions.every(({ at, value }) => fields.value(at) === value)) push(fields);
    else keys.push(null);
  };
}

function pushing(keys: Keys, columns: readonly string[], kind: KeyKind, want: Wanting): Visit {
  const positions = columns.map(want);
  const [only = -1] = positions;
  if (keys instanceof IntegerKeys) return (fields) => keys.pushField(fields, only);
  if (keys instanceof IntegerTuples) return (fields) => keys.pushFields(fields, positions);
  const key = textKey(positions, kind);
  return (fields) => keys.push(key(fields));
}

/** A key of several columns is NULL where one of them is, as with MATCH SIMPLE. */
function textKey(positions: readonly number[], kind: KeyKind): (fields: RowFields) => string | null {
  const comparable = comparableKey(kind);
  const partOf = (fields: RowFields, at: number): string | null => {
    const value = fields.value(at);
    return value === null ? null : comparable(value);
  };
  const [only] = positions;
  if (positions.length === 1 && only !== undefined) return (fields) => partOf(fields, only);
  return (fields) => {
    let key = '';
    for (const at of positions) {
      const part = partOf(fields, at);
      if (part === null) return null;
      // Its length tells where the part ends.
      key += `${part.length} ${part}`;
    }
    return key;
  };
}

function pushingMember(
  keys: Keys,
  { path, column, kind }: { path: readonly string[]; column: string; kind: KeyKind },
  want: Wanting,
): Visit {
  const at = want(column);
  const comparable = comparableKey(kind);
  return (fields) => {
    const text = fields.value(at);
    const member = text === null ? null : jsonMember(text, path);
    if (member === null || keys instanceof IntegerTuples) keys.push(null);
    else keys.push(comparable(member));
  };
}

type Resolving = (references: KeyList) => RowReferences;

function byKeys(keys: KeyList, target: PlannedEdge): Resolving {
  const table = new KeyTable(keys);
  requireUnique(table, target);
  return (references) => RowReferences.made(references.length, (at) => table.find(references, at));
}

function byReferences(keys: KeyList, target: PlannedEdge): Resolving {
  return (references) => {
    const found = rowsReferredTo(references, keys);
    requireUnique(found, target);
    return RowReferences.of(found.rows);
  };
}

function requireUnique({ duplicate }: { duplicate: number | undefined }, { title, targetColumns }: PlannedEdge): void {
  if (duplicate === undefined) return;
  const message = `The reference ${title} (${targetColumns.join(', ')}) leads to columns in which several rows have the same value, or values that differ in case alone. Take it out of the policy's keys, or name a unique key.`;
  throw new HoldfastError('invalid', 'variant-failed', message);
}
