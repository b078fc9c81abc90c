import { RowFault } from '../../masking/row-fault.ts';

/**
 * A value's own tabs and line ends are escaped; where raw ones stand behind a backslash PostgreSQL reads them as a part of the value, and pg_dump does not write that.
 * @param text rows in Latin-1
 * @throws RowFault
 */
export function checkEscapes(text: string): void {
  const [escaped] = /(?<!\\)(?:\\\\)*\\[\t\n\r]/.exec(text.includes('\\\t') || text.includes('\\\n') ? text : '') ?? [];
  if (escaped !== undefined)
    throw new RowFault(
      0,
      'it, or a row soon after it, has a tab or line end behind a backslash, which is not how pg_dump writes it',
    );
  if (text.includes('\r'))
    throw new RowFault(
      0,
      'it, or a row soon after it, holds a carriage return, as in a dump whose line ends were converted',
    );
}

/** Whether rows have to be checked at all: most have none of what may be wrong. */
export function hasEscapes(rows: Buffer): boolean {
  return rows.includes(CARRIAGE_RETURN) || rows.includes(ESCAPED_TAB) || rows.includes(ESCAPED_LINE_END);
}

const CARRIAGE_RETURN = 0x0d;
const ESCAPED_TAB = Buffer.from('\\\t');
const ESCAPED_LINE_END = Buffer.from('\\\n');
