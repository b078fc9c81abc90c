import { HoldfastError } from '../../core/errors.ts';

/** What a dump holds that must not be let through, said within a sentence. */
export function notSealable(
  what: string,
  hint = 'Take it out of the dump, or download it with seal=none and look before you run it.',
): HoldfastError {
  const message = `The dump cannot be given sealed: ${what}. ${hint}`;
  return new HoldfastError('unsupported', 'dump-not-sealable', message, { details: { what } });
}
