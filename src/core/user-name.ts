import { HoldfastError } from './errors.ts';

/** Actors of the audit log that are nobody's name. */
const RESERVED = new Set(['local', 'anonymous', 'holdfast']);
const LOCAL_NAME = /^[\p{L}\p{N}][\p{L}\p{M}\p{N}._@-]{0,63}$/u;
/** Control characters, what is invisible, and blanks other than single ones between words. */
const UNWRITTEN = /\p{C}|\p{Default_Ignorable_Code_Point}|(?! )\p{Z}|^ | $| {2}/u;
const LONGEST = 256;

/**
 * The one form that a local user's name is kept and compared in: Unicode form NFKC in lower case, so that nobody else can be called
 * `Fred`, `ｆｒｅｄ` or a differently composed `rené`.
 */
export function normalUserName(name: string): string {
  return name.normalize('NFKC').toLowerCase().normalize('NFKC');
}

/** @throws HoldfastError `user-name-invalid` (invalid) */
export function requireUserName(name: string): string {
  const normal = normalUserName(name);
  if (LOCAL_NAME.test(normal) && !RESERVED.has(normal) && !looksLikeToken(normal)) return normal;
  throw new HoldfastError(
    'invalid',
    'user-name-invalid',
    'This cannot be the name of a user. Use 1 to 64 letters, digits and ".", "_", "@", "-", beginning with a letter or digit; "local", "anonymous", "holdfast" and names that begin like a token (hf_) are taken.',
  );
}

/** True for names that directories and proxies may know: visible text of one line. */
export function isWrittenName(name: string): boolean {
  return name.length > 0 && name.length <= LONGEST && !UNWRITTEN.test(name);
}

/**
 * What guesses at a name's password are counted under. Directories compare names loosely: whoever adds accents or changes the case is
 * still guessing at the same password.
 */
export function guessKey(name: string): string {
  return name
    .slice(0, LONGEST)
    .normalize('NFKD')
    .replaceAll(/[\p{M}\p{C}\p{Z}]/gu, '')
    .toLowerCase();
}

/** Whoever mixes up name and password must not find a token in the log. */
export function looksLikeToken(text: string): boolean {
  return /^hf_/i.test(text);
}
