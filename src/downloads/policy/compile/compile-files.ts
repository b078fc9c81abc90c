import type { ColumnSchema, TableSchema } from '../../content/content-schema.ts';
import type { ContentPlan, FilePlan } from '../../variant-plan.ts';
import type { FilePolicy, TablePolicy } from '../masking-policy.ts';
import { fitsPath } from '../name-pattern.ts';
import { checkColumns, checkReadOrder } from './check-columns.ts';
import { checkDerived } from './check-derived.ts';
import { ColumnDecisions } from './column-decisions.ts';
import type { Compilation, FileTree } from './compilation.ts';
import { jsonPlan } from './compile-document.ts';
import { checkUnlessOf, tablePlan } from './compile-tables.ts';
import { SchemaView } from './schema-view.ts';
import type { CoveredTable } from './table-coverage.ts';

/** The plan of a tree of files. */
export function compileFiles(tree: FileTree, compilation: Compilation): ContentPlan {
  const { policy, variant, problems } = compilation;
  if (variant.kind === 'reduced')
    problems.push({
      code: 'file-not-named',
      message: `The variant ${variant.name} has a subset of rows, which is only known for databases.`,
      suggestion: 'Ask for a variant that keeps all, or declare one: `{ keep: full }`.',
    });
  const paths = tree.paths ?? tree.tables.map(({ name }) => name);
  for (const file of paths) {
    if (patternFor(file, policy.files) !== undefined) continue;
    problems.push({
      code: 'file-not-named',
      table: file,
      message: `No pattern under \`files\` means the file ${file}.`,
      suggestion: `Write \`"${file}": keep\`, \`drop\`, \`{ csv: … }\` or \`{ json: … }\`.`,
    });
  }
  const used = new Set(paths.map((file) => patternFor(file, policy.files)));
  if (tree.paths !== undefined)
    for (const file of policy.files)
      if (!used.has(file))
        problems.push({
          code: 'table-matches-nothing',
          table: file.pattern,
          message: `No file of the content is meant by the pattern \`${file.pattern}\`, or those that are, an earlier one means.`,
          suggestion: 'Take it out of `files`, or correct it.',
        });
  for (const table of tree.tables) checkHeader(table, policy.files, compilation);
  return { kind: 'files', files: policy.files.map((file) => filePlan(file, compilation)) };
}

function patternFor(file: string, files: readonly FilePolicy[]): FilePolicy | undefined {
  return files.find(({ pattern }) => fitsPath(pattern, file));
}

function filePlan({ pattern, fate, csv, json }: FilePolicy, compilation: Compilation): FilePlan {
  if (json !== undefined) return { pattern, fate, json: jsonPlan(json, pattern, compilation) };
  if (csv === undefined) return { pattern, fate };
  const { delimiter, quote, hasHeader, table: policy } = csv;
  const covered = coveredCsv(csvTable(pattern, [...policy.columns.keys()]), policy);
  const view = new SchemaView({ dialect: 'csv', tables: [covered.table] });
  const decisions = new ColumnDecisions(view, new Map([[covered.table.name, covered]]), compilation);
  checkColumns(covered, decisions, compilation);
  checkReadOrder(covered.table, decisions, compilation);
  checkDerived(covered, view, decisions, compilation);
  checkUnlessOf(covered, compilation);
  return { pattern, fate, csv: { delimiter, quote, hasHeader, table: tablePlan(covered, decisions, compilation) } };
}

/** A file has the columns that its pattern names, no more and no fewer. */
function checkHeader(table: TableSchema, files: readonly FilePolicy[], { problems }: Compilation): void {
  const named = patternFor(table.name, files)?.csv?.table.columns;
  if (named === undefined) return;
  const present = new Set(table.columns.map(({ name }) => name));
  for (const column of present) {
    if (named.has(column)) continue;
    problems.push({
      code: 'column-not-named',
      table: table.name,
      column,
      message: `The column ${column} of the file ${table.name} is not named by the policy.`,
      suggestion: `Write \`${column}: keep\` if it is not personal, or another rule.`,
    });
  }
  for (const column of named.keys()) {
    if (present.has(column)) continue;
    problems.push({
      code: 'column-matches-nothing',
      table: table.name,
      column,
      message: `The policy names the column ${column}, which the file ${table.name} does not have.`,
      suggestion: 'Take it out, or give the file a pattern of its own before this one.',
    });
  }
}

function coveredCsv(table: TableSchema, policy: TablePolicy): CoveredTable {
  return { table, fate: 'rows', policies: [policy], ...(policy.unless === undefined ? {} : { unless: policy.unless }) };
}

function csvTable(name: string, columns: readonly string[]): TableSchema {
  return {
    name,
    columns: columns.map(
      (column): ColumnSchema => ({ name: column, type: 'text', family: 'text', isNullable: true, isGenerated: false }),
    ),
    uniqueKeys: [],
    foreignKeys: [],
    isPartitioned: false,
  };
}
