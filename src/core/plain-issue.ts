/**
 * What zod says of a value, to stand behind the value's name: `expected number` and not `Invalid input: expected number, received NaN`,
 * `must be at least 1` and not `Too small: expected number to be >=1`.
 */
export function plainIssue(message: string): string {
  const plain = message
    .replace(/^Invalid input: /, '')
    .replace(/, received undefined$/, ' (it is missing)')
    .replace(/, received NaN$/, '')
    .replace(
      /^Too (?:small|big): expected (?:number|int) to be ([<>]=?)(.+)$/,
      (_, sign, bound) => `${BOUNDS[sign]} ${bound}`,
    )
    .replace(
      /^Invalid option: expected one of (.+)$/,
      (_, options) => `must be one of ${options.replaceAll('"|"', ', ').replaceAll('"', '')}`,
    );
  return plain.charAt(0).toLowerCase() + plain.slice(1);
}

const BOUNDS: Readonly<Record<string, string>> = {
  '>=': 'must be at least',
  '>': 'must be more than',
  '<=': 'must be at most',
  '<': 'must be less than',
};
