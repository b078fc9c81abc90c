import type { TextToken } from '../../sql/sql-tokens.ts';
import { tokensOf } from '../../sql/sql-tokens.ts';
import type { ColumnSchema, ForeignKey, UniqueKey } from '../content-schema.ts';
import { tableName } from '../table-name.ts';
import { type ColumnType, columnType } from './column-type.ts';
import { afterParentheses, isWord, nameOf, sameName, stringOf } from './dump-text.ts';
import { listedValues } from './listed-values.ts';
import { unreadable } from './unreadable.ts';

export interface DefinedColumn extends ColumnSchema {
  isBinary: boolean;
  /** Its own character set, or that of the table. */
  charset: string | undefined;
}

/** What a CREATE TABLE says. */
export interface TableDefinition {
  /** As it is spelt. */
  table: string;
  columns: readonly DefinedColumn[];
  uniqueKeys: readonly UniqueKey[];
  foreignKeys: readonly DefinedForeignKey[];
}

export interface DefinedForeignKey extends ForeignKey {
  /** The table that it leads to, as it is spelt. */
  targetTable: string;
  /** Where it stands in the statement, with the comma before it. Bytes. */
  start: number;
  end: number;
  /** Part of its column's definition. */
  isInline: boolean;
}

/** Tokens of one part of a statement. */
type Part = readonly TextToken[];

/** What stands between two commas of a list. */
export interface ListPart {
  tokens: Part;
  /** Where the comma before it stands, or its first token. Bytes. */
  start: number;
}

/**
 * Reads `CREATE TABLE name (…) …` as MySQL and MariaDB print it and as people write it.
 * @throws HoldfastError `variant-content-unreadable` for one that takes rows or columns from elsewhere
 */
export function tableDefinition(statement: Buffer): TableDefinition {
  const tokens = tokensOf(statement, 'mysql');
  let at = tokens.findIndex((token) => isWord(token, 'table')) + 1;
  while (isWord(tokens[at], 'if', 'not', 'exists')) at++;
  const table = nameOf(statement, tokens[at]);
  const open = at + 1;
  const close = afterParentheses(tokens, open);
  if (table === undefined || tokens[open]?.text !== '(')
    throw unreadable('it has a CREATE TABLE without columns', { table });
  const after = tokens.slice(close);
  const isFilled =
    after.some((token) => isWord(token, 'select')) ||
    withoutParentheses(after).some((token) => isWord(token, 'as', 'like', 'table', 'values')) ||
    isWord(tokens[open + 1], 'like', 'select');
  if (isFilled) throw unreadable(`table ${table} is made from another one (CREATE TABLE … SELECT or LIKE)`, { table });
  const reader = new DefinitionReader(statement, table, charsetOf(tokens.slice(close)));
  for (const part of partsOf(tokens, open, close - 1)) reader.read(part.tokens, part.start);
  return reader.result();
}

/**
 * Reads `ALTER TABLE name ADD …, ADD …`; other changes that touch no rows are passed over.
 * @throws HoldfastError `variant-content-unreadable` for one that changes columns or rows
 */
export function alteredTable(
  statement: Buffer,
  changes: readonly ListPart[],
  definition: TableDefinition,
): TableDefinition {
  const reader = new DefinitionReader(statement, definition.table, undefined, definition);
  for (const { tokens, start } of changes) {
    const isAdded = isWord(tokens[0], 'add') && tokens[1]?.kind === 'word' && KEY_WORDS.has(tokens[1].text);
    if (isAdded) reader.read(tokens.slice(1), start);
    else if (!isWord(tokens[0], ...HARMLESS_CHANGES)) {
      const { table } = definition;
      throw unreadable(`it changes table ${table} by ALTER TABLE after it was made, other than by adding keys`, {
        table,
      });
    }
  }
  return reader.result();
}

export function partsOf(tokens: readonly TextToken[], open: number, close: number): ListPart[] {
  const parts: ListPart[] = [];
  let from = open + 1;
  let depth = 0;
  for (let at = open + 1; at <= close; at++) {
    const token = tokens[at];
    const symbol = token?.kind === 'symbol' ? token.text : '';
    if (symbol === '(') depth++;
    if (symbol === ')' && at < close) depth--;
    if (at < close && (symbol !== ',' || depth > 0)) continue;
    const isFirst = parts.length === 0;
    parts.push({ tokens: tokens.slice(from, at), start: tokens[isFirst ? from : from - 1]?.start ?? 0 });
    from = at + 1;
  }
  return parts;
}

class DefinitionReader {
  readonly #statement: Buffer;
  readonly #table: string;
  readonly #charset: string | undefined;
  readonly #columns: DefinedColumn[];
  readonly #uniqueKeys: UniqueKey[];
  readonly #foreignKeys: DefinedForeignKey[];
  readonly #listed: { column: string; values: string[] }[] = [];

  constructor(statement: Buffer, table: string, charset: string | undefined, before?: TableDefinition) {
    this.#statement = statement;
    this.#table = table;
    this.#charset = charset;
    this.#columns = [...(before?.columns ?? [])];
    this.#uniqueKeys = [...(before?.uniqueKeys ?? [])];
    this.#foreignKeys = [...(before?.foreignKeys ?? [])];
  }

  read(part: Part, start: number): void {
    const first = part[0];
    for (const [at, token] of part.entries()) {
      const listed = isWord(token, 'check') ? listedValues(this.#statement, part.slice(at + 1)) : undefined;
      if (listed !== undefined) this.#listed.push(listed);
    }
    if (first?.kind === 'word' && KEY_WORDS.has(first.text)) this.#key(part, start);
    else this.#column(part);
  }

  result(): TableDefinition {
    for (const { column, values } of this.#listed) {
      const at = this.#columns.findIndex(({ name }) => sameName(name) === sameName(column));
      const found = this.#columns[at];
      if (found !== undefined && found.allowedValues === undefined)
        this.#columns[at] = { ...found, allowedValues: values };
    }
    const primary = new Set(this.#uniqueKeys.filter(({ isPrimary }) => isPrimary).flatMap(({ columns }) => columns));
    return {
      table: this.#table,
      columns: this.#columns.map((column) => (primary.has(column.name) ? { ...column, isNullable: false } : column)),
      uniqueKeys: [
        ...this.#uniqueKeys.filter(({ isPrimary }) => isPrimary),
        ...this.#uniqueKeys.filter(({ isPrimary }) => !isPrimary),
      ],
      foreignKeys: this.#foreignKeys.map((key) => ({
        ...key,
        columns: key.columns.map((name) => this.#spelt(name)),
      })),
    };
  }

  #column(part: Part): void {
    const name = nameOf(this.#statement, part[0]);
    const typeName = part[1];
    if (name === undefined || typeName?.kind !== 'word')
      throw unreadable(`the definition of table ${this.#table} has a part that is not known`, { table: this.#table });
    const hasLength = part[2]?.text === '(';
    const afterType = hasLength ? afterParentheses(part, 2) : 2;
    const length = hasLength ? Number(part[3]?.text) : undefined;
    const rest = part.slice(afterType);
    const type = typeOf(typeName.text, Number.isInteger(length) ? length : undefined, rest);
    const labels = LABELLED.has(typeName.text)
      ? part.slice(3, afterType - 1).filter(({ kind }) => kind === 'string')
      : [];
    this.#columns.push({
      name,
      type: this.#typeText(part, afterType),
      family: type.family,
      ...(type.maxLength === undefined ? {} : { maxLength: type.maxLength }),
      isNullable: !hasWords(rest, 'not', 'null') && typeName.text !== 'serial',
      isGenerated: isGenerated(rest),
      ...(labels.length === 0 ? {} : { allowedValues: labels.map(stringOf) }),
      isBinary: type.isBinary,
      charset: charsetOf(rest) ?? this.#charset,
    });
    this.#ownKeys(name, rest);
  }

  /** `id int PRIMARY KEY`, `code char(3) UNIQUE`, `boss int REFERENCES users (id)`. */
  #ownKeys(name: string, rest: Part): void {
    const outside = withoutParentheses(rest);
    const isPrimary = hasWords(outside, 'primary', 'key') || hasWords(outside, 'primary');
    if (isPrimary || outside.some((token) => isWord(token, 'unique')))
      this.#uniqueKeys.push({ name: isPrimary ? 'PRIMARY' : name, columns: [name], isPrimary, isExpression: false });
    const at = rest.findIndex((token) => isWord(token, 'references'));
    const [first, last] = [rest[at], rest.at(-1)];
    if (at >= 0 && first !== undefined && last !== undefined)
      this.#foreignKeys.push(
        this.#reference(rest, at, name, [name], first.start, endOfReference(rest, at)?.end ?? last.end, true),
      );
  }

  #typeText(part: Part, afterType: number): string {
    let end = afterType;
    while (isWord(part[end], 'unsigned', 'zerofill', 'signed', 'precision', 'varying')) end++;
    const [first, last] = [part[1], part[end - 1]];
    return this.#statement.toString('utf8', first?.start, last?.end).toLowerCase();
  }

  #key(part: Part, start: number): void {
    let at = 0;
    let name = '';
    if (isWord(part[0], 'constraint')) {
      const isNamed = part[1]?.kind !== 'word' || !KEY_WORDS.has(part[1].text);
      if (isNamed) name = nameOf(this.#statement, part[1]) ?? '';
      at = isNamed ? 2 : 1;
    }
    const kind = part[at]?.text;
    if (kind === 'foreign') {
      const open = part.findIndex((token, position) => position > at && token.text === '(');
      const references = afterParentheses(part, open);
      if (name === '' && open > at + 2) name = nameOf(this.#statement, part[open - 1]) ?? '';
      const columns = this.#keyColumns(part, open).columns;
      this.#foreignKeys.push(this.#reference(part, references, name, columns, start, part.at(-1)?.end ?? start));
    } else if (kind === 'primary' || kind === 'unique') this.#uniqueKey(part, at, name, kind === 'primary');
  }

  #uniqueKey(part: Part, from: number, constraint: string, isPrimary: boolean): void {
    const open = part.findIndex((token, at) => at > from && token.text === '(');
    const names = part
      .slice(from + 1, open)
      .filter(
        (token, at, all) =>
          token.kind === 'name' || (at === all.length - 1 && !isWord(token, 'key', 'index', 'btree', 'hash')),
      );
    const name = isPrimary ? 'PRIMARY' : (nameOf(this.#statement, names[0]) ?? constraint);
    const { columns, isExpression } = this.#keyColumns(part, open);
    this.#uniqueKeys.push({ name: name || (columns[0] ?? ''), columns, isPrimary, isExpression });
  }

  /** The columns of a key; those that an expression or the first letters of a column are made of too. */
  #keyColumns(part: Part, open: number): { columns: string[]; isExpression: boolean } {
    const columns: string[] = [];
    let isExpression = false;
    for (const { tokens } of partsOf(part, open, afterParentheses(part, open) - 1)) {
      if (tokens[0]?.text !== '(') {
        columns.push(this.#spelt(nameOf(this.#statement, tokens[0]) ?? ''));
        // A prefix: values that differ may have the same first letters.
        if (tokens[1]?.text === '(') isExpression = true;
        continue;
      }
      isExpression = true;
      for (const token of tokens) {
        const name = token.kind === 'symbol' ? undefined : nameOf(this.#statement, token);
        const column = this.#columns.find((each) => sameName(each.name) === sameName(name ?? ''));
        if (column !== undefined) columns.push(column.name);
      }
    }
    return { columns: [...new Set(columns)], isExpression };
  }

  #reference(
    part: Part,
    references: number,
    name: string,
    columns: readonly string[],
    start: number,
    end: number,
    isInline = false,
  ): DefinedForeignKey {
    const target = nameOf(this.#statement, part[references + 1]);
    if (!isWord(part[references], 'references') || target === undefined)
      throw unreadable(`a foreign key of table ${this.#table} cannot be read`, { table: this.#table });
    const targetColumns =
      part[references + 2]?.text === '('
        ? partsOf(part, references + 2, afterParentheses(part, references + 2) - 1).map(
            ({ tokens }) => nameOf(this.#statement, tokens[0]) ?? '',
          )
        : [];
    return { name, columns, target: tableName([target]), targetTable: target, targetColumns, start, end, isInline };
  }

  #spelt(name: string): string {
    return this.#columns.find((column) => sameName(column.name) === sameName(name))?.name ?? name;
  }
}

const KEY_WORDS = new Set([
  'primary',
  'unique',
  'key',
  'index',
  'constraint',
  'foreign',
  'fulltext',
  'spatial',
  'check',
  'period',
]);
/** What an ALTER TABLE of a dump begins with besides ADD: it changes neither names nor rows. */
const HARMLESS_CHANGES = ['disable', 'enable', 'modify', 'auto_increment', 'engine', 'comment'];
const LABELLED = new Set(['enum', 'set']);

function typeOf(name: string, length: number | undefined, rest: Part): ColumnType {
  const type = columnType(name, length);
  // MariaDB's JSON is a text with a check.
  const isJson = type.family === 'text' && rest.some((token) => isWord(token, 'json_valid'));
  if (isJson) return { ...type, family: 'json' };
  const isBinary = type.family === 'text' && hasWords(rest, 'character', 'set', 'binary');
  return isBinary ? { family: 'bytes', isBinary: true } : type;
}

/** `CHARACTER SET latin1`, `CHARSET=latin1`, `COLLATE latin1_bin`. */
function charsetOf(tokens: Part): string | undefined {
  const value = (at: number) => tokens[tokens[at]?.text === '=' ? at + 1 : at]?.text;
  for (const [at, token] of tokens.entries()) {
    if (isWord(token, 'charset')) return value(at + 1);
    if (isWord(token, 'character') && isWord(tokens[at + 1], 'set')) return value(at + 2);
  }
  const collate = tokens.findIndex((token) => isWord(token, 'collate'));
  return collate < 0 ? undefined : value(collate + 1)?.split('_')[0];
}

/** The last token of what a column's REFERENCES says. */
function endOfReference(tokens: Part, references: number): TextToken | undefined {
  let at = references + 2;
  if (tokens[at]?.text === '(') at = afterParentheses(tokens, at);
  for (;;) {
    if (isWord(tokens[at], 'on') && isWord(tokens[at + 1], 'delete', 'update'))
      at += isWord(tokens[at + 2], 'set', 'no') ? 4 : 3;
    else if (isWord(tokens[at], 'match')) at += 2;
    else return tokens[at - 1];
  }
}

function isGenerated(rest: Part): boolean {
  return rest.some((token, at) => isWord(token, 'as') && (rest[at + 1]?.text === '(' || isWord(rest[at + 1], 'row')));
}

function hasWords(tokens: Part, ...words: readonly string[]): boolean {
  return tokens.some((_, at) => words.every((word, offset) => isWord(tokens[at + offset], word)));
}

function withoutParentheses(tokens: Part): Part {
  let depth = 0;
  return tokens.filter((token) => {
    if (token.kind === 'symbol' && token.text === '(') depth++;
    const isOutside = depth === 0;
    if (token.kind === 'symbol' && token.text === ')') depth--;
    return isOutside;
  });
}
