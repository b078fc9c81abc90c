import { RAW_VARIANT, type Snapshot } from './download.ts';
import { allowsVariant, type Permission } from './download-permissions.ts';
import { HoldfastError } from './errors.ts';
import type { DeclaredVariant, WantedParts } from './ports/variant-maker.ts';
import { isCutFromKept } from './variant.ts';
import { variantFormats } from './variant-formats.ts';

/**
 * Which variants a caller may have of a resource that its policy declares, in its order. Of a policy that cannot be read they are those
 * that the caller's grants name: whether it has them nobody knows.
 */
export function allowedVariants(
  declared: readonly DeclaredVariant[],
  permissions: readonly Permission[],
): readonly DeclaredVariant[] {
  return declared.flatMap((each) => {
    const names = each.standsForAll ? namedBy(permissions, each.name) : [each.name];
    return names.filter((name) => isAllowed(name, permissions)).map((name) => ({ ...each, name }));
  });
}

function namedBy(permissions: readonly Permission[], ofAll: string): readonly string[] {
  const names = permissions.flatMap(({ variants }) => (variants === 'all' ? [ofAll] : variants));
  return [...new Set(names)].filter((name) => name !== RAW_VARIANT);
}

/**
 * The variants that are meant where none is named, the first one that there is counts. Raw is among them only where whoever runs
 * the service said so and the caller may have no other: that another one cannot be made is no reason to give what it hides. Of a
 * policy that cannot be read nobody knows which others there are.
 */
export function defaultVariants(
  declared: readonly DeclaredVariant[],
  permissions: readonly Permission[],
  configured: typeof RAW_VARIANT | undefined,
): readonly string[] {
  const masked = allowedVariants(declared, permissions).map(({ name }) => name);
  if (masked.length > 0) return masked;
  const isKnown = declared.every(({ fault }) => fault === undefined);
  return isKnown && configured === RAW_VARIANT && isAllowed(RAW_VARIANT, permissions) ? [RAW_VARIANT] : [];
}

/** For who named no variant and may have none but raw, or none that there is. */
export function variantNeeded({ resourceId, formats }: Snapshot, permissions: readonly Permission[]): HoldfastError {
  if (isAllowed(RAW_VARIANT, permissions)) {
    const message = `No masked copy of ${resourceId} is there for you. What you may have is the data itself, which is given to whoever names it: add ?variant=${RAW_VARIANT} (holdfast pull: --variant ${RAW_VARIANT}).`;
    const details = { available: [RAW_VARIANT], formats };
    return new HoldfastError('invalid', 'variant-needed', message, { details });
  }
  const names = [...new Set(permissions.flatMap(({ variants }) => (variants === 'all' ? [] : variants)))].join(', ');
  const message = `You may have these variants of ${resourceId}: ${names}, and its policy makes none of them. Ask whoever runs this service for such a policy, or for the data itself (the variant ${RAW_VARIANT}).`;
  return new HoldfastError('unsupported', 'variant-not-available', message, { details: { available: [], formats } });
}

export function variantNotAvailable(
  { resourceId, formats }: Snapshot,
  declared: readonly DeclaredVariant[],
  permissions: readonly Permission[],
): HoldfastError {
  const available = [
    ...allowedVariants(declared, permissions).map(({ name }) => name),
    ...(isAllowed(RAW_VARIANT, permissions) ? [RAW_VARIANT] : []),
  ];
  const message = `There is no such variant of ${resourceId}. You may have: ${available.join(', ')} (${RAW_VARIANT} is the data as it was backed up).`;
  return new HoldfastError('unsupported', 'variant-not-available', message, { details: { available, formats } });
}

/**
 * The permissions by which a variant may be had by one who gave this reason, or none.
 * @throws HoldfastError `reason-needed` (denied)
 */
export function permissionsWithReason(
  permissions: readonly Permission[],
  variant: string,
  reason: string | undefined,
  { formats }: Pick<Snapshot, 'formats'>,
): readonly Permission[] {
  if (reason !== undefined) return permissions;
  const free = permissions.filter(({ reasonFor }) => !reasonFor.includes(variant));
  if (free.length > 0) return free;
  const message = `The variant "${variant}" is given to you for a reason only, which is kept in the audit log. Say it with the header X-Reason, with ?reason=, or with holdfast pull --reason.`;
  throw new HoldfastError('denied', 'reason-needed', message, { details: { variant, formats } });
}

/**
 * Of a copy that is kept, tables of SQL are chosen and nothing else; whether there are such tables is told by who opens it.
 * @throws HoldfastError `download-choice-invalid` (invalid)
 */
export function requireChoosable(made: DeclaredVariant, snapshot: Snapshot, { tables, paths }: WantedParts): void {
  if (!isCutFromKept(made)) return;
  const formats = variantFormats(snapshot, made);
  const mayHaveTables = snapshot.dialect !== 'mysql' && formats.includes('sql');
  if (paths === undefined && (tables === undefined || mayHaveTables)) return;
  const field = paths === undefined ? 'tables' : 'path';
  const why =
    made.kind === 'reduced'
      ? 'its rows were chosen to fit together, and'
      : 'its policy wants that very copy to be loaded before anybody gets it (verify: load), and';
  const message = `The variant "${made.name}" is given whole: ${why} only tables of PostgreSQL databases can be given alone of a copy that is kept. Leave \`${field}\` away.`;
  throw new HoldfastError('invalid', 'download-choice-invalid', message, { details: { field, formats } });
}

function isAllowed(variant: string, permissions: readonly Permission[]): boolean {
  return permissions.some((permission) => allowsVariant(permission, variant));
}
