/** A column of a table: its heading, what it shows of a row, and whether it lines up at the right (numbers). */
export interface Column<Row> {
  heading: string;
  value: (row: Row) => string;
  align?: 'left' | 'right';
}

/**
 * Lines of text in columns two spaces apart; the heading first. Columns that are empty in every row are left out.
 * Control characters are shown escaped, so that a name cannot command the terminal.
 */
export function tableLines<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string[] {
  const texts = columns.map((column) => rows.map((row) => printable(column.value(row))));
  const shown = columns.flatMap((column, index) => {
    const cells = texts[index] ?? [];
    if (rows.length > 0 && cells.every((cell) => cell === '')) return [];
    const all = [column.heading, ...cells];
    const width = Math.max(...all.map(displayWidth));
    return [all.map((cell) => pad(cell, width, column.align ?? 'left'))];
  });
  const lines: string[] = [];
  for (let line = 0; line <= rows.length; line++) {
    lines.push(
      shown
        .map((cells) => cells[line] ?? '')
        .join('  ')
        .trimEnd(),
    );
  }
  return lines;
}

/** `text` with control characters as `\x1b`; what a terminal would obey is shown instead. */
export function printable(text: string): string {
  return text.replace(CONTROL_CHARACTERS, (character) => {
    return `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
}

const CONTROL_CHARACTERS = /\p{Cc}/gu;

function displayWidth(text: string): number {
  return [...text].length;
}

function pad(text: string, width: number, align: 'left' | 'right'): string {
  const room = ' '.repeat(Math.max(0, width - displayWidth(text)));
  return align === 'right' ? room + text : text + room;
}
