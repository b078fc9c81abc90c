import { isIP } from 'node:net';
import { isIbanChecked, isLuhn } from '../../masking/text/check-digits.ts';
import { DATA_KINDS, type DataKind } from './detector.ts';

/**
 * What a value as a whole looks like; undefined where it looks like nothing in particular. Looks at the first 4096 characters. None of the patterns goes back over
 * what it has read, so a value cannot make it slow.
 */
export function detectValue(text: string): DataKind | undefined {
  const value = text.slice(0, LONGEST).trim();
  if (value.length < 3) return undefined;
  for (const [kind, test] of WHOLE) if (test(value)) return kind;
  return undefined;
}

/** What stands anywhere within a text. */
export function detectWithin(text: string): DataKind | undefined {
  const value = text.slice(0, LONGEST);
  if (isPrivateKey(value)) return DATA_KINDS.privateKey;
  if (!HAS_LONG_WORD.test(value)) return undefined;
  for (const word of value.split(/[\s,;<>()"'[\]{}|]+/)) {
    if (word.length < SHORTEST_WORD) continue;
    const found = wordKind(word.replace(/[.:!?]+$/, ''));
    if (found !== undefined) return found;
  }
  return undefined;
}

const LONGEST = 4096;
const SHORTEST_WORD = 6;
/** What is no address of mail, within a text, has nine characters or more. Texts of shorter words need not be cut into words. */
const HAS_LONG_WORD = /@|[^\s,;<>()"'[\]{}|]{9}/;

const PRIVATE_KEY = /-----BEGIN [A-Z ]{0,30}PRIVATE KEY/;
/** What providers put before their keys, so that they are found when they leak. */
const API_KEY =
  /^(sk|pk|rk)_(live|test)_[A-Za-z0-9]{10}|^gh[pousr]_[A-Za-z0-9]{30}|^AKIA[0-9A-Z]{16}$|^xox[abprs]-[A-Za-z0-9-]{10}|^AIza[\w-]{35}$|^glpat-[\w-]{20}|^hvs\.[\w-]{20}|^npm_[A-Za-z0-9]{30}/;
const PASSWORD_HASH =
  /^(\$2[abxy]\$\d\d\$[./A-Za-z0-9]{53}$|\$argon2(id|i|d)\$|\$[156]\$|\$scrypt\$|pbkdf2[_:$]|\{SSHA)/;
const UUID = /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i;
const MAC = /^[0-9a-f]{2}([:-])[0-9a-f]{2}(\1[0-9a-f]{2}){4}$/i;
const COORDINATES = /^-?\d{1,2}\.\d{3,},\s?-?\d{1,3}\.\d{3,}$/;
const NAME =
  /^\p{Lu}[\p{Ll}'’.-]{1,20}( \p{Lu}\.?)? (?:(?:van|von|de|der|la|al|bin|da|di) ){0,2}\p{Lu}[\p{L}'’-]{1,25}$/u;

type Test = (value: string) => boolean;

/** In their order. Patterns are asked last: a call of one costs more than a look at lengths and characters, which rule out most values. */
const WHOLE: readonly (readonly [DataKind, Test])[] = [
  [DATA_KINDS.email, isEmail],
  [DATA_KINDS.privateKey, isPrivateKey],
  [DATA_KINDS.jsonWebToken, isJsonWebToken],
  [DATA_KINDS.secret, isApiKey],
  [DATA_KINDS.password, (value) => '$p{'.includes(value.charAt(0)) && PASSWORD_HASH.test(value)],
  [DATA_KINDS.uuid, (value) => value.length >= 32 && value.length <= 36 && UUID.test(value)],
  [DATA_KINDS.mac, (value) => value.length === 17 && MAC.test(value)],
  [DATA_KINDS.ip, isAddress],
  [DATA_KINDS.iban, isIban],
  [DATA_KINDS.card, isCard],
  [DATA_KINDS.birth, isBirthDate],
  [DATA_KINDS.phone, isPhone],
  [DATA_KINDS.coordinates, (value) => value.includes(',') && COORDINATES.test(value)],
  [DATA_KINDS.fullName, (value) => value.length <= 80 && value.includes(' ') && NAME.test(value)],
];

function wordKind(word: string): DataKind | undefined {
  if (word.length < SHORTEST_WORD) return undefined;
  if (isEmail(word)) return DATA_KINDS.email;
  if (isJsonWebToken(word)) return DATA_KINDS.jsonWebToken;
  if (isApiKey(word)) return DATA_KINDS.secret;
  if (isIban(word)) return DATA_KINDS.iban;
  if (isCard(word)) return DATA_KINDS.card;
  if (/^\+\d{8,15}$/.test(word)) return DATA_KINDS.phone;
  return undefined;
}

function isPrivateKey(value: string): boolean {
  return value.includes('-----BEGIN ') && PRIVATE_KEY.test(value);
}

function isApiKey(value: string): boolean {
  return value.length >= 15 && API_KEY.test(value);
}

function isEmail(value: string): boolean {
  const at = value.indexOf('@');
  if (at < 1 || at > 64 || value.length > 254 || value.indexOf('@', at + 1) >= 0) return false;
  const domain = value.slice(at + 1);
  return (
    !/[\s"(),:;<>[\]\\]/.test(value) &&
    /^[\p{L}\p{N}.-]+$/u.test(domain) &&
    domain.split('.').every((label) => label !== '' && !label.startsWith('-')) &&
    /\.\p{L}[\p{L}\p{N}-]+$/u.test(domain)
  );
}

/** E.164 with a `+`, or digits between the separators that people put into phone numbers. */
function isPhone(value: string): boolean {
  if (value.length < 8 || value.length > 25 || !/^[+(\d][\d ()./-]+\d$/.test(value)) return false;
  const digits = value.replace(/\D/g, '');
  if (digits.length < 8 || digits.length > 15) return false;
  if (value.startsWith('+')) return true;
  // Numbers alone are numbers, and dates have their own shape.
  return /[ ()/-]/.test(value) && !/^\d{4}-\d\d-\d\d/.test(value) && /^(00|0|\()/.test(value);
}

const CARD_BEGINNING = /^(4|5[1-5]|2[2-7]|3[47]|6(011|5)|35|30[0-5]|3[68])/;

/** 13 to 19 digits, maybe in groups, that begin as cards do and have Luhn's check digit (ISO/IEC 7812-1). */
function isCard(value: string): boolean {
  if (value.length < 13 || value.length > 25 || !/^\d[\d -]*\d$/.test(value)) return false;
  const digits = value.replace(/\D/g, '');
  if (digits.length < 13 || digits.length > 19 || !CARD_BEGINNING.test(digits)) return false;
  return isLuhn(digits);
}

/** ISO 13616: two letters, two check digits (mod 97, ISO 7064), up to 30 letters and digits. */
function isIban(value: string): boolean {
  // Most values do not even begin as one.
  if (value.length < 15 || value.length > 42 || !/^ *[A-Za-z] *[A-Za-z] *\d/.test(value)) return false;
  const text = value.replaceAll(' ', '').toUpperCase();
  return /^[A-Z]{2}\d{2}[A-Z0-9]{11,30}$/.test(text) && isIbanChecked(text);
}

function isAddress(value: string): boolean {
  if (value.length <= 6 || !/^[\da-fA-F:][\da-fA-F]*[.:]/.test(value)) return false;
  const [address = '', bits] = value.split('/');
  return isIP(address) !== 0 && (bits === undefined || /^\d{1,3}$/.test(bits));
}

function isJsonWebToken(value: string): boolean {
  return value.startsWith('eyJ') && /^eyJ[\w-]+\.eyJ[\w-]+\.[\w-]*$/.test(value);
}

/** A day from 1900 to 2015 alone, without a time: what else lies so far back is seldom written as a day. */
function isBirthDate(value: string): boolean {
  if (value.length !== 10 || value.charAt(4) !== '-') return false;
  const [, year, month, day] = /^(\d{4})-(\d\d)-(\d\d)$/.exec(value) ?? [];
  return (
    year !== undefined && +year >= 1900 && +year <= 2015 && Number(month) <= 12 && Number(day) >= 1 && Number(day) <= 31
  );
}
