import { tableName, tableNameParts } from '../content/table-name.ts';
import type { Predicate } from '../predicate/predicate.ts';
import type { SubsetPolicy, SubsetRoot, TableColumns, VirtualKey } from '../subset/subset-policy.ts';
import type { FaultList } from './fault-list.ts';
import type { SubsetForm } from './subset-schema.ts';

type Path = readonly (string | number)[];

/** The subset of a variant. What is wrong with it goes to `faults`, with where it stands. */
export function readSubset(
  form: SubsetForm,
  path: Path,
  faults: FaultList,
  parsePredicate: (text: string) => Predicate,
): SubsetPolicy {
  const table = (name: string, ...at: Path): string =>
    faults.guard([...path, ...at], () => tableName(tableNameParts(name))) ?? name;
  return {
    seed: form.seed,
    roots: form.roots.map(({ table: name, where, always: _, ...rest }, index): SubsetRoot => {
      const predicate =
        where === undefined ? undefined : faults.guard([...path, 'roots', index, 'where'], () => parsePredicate(where));
      return present({ ...rest, table: table(name, 'roots', index, 'table'), where: predicate });
    }),
    follow: form.follow.map(({ from, to, via, limit_per_parent }, index) =>
      present({
        from: table(from, 'follow', index, 'from'),
        to: table(to, 'follow', index, 'to'),
        via,
        limitPerParent: limit_per_parent,
      }),
    ),
    virtualKeys: form.virtual_keys.map((key, index) => {
      const at = [...path, 'virtual_keys', index];
      const from = faults.guard([...at, 'from'], () => columnsOf(key.from, true)) ?? NONE;
      const to = faults.guard([...at, 'to'], () => columnsOf(key.to, false)) ?? NONE;
      if (from !== NONE && to !== NONE && from.columns.length !== to.columns.length)
        faults.add(at, 'has as many columns on one side as on the other');
      return present<VirtualKey>({
        ...from,
        target: to.table,
        targetColumns: to.columns,
        when:
          key.when === undefined
            ? undefined
            : new Map(Object.entries(key.when).map(([column, value]) => [column, String(value)])),
      });
    }),
    nullOut: form.null_out.map(
      (columns, index) => faults.guard([...path, 'null_out', index], () => columnsOf(columns, false)) ?? NONE,
    ),
    unconnected: new Map(
      Object.entries(form.unconnected).map(([name, which]) => [
        name === '*' ? name : table(name, 'unconnected', name),
        which,
      ]),
    ),
    dangling: form.dangling,
    budget: present({ maxRows: form.budget.max_rows, maxBytes: form.budget.max_bytes }),
  };
}

type ColumnReference = TableColumns & { jsonPath?: readonly string[] };

const NONE: ColumnReference = { table: '', columns: [] };

/** `public.orders.user_id`, `public.audit.data->'a'->>'order_id'`: the last part is the column. */
function columnsOf(form: string | { table: string; columns: string[] }, mayBeJson: boolean): ColumnReference {
  if (typeof form !== 'string') return { table: tableName(tableNameParts(form.table)), columns: form.columns };
  const [, name = form, steps] = /^(.*?)((?:->'(?:[^']|'')*')*->>'(?:[^']|'')*')?$/s.exec(form) ?? [];
  if (steps !== undefined && !mayBeJson) throw new Error('cannot lead into JSON');
  const parts = tableNameParts(name);
  const column = parts.pop();
  if (column === undefined || parts.length === 0) throw new Error('must name a table and a column: `table.column`');
  const jsonPath = steps?.match(/'(?:[^']|'')*'/g)?.map((step) => step.slice(1, -1).replaceAll("''", "'"));
  return { table: tableName(parts), columns: [column], ...(jsonPath === undefined ? {} : { jsonPath }) };
}

/** Without what is undefined. */
function present<Value extends object>(value: { [Name in keyof Value]: Value[Name] | undefined }): Value {
  return Object.fromEntries(Object.entries(value).filter(([, member]) => member !== undefined)) as Value;
}
