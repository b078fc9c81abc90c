import type { ForeignKey, TableSchema, UniqueKey } from '../../content/content-schema.ts';
import { type ColumnDecision, type ColumnDecisions, givesNull, isKept, isSameRule } from './column-decisions.ts';
import type { Compilation } from './compilation.ts';
import { readsOthers } from './compile-rule.ts';
import type { SchemaView } from './schema-view.ts';
import type { CoveredTable } from './table-coverage.ts';

/** Unique keys that two rows could come to share. */
export function checkUniqueKeys(
  { table }: CoveredTable,
  view: SchemaView,
  decisions: ColumnDecisions,
  { problems }: Compilation,
): void {
  const { dialect } = view.schema;
  const decisionOf = (name: string): ColumnDecision | undefined => {
    const column = table.columns.find((each) => each.name === name);
    return column === undefined ? undefined : decisions.of(table, column);
  };
  const ignoresCase = (name: string): boolean =>
    dialect === 'mysql' ||
    decisionOf(name)?.column.type.startsWith('citext') === true ||
    table.uniqueKeys.some(({ isExpression, columns }) => isExpression && columns.length === 1 && columns[0] === name);
  const staysUnique = (name: string): boolean => {
    const decision = decisionOf(name);
    if (decision?.compiled === undefined || decision.column.isGenerated) return true;
    const { rule, facts } = decision.compiled;
    const joins = rule.normalise.some((step) => step === 'trim' || !ignoresCase(name));
    return facts.isInjective && (!joins || isKept(decision));
  };
  const reported = new Set<string>();
  for (const key of table.uniqueKeys) {
    if (key.columns.every(staysUnique) || isUniqueByAnother(key, table, staysUnique)) continue;
    if (!key.isPrimary && key.columns.some((name) => isAlwaysNull(decisionOf(name)))) continue;
    for (const name of key.columns) {
      const decision = decisionOf(name);
      if (staysUnique(name) || decision?.policy?.allowUniquenessLoss !== undefined || reported.has(name)) continue;
      reported.add(name);
      const normalises = decision?.compiled?.facts.isInjective === true;
      problems.push({
        code: 'uniqueness-lost',
        table: table.name,
        column: name,
        message: `The column ${table.name}.${name} is part of the unique key ${key.name}, and ${
          normalises
            ? 'the domain of its rule takes several spellings for one'
            : `the rule \`${decision?.compiled?.rule.transformer}\` may give two values the same pseudonym`
        }.`,
        suggestion: normalises
          ? 'Take `normalise` out of the domain, or use one without it, or say why it does no harm: `{ rule: …, allow_uniqueness_loss: "…" }`.'
          : 'Write a rule that keeps different values different (`keep`, `hash`, `token`, `uuid`), or say why it does no harm: `{ rule: …, allow_uniqueness_loss: "…" }`.',
      });
    }
  }
}

/** NULLs are different from each other in a unique key. */
function isAlwaysNull(decision: ColumnDecision | undefined): boolean {
  return decision !== undefined && givesNull(decision);
}

/** Where some of the columns are unique by themselves and stay so, all of them together do: a NULL in any of them makes no conflict. */
function isUniqueByAnother(key: UniqueKey, table: TableSchema, staysUnique: (column: string) => boolean): boolean {
  if (key.isExpression) return false;
  return table.uniqueKeys.some(
    (other) =>
      other !== key &&
      !other.isExpression &&
      other.columns.every((name) => key.columns.includes(name) && staysUnique(name)),
  );
}

/** References that would lead nowhere, or to another row. */
export function checkForeignKeys(
  { table, unless }: CoveredTable,
  covered: ReadonlyMap<string, CoveredTable>,
  view: SchemaView,
  decisions: ColumnDecisions,
  compilation: Compilation,
): void {
  for (const key of table.foreignKeys) {
    const target = covered.get(key.target);
    // A reference to what the content has not, or to a table that is dropped, is not checked by the database either.
    if (target === undefined || target.fate === 'drop') continue;
    if (target.fate === 'structure') checkEmptyTarget(table, key, decisions, compilation);
    else checkSameRules(table, key, target, view, decisions, compilation);
    if (unless !== undefined || target.unless !== undefined)
      checkUnless(table, key, unless !== undefined, view, decisions, compilation);
  }
}

function checkEmptyTarget(
  table: TableSchema,
  key: ForeignKey,
  decisions: ColumnDecisions,
  { problems, variant }: Compilation,
): void {
  const columns = decisionsOf(table, key.columns, decisions);
  if (columns.some(givesNull)) return;
  if (
    variant.subset?.nullOut.some(
      ({ table: name, columns: cut }) => name === table.name && cut.some((column) => key.columns.includes(column)),
    )
  )
    return;
  const mayBeNull = columns.find(({ column }) => column.isNullable)?.column.name;
  problems.push({
    code: 'foreign-key-target-empty',
    table: table.name,
    ...(key.columns[0] === undefined ? {} : { column: key.columns[0] }),
    message: `The rows of ${table.name} refer to ${key.target} by ${key.columns.join(', ')} (${key.name}), which is given without rows.`,
    suggestion: `Give rows of ${key.target} as well, write \`${table.name}: structure\`${mayBeNull === undefined ? '' : `, or \`${mayBeNull}: null\``}.`,
  });
}

function checkSameRules(
  table: TableSchema,
  key: ForeignKey,
  target: CoveredTable,
  view: SchemaView,
  decisions: ColumnDecisions,
  { problems }: Compilation,
): void {
  const pairs = key.columns.flatMap((name, index) => {
    const column = view.column(table.name, name);
    const targetColumn = view.column(key.target, key.targetColumns[index] ?? '');
    const own = column && decisions.of(table, column);
    const other = targetColumn && decisions.of(target.table, targetColumn);
    return own === undefined || other === undefined ? [] : [{ own, other }];
  });
  // A reference of which any part is NULL is none.
  if (pairs.some(({ own }) => givesNull(own))) return;
  for (const { own, other } of pairs) {
    const readsRow = other.compiled !== undefined && readsOthers(other.compiled.facts);
    if (isSameRule(own, other) && !readsRow) continue;
    problems.push({
      code: 'foreign-key-differs',
      table: table.name,
      column: own.column.name,
      message: readsRow
        ? `The column ${table.name}.${own.column.name} refers to ${target.table.name}.${other.column.name} (${key.name}), whose rule reads other columns of its row: both cannot come to the same.`
        : `The column ${table.name}.${own.column.name} refers to ${target.table.name}.${other.column.name} (${key.name}), and has another rule: its rows would refer to none, or to others.`,
      suggestion: readsRow
        ? `Write a rule for ${target.table.name}.${other.column.name} that hangs on its value alone.`
        : `Take the rule of ${own.column.name} out: it then takes that of ${target.table.name}.${other.column.name}.`,
    });
  }
}

/** A row that stays as it is must not refer to one that does not, nor be referred to by one. */
function checkUnless(
  table: TableSchema,
  key: ForeignKey,
  isOfTable: boolean,
  view: SchemaView,
  decisions: ColumnDecisions,
  { problems }: Compilation,
): void {
  const place = isOfTable ? table : view.table(key.target);
  const names = isOfTable ? key.columns : key.targetColumns;
  const column = place && decisionsOf(place, names, decisions).find((each) => !isKept(each) && !givesNull(each));
  if (place === undefined || column?.compiled === undefined) return;
  problems.push({
    code: 'unless-breaks-references',
    table: place.name,
    column: column.column.name,
    message: `Some rows of ${place.name} stay as they are (\`unless\`), but its column ${column.column.name} is masked and part of the foreign key ${key.name}: references between masked rows and others would lead nowhere.`,
    suggestion: `Write \`${column.column.name}: keep\` on both sides, or take \`unless\` out.`,
  });
}

function decisionsOf(table: TableSchema, names: readonly string[], decisions: ColumnDecisions): ColumnDecision[] {
  return names.flatMap((name) => {
    const column = table.columns.find((each) => each.name === name);
    return (column && decisions.of(table, column)) ?? [];
  });
}
