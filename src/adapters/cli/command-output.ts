import { once } from 'node:events';
import { HoldfastError, messageOf } from '../../core/errors.ts';
import { type Column, printable, tableLines } from '../../reports/table.ts';
import { systemFault } from './system-fault.ts';

/** How the user wants to be told, from the global options. */
export interface OutputOptions {
  json: boolean;
  quiet: boolean;
  color: boolean;
}

/** Where a command's words go: results to standard output, everything else to standard error. */
export class CommandOutput {
  readonly options: OutputOptions;

  constructor(options: OutputOptions) {
    this.options = options;
  }

  /** The command's result: with `--json` the object on one line, else the lines for people. */
  result(object: Readonly<Record<string, unknown>>, lines: () => readonly string[]): void {
    if (this.options.json) process.stdout.write(`${JSON.stringify(object)}\n`);
    else for (const line of lines()) process.stdout.write(`${line}\n`);
  }

  /** A result that is a table; `empty` is said (not as a result) where it has no rows. */
  table<Row>(
    object: Readonly<Record<string, unknown>>,
    columns: readonly Column<Row>[],
    rows: readonly Row[],
    empty: string,
  ): void {
    if (this.options.json) this.result(object, () => []);
    else if (rows.length === 0) this.note(empty);
    else for (const line of tableLines(columns, rows)) process.stdout.write(`${line}\n`);
  }

  /**
   * Raw text of a result that is too long to be held; the caller keeps it valid JSON where that is wanted, and waits, so
   * that a slow reader does not fill the memory.
   */
  async writePart(text: string): Promise<void> {
    if (!process.stdout.write(text)) await once(process.stdout, 'drain');
  }

  /** Something worth knowing that is no result; silent with `--quiet` and `--json`. */
  note(text: string): void {
    if (!this.options.quiet && !this.options.json) process.stderr.write(`${text}\n`);
  }

  /** Something that must be known although the command goes on. */
  warn(message: string): void {
    if (this.options.json) process.stderr.write(`${JSON.stringify({ warning: message })}\n`);
    else process.stderr.write(`${this.colored('yellow', 'warning:')} ${printable(message)}\n`);
  }

  /** Why the command failed, on one line; with `--json` as an object with `code` and `message`. */
  failure(error: unknown): void {
    const { code, message } = told(error);
    if (this.options.json) {
      const details = error instanceof HoldfastError ? { details: error.details } : {};
      process.stderr.write(`${JSON.stringify({ code, message, ...details }, bigintsAsText)}\n`);
    } else {
      process.stderr.write(`${this.colored('red', 'holdfast:')} ${printable(message)}\n`);
    }
    if (process.env.HOLDFAST_DEBUG) console.error(error);
  }

  colored(color: 'red' | 'yellow' | 'green' | 'bold', text: string): string {
    return this.options.color ? `\x1b[${ANSI[color]}m${text}\x1b[0m` : text;
  }
}

const ANSI = { red: 31, yellow: 33, green: 32, bold: 1 } as const;

function told(error: unknown): { code: string; message: string } {
  const message = messageOf(error).replaceAll(/\s*\n\s*/g, ' ');
  if (error instanceof HoldfastError) return { code: error.code, message };
  const unforeseen = `${message}. This was not foreseen; set HOLDFAST_DEBUG=1 and try again to see where it happened.`;
  return systemFault(error) ?? { code: 'internal', message: unforeseen };
}

function bigintsAsText(_name: string, value: unknown): unknown {
  return typeof value === 'bigint' ? String(value) : value;
}
