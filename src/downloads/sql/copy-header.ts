import { notSealable } from './not-sealable.ts';
import { identifierOf, qualifiedName, tokensOf } from './sql-tokens.ts';

/** Whose rows follow a COPY. Names are in Latin-1, one character for each byte of the dump. */
export interface CopyHeader {
  /** The table, with its schema before it where that is said. */
  table: string[];
  /** In the order of the fields of each row; undefined where the dump does not say. */
  columns: string[] | undefined;
}

/**
 * Reads `COPY table (columns) FROM stdin;` as pg_dump writes it, over any lines and with any names.
 * @throws HoldfastError `dump-not-sealable` for every other COPY: files, programs, other formats, COPY TO
 */
export function copyHeader(statement: Buffer): CopyHeader {
  const tokens = tokensOf(statement, 'postgresql');
  const name = qualifiedName(tokens, 1);
  if (tokens[0]?.text !== 'copy' || name === undefined) throw unknownCopy();
  const { columns, next } = columnList(tokens, name.next);
  const words = tokens.slice(next).map(({ kind, text }) => (kind === 'word' || kind === 'symbol' ? text : ''));
  if (words.join(' ') !== 'from stdin ;') throw unknownCopy();
  return { table: name.parts, columns };
}

function columnList(
  tokens: ReturnType<typeof tokensOf>,
  from: number,
): { columns: string[] | undefined; next: number } {
  if (tokens[from]?.text !== '(') return { columns: undefined, next: from };
  const columns: string[] = [];
  for (let at = from + 1; ; at += 2) {
    const column = identifierOf(tokens[at]);
    const mark = tokens[at + 1]?.text;
    if (column === undefined || (mark !== ',' && mark !== ')')) throw unknownCopy();
    columns.push(column);
    if (mark === ')') return { columns, next: at + 2 };
  }
}

function unknownCopy() {
  return notSealable(
    'it has a COPY statement of another form than COPY table (columns) FROM stdin',
    'Make the dump with pg_dump, without --binary-upgrade and the like.',
  );
}
