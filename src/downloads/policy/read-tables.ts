import { tableName, tableNameParts } from '../content/table-name.ts';
import type { Predicate } from '../predicate/predicate.ts';
import type { FaultList } from './fault-list.ts';
import type { ColumnPolicy, DocumentPolicy, FilePolicy, TablePolicy } from './masking-policy.ts';
import type { ColumnForm, DocumentForm, FileForm, TableForm } from './policy-schema.ts';
import { readColumn, readRule } from './read-rule.ts';

/** What the readers of a policy's parts have in common. */
export interface PolicyReading {
  faults: FaultList;
  domains: ReadonlySet<string>;
  parsePredicate(text: string): Predicate;
}

type Path = readonly (string | number)[];

/** Tables by their names, and fates by patterns of names. */
export function readTables(
  forms: Readonly<Record<string, TableForm>>,
  reading: PolicyReading,
): { tables: Map<string, TablePolicy>; patterns: Map<string, 'structure' | 'drop'> } {
  const tables = new Map<string, TablePolicy>();
  const patterns = new Map<string, 'structure' | 'drop'>();
  for (const [written, form] of Object.entries(forms)) {
    const path = ['tables', written];
    if (isPattern(written)) {
      if (typeof form === 'string') patterns.set(written, form);
      else
        reading.faults.add(
          path,
          'a pattern stands for tables that nobody has looked at, so it can only be `structure` or `drop`: name each table that has columns',
        );
      continue;
    }
    const name = reading.faults.guard(path, () => tableName(tableNameParts(written)));
    if (name === undefined) continue;
    if (tables.has(name)) reading.faults.add(path, `the table ${name} stands there twice, spelt in two ways`);
    tables.set(name, readTable(form, path, reading));
  }
  return { tables, patterns };
}

function readTable(form: TableForm, path: Path, { faults, domains, parsePredicate }: PolicyReading): TablePolicy {
  if (typeof form === 'string') return { fate: form, columns: new Map() };
  const columns = readColumns(form.columns ?? {}, [...path, 'columns'], { faults, domains });
  const { unless, accept } = form;
  const rows = unless === undefined ? undefined : faults.guard([...path, 'unless'], () => parsePredicate(unless));
  const reason = accept?.unless;
  if (unless !== undefined && reason === undefined)
    faults.add(
      [...path, 'unless'],
      'rows that leave unmasked need a reason: write `accept: { unless: "…" }` beside it',
    );
  if (unless === undefined && reason !== undefined)
    faults.add([...path, 'accept', 'unless'], 'is a reason for rows that nothing leaves unmasked: take it out');
  return { fate: 'rows', columns, ...(rows === undefined || reason === undefined ? {} : { unless: { rows, reason } }) };
}

function readColumns(
  forms: Readonly<Record<string, ColumnForm>>,
  path: Path,
  { faults, domains }: Pick<PolicyReading, 'faults' | 'domains'>,
): Map<string, ColumnPolicy> {
  const columns = new Map<string, ColumnPolicy>();
  for (const [name, form] of Object.entries(forms)) {
    const column = faults.guard([...path, name], () => readColumn(form, domains));
    if (column !== undefined) columns.set(name, column);
  }
  return columns;
}

export function readDocument(form: DocumentForm, path: Path, { faults, domains }: PolicyReading): DocumentPolicy {
  const paths = Object.entries(form.paths).flatMap(([written, rule]) => {
    const read = faults.guard([...path, 'paths', written], () => readRule(rule, domains));
    return read === undefined ? [] : [{ path: written, rule: read }];
  });
  return { unknown: form.unknown, names: form.names, paths, onInvalid: form.on_invalid };
}

export function readFiles(forms: Readonly<Record<string, FileForm>>, reading: PolicyReading): FilePolicy[] {
  return Object.entries(forms).map(([pattern, form]) => {
    const path = ['files', pattern];
    if (typeof form === 'string') return { pattern, fate: form };
    if ('json' in form) return { pattern, fate: 'json', json: readDocument(form.json, [...path, 'json'], reading) };
    const { delimiter, quote, header, ...table } = form.csv;
    addSyntaxFaults(delimiter, quote, [...path, 'csv'], reading);
    return {
      pattern,
      fate: 'csv',
      csv: { delimiter, quote, hasHeader: header, table: readTable(table, [...path, 'csv'], reading) },
    };
  });
}

function addSyntaxFaults(delimiter: string, quote: string, path: readonly string[], { faults }: PolicyReading): void {
  if (delimiter === quote) faults.add([...path, 'quote'], 'must not be the delimiter');
  if (/[\r\n\ud800-\udfff]/.test(delimiter))
    faults.add([...path, 'delimiter'], 'must be one character, and no line break');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: files without quotes are read with a character that they do not have
  if (!/^[\x01-\x09\x0b\x0c\x0e-\x7f]$/.test(quote))
    faults.add([...path, 'quote'], 'must be an ASCII character, and no line break');
}

/** A `*` outside of double quotes. */
function isPattern(name: string): boolean {
  return name.replace(/"(?:[^"]|"")*"/g, '').includes('*');
}
