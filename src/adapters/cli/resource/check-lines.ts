import type { ConnectionCheck } from '../../../core/ports/connection-check.ts';
import { printable } from '../../../reports/table.ts';
import type { CommandOutput } from '../command-output.ts';

const COLORS = { ok: 'green', warning: 'yellow', failed: 'red', skipped: 'bold' } as const;

/** What a test of a resource found, for people: a line for each check, and one more where there is advice. */
export function checkLines(output: CommandOutput, checks: readonly ConnectionCheck[]): string[] {
  const width = Math.max(0, ...checks.map(({ name }) => printable(name).length));
  return checks.flatMap(({ name, outcome, message, advice }) => {
    const mark = output.colored(COLORS[outcome], outcome.padEnd(7));
    const indent = ' '.repeat('skipped  '.length + width + 1);
    return [
      `${mark}  ${printable(name).padEnd(width)} ${printable(message)}`,
      ...(advice === undefined ? [] : [`${indent}${printable(advice)}`]),
    ];
  });
}
