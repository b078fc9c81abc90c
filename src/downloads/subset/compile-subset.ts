import type { ColumnSchema, ContentSchema, ForeignKey, TableSchema } from '../content/content-schema.ts';
import { columnsOf } from '../predicate/compile-predicate.ts';
import type { KeyKind, PlannedEdge, PlannedRoot, SubsetPlan } from './subset-plan.ts';
import type { SubsetPolicy, SubsetRoot, VirtualKey } from './subset-policy.ts';

/** What keeps a subset from being made. */
export interface SubsetProblem {
  code: string;
  table?: string;
  column?: string;
  message: string;
  suggestion: string;
}

/**
 * Holds a subset policy against the tables that there are.
 * @param hasRows whether a table's rows are in the variant at all; references to other tables must be cut
 */
export function compileSubset(
  policy: SubsetPolicy,
  schema: ContentSchema,
  hasRows: (table: string) => boolean,
): { plan: SubsetPlan } | { problems: SubsetProblem[] } {
  const compiler = new SubsetCompiler(policy, schema, hasRows);
  const plan = compiler.compile();
  return compiler.problems.length > 0 ? { problems: compiler.problems } : { plan };
}

class SubsetCompiler {
  readonly problems: SubsetProblem[] = [];
  readonly #policy: SubsetPolicy;
  readonly #schema: ContentSchema;
  readonly #hasRows: (table: string) => boolean;
  readonly #byName: ReadonlyMap<string, TableSchema>;
  readonly #tables: { name: string; members: string[]; sampledBy: readonly string[] }[] = [];
  /** Which planned table the rows of a table belong to. */
  readonly #numbers = new Map<string, number>();

  constructor(policy: SubsetPolicy, schema: ContentSchema, hasRows: (table: string) => boolean) {
    this.#policy = policy;
    this.#schema = schema;
    this.#hasRows = hasRows;
    this.#byName = new Map(schema.tables.map((table) => [table.name, table]));
    for (const table of schema.tables) this.#addTable(table);
  }

  compile(): SubsetPlan {
    const edges = [...this.#foreignEdges(), ...this.#virtualEdges()];
    const cut = this.#cutEdges(edges);
    const planned = edges.map((edge, at) => ({ ...edge, isCut: cut.has(at) }));
    const roots = this.#policy.roots.flatMap((root) => this.#root(root) ?? []);
    const follow = this.#followed(planned);
    const whole = this.#whole(planned);
    const { seed, dangling, budget } = this.#policy;
    return { seed, tables: this.#tables, edges: planned, roots, follow, whole, dangling, budget };
  }

  #addTable(table: TableSchema): void {
    const root = this.#partitionRoot(table);
    let number = this.#numbers.get(root.name);
    if (number === undefined) {
      number = this.#tables.push({ name: root.name, members: [], sampledBy: [] }) - 1;
      this.#numbers.set(root.name, number);
    }
    this.#numbers.set(table.name, number);
    if (!table.isPartitioned && this.#hasRows(table.name)) this.#tables[number]?.members.push(table.name);
  }

  #partitionRoot(table: TableSchema): TableSchema {
    const parent = table.parent === undefined ? undefined : this.#byName.get(table.parent);
    return parent?.isPartitioned ? this.#partitionRoot(parent) : table;
  }

  /** The tables that hold the rows of a table: itself, or the partitions below it. */
  #membersOf(name: string): string[] {
    const members = this.#tables[this.#numbers.get(name) ?? -1]?.members ?? [];
    const table = this.#byName.get(name);
    if (!table?.isPartitioned) return members.filter((member) => member === name);
    return members.filter((member) => this.#isBelow(member, name));
  }

  #isBelow(member: string, name: string): boolean {
    const parent = this.#byName.get(member)?.parent;
    return parent !== undefined && (parent === name || this.#isBelow(parent, name));
  }

  #foreignEdges(): Omit<PlannedEdge, 'isCut'>[] {
    return this.#schema.tables.flatMap((table) =>
      table.foreignKeys.flatMap((key) =>
        this.#isOfPartitioned(table, key) ? [] : (this.#foreignEdge(table, key) ?? []),
      ),
    );
  }

  /** A partition has the references of its partitioned table, which are that table's for all of them. */
  #isOfPartitioned(table: TableSchema, key: ForeignKey): boolean {
    const parent = table.parent === undefined ? undefined : this.#byName.get(table.parent);
    return parent?.isPartitioned === true && parent.foreignKeys.some((each) => isSame(each, key));
  }

  #foreignEdge(table: TableSchema, key: ForeignKey): Omit<PlannedEdge, 'isCut'> | undefined {
    const target = this.#byName.get(key.target);
    const members = this.#membersOf(table.name);
    if (members.length === 0) return undefined;
    if (target === undefined) {
      this.#problem(
        'subset-target-missing',
        table.name,
        `The reference ${key.name} of ${table.name} leads to ${key.target}, which is not in this content.`,
        'Back up the schema that it is in as well, or drop the table from the variant.',
      );
      return undefined;
    }
    return {
      title: `${table.name} (${key.columns.join(', ')}) → ${key.target}`,
      ...{ table: this.#numberOf(table.name), members, columns: key.columns },
      ...{
        target: this.#numberOf(key.target),
        targetMembers: this.#membersOf(key.target),
        targetColumns: key.targetColumns,
      },
      keys: keyKind(this.#schema, columnsNamed(table, key.columns), columnsNamed(target, key.targetColumns)),
      isVirtual: false,
    };
  }

  #virtualEdges(): Omit<PlannedEdge, 'isCut'>[] {
    return this.#policy.virtualKeys.flatMap((key) => this.#virtualEdge(key) ?? []);
  }

  #virtualEdge(key: VirtualKey): Omit<PlannedEdge, 'isCut'> | undefined {
    const table = this.#known(key.table, [...key.columns, ...(key.when?.keys() ?? [])], 'virtual_keys');
    const target = this.#known(key.target, key.targetColumns, 'virtual_keys');
    if (table === undefined || target === undefined) return undefined;
    const when = [...(key.when ?? [])].map(([column, value]) => ({ column, value }));
    const sources = columnsNamed(table, key.columns);
    return {
      title: `${key.table} (${key.columns.join(', ')}) → ${key.target}`,
      ...{ table: this.#numberOf(key.table), members: this.#membersOf(key.table), columns: key.columns },
      ...(key.jsonPath === undefined ? {} : { jsonPath: key.jsonPath }),
      ...(when.length === 0 ? {} : { when }),
      ...{
        target: this.#numberOf(key.target),
        targetMembers: this.#membersOf(key.target),
        targetColumns: key.targetColumns,
      },
      keys: keyKind(this.#schema, key.jsonPath === undefined ? sources : [], columnsNamed(target, key.targetColumns)),
      isVirtual: true,
    };
  }

  #cutEdges(edges: readonly Omit<PlannedEdge, 'isCut'>[]): Set<number> {
    const cut = new Set<number>();
    for (const { table, columns } of this.#policy.nullOut) {
      const known = this.#known(table, columns, 'null_out');
      if (known === undefined) continue;
      const found = edges.flatMap((edge, at) =>
        this.#isOf(edge, table) && columns.every((column) => edge.columns.includes(column)) ? [at] : [],
      );
      if (found.length === 0)
        this.#problem(
          'subset-edge-missing',
          table,
          `null_out names ${table} (${columns.join(', ')}), which refers to nothing.`,
          'Take it out, or add the reference under virtual_keys.',
        );
      for (const at of found) {
        const edge = edges[at];
        if (edge?.jsonPath !== undefined)
          this.#problem(
            'subset-cut-impossible',
            table,
            `null_out cannot cut a reference within JSON (${edge.title}).`,
            'Follow it, or redact the member by a rule.',
          );
        for (const column of columnsNamed(known, edge?.columns ?? []))
          if (!column.isNullable)
            this.#problem(
              'subset-cut-impossible',
              table,
              `null_out would write NULL into ${table}.${column.name}, which is NOT NULL.`,
              'Take it out of null_out: the row that it refers to is then taken along.',
              column.name,
            );
        cut.add(at);
      }
    }
    for (const [at, edge] of edges.entries())
      if (edge.targetMembers.length === 0 && !cut.has(at) && !edge.isVirtual)
        this.#problem(
          'subset-target-empty',
          this.#tables[edge.table]?.name,
          `${edge.title}: no rows of the table that it refers to are in this variant.`,
          'Give that table rows, or name the reference under null_out.',
        );
    return cut;
  }

  #root(root: SubsetRoot): PlannedRoot | undefined {
    const named = [
      ...(root.where === undefined ? [] : columnsOf(root.where)),
      ...(root.newest === undefined ? [] : [root.newest.by]),
    ];
    const table = this.#known(root.table, [...named, ...(root.by ?? [])], 'roots');
    if (table === undefined) return undefined;
    const number = this.#numberOf(root.table);
    if (root.sample !== undefined || root.limit !== undefined) this.#sampledBy(table, number, root.by);
    const families = Object.fromEntries(columnsNamed(table, named).map(({ name, family }) => [name, family]));
    return {
      table: number,
      families,
      ...(root.where === undefined ? {} : { where: root.where }),
      ...(root.sample === undefined ? {} : { sample: root.sample }),
      ...(root.limit === undefined ? {} : { limit: root.limit }),
      ...(root.newest === undefined ? {} : { newest: { ...root.newest, family: families[root.newest.by] ?? 'other' } }),
    };
  }

  #sampledBy(table: TableSchema, number: number, by: readonly string[] | undefined): void {
    const columns = by ?? table.uniqueKeys.find(({ isPrimary }) => isPrimary)?.columns;
    const planned = this.#tables[number];
    if (columns === undefined || planned === undefined) {
      this.#problem(
        'subset-sample-key-missing',
        table.name,
        `${table.name} has no primary key that a stable sample could go by.`,
        'Name the columns that tell its rows apart: by: [column].',
      );
      return;
    }
    if (planned.sampledBy.length > 0 && JSON.stringify(planned.sampledBy) !== JSON.stringify(columns))
      this.#problem(
        'subset-sample-key-differs',
        table.name,
        `Two samples of ${table.name} go by different columns.`,
        'Give all of them the same `by`.',
      );
    planned.sampledBy = columns;
  }

  #followed(edges: readonly PlannedEdge[]): SubsetPlan['follow'] {
    return this.#policy.follow.flatMap(({ from, to, via, limitPerParent }) => {
      const parent = this.#known(from, [], 'follow');
      const child = this.#known(to, via, 'follow');
      if (parent === undefined || child === undefined) return [];
      const number = this.#numberOf(from);
      const found = edges.flatMap((edge, at) =>
        this.#isOf(edge, to) &&
        edge.target === number &&
        edge.columns.length === via.length &&
        via.every((column) => edge.columns.includes(column))
          ? [at]
          : [],
      );
      if (found.length === 0)
        this.#problem(
          'subset-edge-missing',
          to,
          `follow goes from ${from} to ${to} by ${via.join(', ')}, but these columns do not refer to ${from}.`,
          'Name the columns of a foreign key, or add the reference under virtual_keys.',
        );
      if (limitPerParent !== undefined)
        this.#sampledBy(
          child,
          this.#numberOf(to),
          this.#tables[this.#numberOf(to)]?.sampledBy.length ? this.#tables[this.#numberOf(to)]?.sampledBy : undefined,
        );
      return [{ edges: found, ...(limitPerParent === undefined ? {} : { limitPerParent }) }];
    });
  }

  /** Tables that nothing connects to a root must be named: nobody thought of them otherwise. */
  #whole(edges: readonly PlannedEdge[]): number[] {
    const { unconnected, roots } = this.#policy;
    for (const name of unconnected.keys()) if (name !== '*') this.#known(name, [], 'unconnected');
    const whole = new Set<number>();
    for (const [name, share] of unconnected)
      if (name !== '*' && share === 'all' && this.#numbers.has(name)) whole.add(this.#numberOf(name));
    const connected = this.#connected(
      edges,
      roots.map(({ table }) => this.#numbers.get(table) ?? -1),
    );
    for (const [number, { name, members }] of this.#tables.entries()) {
      if (connected.has(number) || members.length === 0 || unconnected.has(name)) continue;
      const share = unconnected.get('*');
      if (share === 'all') whole.add(number);
      if (share === undefined)
        this.#problem(
          'subset-unconnected',
          name,
          `Nothing connects ${name} to a root of the subset.`,
          `Say under unconnected whether it is taken whole: { ${name}: all } or { ${name}: none }.`,
        );
    }
    return [...whole];
  }

  #connected(edges: readonly PlannedEdge[], roots: readonly number[]): Set<number> {
    const connected = new Set(roots);
    for (let size = -1; size !== connected.size; ) {
      size = connected.size;
      for (const { table, target } of edges) {
        if (connected.has(table)) connected.add(target);
        else if (connected.has(target)) connected.add(table);
      }
    }
    return connected;
  }

  #isOf(edge: Omit<PlannedEdge, 'isCut'>, table: string): boolean {
    return (
      edge.table === this.#numbers.get(table) && this.#membersOf(table).some((member) => edge.members.includes(member))
    );
  }

  #numberOf(name: string): number {
    return this.#numbers.get(name) ?? -1;
  }

  #known(name: string, columns: readonly string[], where: string): TableSchema | undefined {
    const table = this.#byName.get(name);
    if (table === undefined) {
      this.#problem(
        'subset-table-missing',
        name,
        `subset.${where} names ${name}, which is not in this content.`,
        'Correct the name (schema.table in PostgreSQL), or take it out.',
      );
      return undefined;
    }
    const missing = columns.filter((column) => !table.columns.some((each) => each.name === column));
    for (const column of missing)
      this.#problem(
        'subset-column-missing',
        name,
        `subset.${where} names ${name}.${column}, which is not there.`,
        'Correct the name, or take it out.',
        column,
      );
    return missing.length === 0 ? table : undefined;
  }

  #problem(code: string, table: string | undefined, message: string, suggestion: string, column?: string): void {
    this.problems.push({
      code,
      ...(table === undefined ? {} : { table }),
      ...(column === undefined ? {} : { column }),
      message,
      suggestion,
    });
  }
}

function isSame(one: ForeignKey, other: ForeignKey): boolean {
  const facts = ({ target, columns, targetColumns }: ForeignKey) => JSON.stringify([target, columns, targetColumns]);
  return facts(one) === facts(other);
}

function columnsNamed(table: TableSchema, names: readonly string[]): ColumnSchema[] {
  return names.flatMap((name) => table.columns.find((column) => column.name === name) ?? []);
}

/** Where a database compares text without regard to case, so must the index. */
function keyKind(
  { dialect }: ContentSchema,
  sources: readonly ColumnSchema[],
  targets: readonly ColumnSchema[],
): KeyKind {
  const all = [...sources, ...targets];
  if (all.every(({ family }) => family === 'integer')) {
    if (targets.length === 1) return 'integer';
    if (sources.length === targets.length) return 'integers';
  }
  if (all.some(({ family, type }) => (family === 'text' && dialect === 'mysql') || /\bcitext$/.test(type)))
    return 'folded';
  return all.some(({ type }) => /^(char|character|bpchar)\b(?! varying)/.test(type)) ? 'padded' : 'text';
}
