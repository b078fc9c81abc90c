import { InvalidArgumentError } from 'commander';
import { usageError } from './exit-codes.ts';

/** Reads an option that is a whole number of at least `smallest`. */
export function wholeNumber(smallest: number): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (/^\d+$/.test(text) && Number.isSafeInteger(number) && number >= smallest) return number;
    throw new InvalidArgumentError(`It must be a whole number of at least ${smallest}.`);
  };
}

/** Gathers an option that may be given several times. */
export function gathered(text: string, earlier: readonly string[] | undefined): string[] {
  return [...(earlier ?? []), text];
}

/** Gathers `--tag name=value`. */
export function gatheredTags(text: string, earlier: Readonly<Record<string, string>> | undefined) {
  const separator = text.indexOf('=');
  if (separator < 1) throw new InvalidArgumentError('Write it as name=value.');
  return { ...earlier, [text.slice(0, separator)]: text.slice(separator + 1) };
}

/** Reads `--assertions`; each assertion is looked at by the service that it is for. */
export function parseAssertions(text: string): unknown[] {
  try {
    const value: unknown = JSON.parse(text);
    if (Array.isArray(value)) return value;
  } catch {
    // The same answer as below.
  }
  throw usageError(
    'assertions-invalid',
    '--assertions must be a JSON array, for example \'[{"sql": "SELECT 1", "equals": 1}]\'.',
  );
}
