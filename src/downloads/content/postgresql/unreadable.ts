import { HoldfastError } from '../../../core/errors.ts';

/** What a dump holds that no policy can speak of, said within a sentence. */
export function unreadable(what: string, details: Readonly<Record<string, unknown>> = {}): HoldfastError {
  const message = `No variant can be made of this dump: ${what}. Make the dump with pg_dump and its usual options, of one database.`;
  return new HoldfastError('unsupported', 'variant-content-unreadable', message, { details });
}

/** What stops a variant that is being made, in whole sentences that name tables and columns and no value. */
export function variantFailed(message: string, details: Readonly<Record<string, unknown>> = {}): HoldfastError {
  return new HoldfastError('invalid', 'variant-failed', message, { details });
}
