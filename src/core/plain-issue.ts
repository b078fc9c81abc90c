/**
 * What zod says of a value, to stand behind the value's name: `expected number` and not `Invalid input: expected number, received NaN`.
 */
export function plainIssue(message: string): string {
  const plain = message
    .replace(/^Invalid input: /, '')
    .replace(/, received undefined$/, ' (it is missing)')
    .replace(/, received NaN$/, '');
  return plain.charAt(0).toLowerCase() + plain.slice(1);
}
