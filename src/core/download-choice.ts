import { HoldfastError } from './errors.ts';
import type { DownloadChoice, DownloadFormat } from './ports/service-download.ts';

/** What was asked for cannot be had of this backup; `reason` says what can. */
export function choiceInvalid(reason: string, details: Readonly<Record<string, unknown>> = {}): HoldfastError {
  return new HoldfastError('invalid', 'download-choice-invalid', reason, { details });
}

/** What parts a service lets be chosen; all others are refused. */
export interface ChoosableParts {
  tables?: boolean;
  paths?: boolean;
  database?: boolean;
}

/** @throws HoldfastError `download-choice-invalid` (invalid) for a format that is not among `formats`, or parts that cannot be chosen */
export function requireChoice(
  { format, tables, paths, database }: DownloadChoice,
  what: string,
  formats: readonly DownloadFormat[],
  parts: ChoosableParts = {},
): void {
  if (!formats.includes(format))
    throw choiceInvalid(`A download of ${what} cannot be \`${format}\`. Choose ${inWords(formats)}.`, { formats });
  const given = { tables, paths, database };
  for (const [name, value] of Object.entries(given) as [keyof ChoosableParts, unknown][])
    if (value !== undefined && parts[name] !== true)
      throw choiceInvalid(`A download of ${what} as \`${format}\` is whole. Leave \`${QUERY_NAMES[name]}\` away.`);
}

const QUERY_NAMES = { tables: 'tables', paths: 'path', database: 'database' } as const;

/** `a`, `b` or `c`. */
function inWords(names: readonly string[]): string {
  const quoted = names.map((name) => `\`${name}\``);
  return quoted.length < 2 ? quoted.join('') : `${quoted.slice(0, -1).join(', ')} or ${quoted.at(-1)}`;
}
