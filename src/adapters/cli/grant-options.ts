import { type Command, InvalidArgumentError } from 'commander';
import { type Grant, VARIANT_NAME } from '../../core/grant.ts';
import { RESOURCE_PATTERN } from '../../core/resource-pattern.ts';
import { usageError } from './exit-codes.ts';
import { gathered, wholeNumber } from './option-values.ts';

/** Options that say of which resources something may be used, and what of them may be downloaded. */
export interface GrantOptions {
  resource?: string[];
  variant?: string[];
  latestOnly?: boolean;
  maxAgeDays?: number;
  reasonFor?: string[];
  downloadsPerHour?: number;
  concurrent?: number;
  bytesPerDay?: number;
}

export function addGrantOptions(command: Command): Command {
  return command
    .option('--resource <id>', 'only this resource, or all that begin like "shop-*"; may be repeated', gatheredPattern)
    .option('--variant <name>', 'only this variant may be downloaded ("raw": as backed up); may be repeated', gathered)
    .option('--latest-only', 'only the newest backup may be downloaded')
    .option('--max-age-days <days>', 'only backups that are not older may be downloaded', wholeNumber(1))
    .option(
      '--reason-for <variant>',
      'give this variant only with a reason, for the audit log; may be repeated',
      gathered,
    )
    .option('--downloads-per-hour <number>', 'so many downloads in an hour', wholeNumber(1))
    .option('--concurrent <number>', 'so many downloads at once', wholeNumber(1))
    .option('--bytes-per-day <bytes>', 'so many bytes in a day of UTC', wholeNumber(1));
}

function gatheredPattern(text: string, earlier: readonly string[] | undefined): string[] {
  if (RESOURCE_PATTERN.test(text)) return gathered(text, earlier);
  throw new InvalidArgumentError(
    'Write the id of one resource, or the beginning of ids and a *; repeat the option for more.',
  );
}

/** The one grant that the options make together; nothing where there are none. */
export function grantsOf(options: GrantOptions): { grants?: readonly Grant[] } {
  const { resource, variant, latestOnly, maxAgeDays, reasonFor, downloadsPerHour, concurrent, bytesPerDay } = options;
  const limits = {
    ...(downloadsPerHour === undefined ? {} : { downloadsPerHour }),
    ...(concurrent === undefined ? {} : { concurrent }),
    ...(bytesPerDay === undefined ? {} : { bytesPerDay }),
  };
  const narrowed = {
    ...(latestOnly === undefined ? {} : { latestOnly }),
    ...(maxAgeDays === undefined ? {} : { maxAgeDays }),
    ...(reasonFor === undefined ? {} : { reasonFor }),
    ...(Object.keys(limits).length === 0 ? {} : { limits }),
  };
  if (variant === undefined) {
    if (Object.keys(narrowed).length === 0) return {};
    throw usageError(
      'variant-missing',
      'Say with --variant what may be downloaded: "raw" is the data as it was backed up. It is never meant without being named.',
    );
  }
  const unusable = [...variant, ...(reasonFor ?? [])].find((name) => !VARIANT_NAME.test(name));
  if (unusable !== undefined) throw usageError('variant-invalid', `"${unusable}" cannot be the name of a variant.`);
  return { grants: [{ resources: resource ?? ['*'], variants: variant, ...narrowed }] };
}

/** For a column: what may be downloaded. */
export function grantWords(grants: readonly Grant[] | undefined): string {
  if (grants === undefined) return 'all';
  return grants
    .map(({ variants, latestOnly, maxAgeDays, reasonFor = [], limits, expiresAt }) =>
      [
        variants.join('+'),
        ...(latestOnly === true ? ['latest'] : []),
        ...(maxAgeDays === undefined ? [] : [`${maxAgeDays}d`]),
        ...(reasonFor.length === 0 ? [] : ['with a reason']),
        ...(limits === undefined ? [] : ['limited']),
        ...(expiresAt === undefined ? [] : [`until ${expiresAt.slice(0, 10)}`]),
      ].join(','),
    )
    .join(' ');
}
