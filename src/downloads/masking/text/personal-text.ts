import { isIPv6 } from 'node:net';
import { isIbanChecked } from './check-digits.ts';
import { cardsAndPhones } from './number-groups.ts';
import type { PersonalKind, TextSpan } from './text-span.ts';

/**
 * Finds what looks personal within free text, in time that grows with the text's length alone. It leans towards finding too much: any seven digits in a row may be
 * a telephone. Dates as 2026-01-31 and UUIDs are no finds. It cannot find names, or what is written in words.
 * @returns spans that do not overlap, in their order
 */
export function findPersonal(text: string, kinds: readonly PersonalKind[]): readonly TextSpan[] {
  if (!ANYTHING.test(text)) return [];
  const hasDigits = DIGIT.test(text);
  const spans = [
    ...(kinds.includes('url') ? urls(text) : []),
    ...(kinds.includes('email') ? emails(text) : []),
    ...(hasDigits && kinds.includes('iban') ? ibans(text) : []),
    ...(kinds.includes('ip') ? addresses(text, hasDigits) : []),
    ...(hasDigits ? cardsAndPhones(text, kinds) : []),
  ];
  return joined(spans);
}

/** True for a short text, such as a name in JSON, that holds an address or a number of a person. */
export function looksPersonal(text: string): boolean {
  return findPersonal(text, DIRECT_KINDS).length > 0;
}

/** Where spans overlap, the first one's kind stands for all. */
function joined(spans: readonly TextSpan[]): TextSpan[] {
  const result: TextSpan[] = [];
  for (const span of spans.toSorted((a, b) => a.start - b.start)) {
    const last = result.at(-1);
    if (last === undefined || span.start >= last.end) result.push({ ...span });
    else last.end = Math.max(last.end, span.end);
  }
  return result;
}

/** Any `x@y`, also without a dot. */
function emails(text: string): TextSpan[] {
  const spans: TextSpan[] = [];
  let done = 0;
  for (let at = text.indexOf('@'); at >= 0; at = text.indexOf('@', at + 1)) {
    let start = at;
    while (start > Math.max(done, at - LONGEST_LOCAL_PART) && isOfLocalPart(text, start - 1)) start--;
    let end = at + 1;
    while (end < Math.min(text.length, at + LONGEST_DOMAIN) && isOfDomain(text, end)) end++;
    while (text[end - 1] === '.' || text[end - 1] === '-') end--;
    if (start === at || end === at + 1) continue;
    spans.push({ kind: 'email', start, end });
    done = end;
  }
  return spans;
}

function isOfLocalPart(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code < 0x80 ? LOCAL_PART_ASCII[code] === true : LETTER.test(text[at] as string);
}

function isOfDomain(text: string, at: number): boolean {
  const code = text.charCodeAt(at);
  return code < 0x80 ? DOMAIN_ASCII[code] === true : LETTER.test(text[at] as string);
}

/** From a scheme or `www.` to the next space or bracket. */
function urls(text: string): TextSpan[] {
  const spans: TextSpan[] = [];
  if (!text.includes('://') && !WWW.test(text)) return spans;
  URL_BEGIN.lastIndex = 0;
  for (let match = URL_BEGIN.exec(text); match !== null; match = URL_BEGIN.exec(text)) {
    URL_REST.lastIndex = URL_BEGIN.lastIndex;
    URL_REST.test(text);
    const end = URL_REST.lastIndex;
    if (end > URL_BEGIN.lastIndex) spans.push({ kind: 'url', start: match.index, end });
    URL_BEGIN.lastIndex = Math.max(end, URL_BEGIN.lastIndex);
  }
  return spans;
}

function ibans(text: string): TextSpan[] {
  const spans: TextSpan[] = [];
  for (const { 0: found, index } of text.matchAll(IBAN)) {
    const length = ibanLength(found);
    if (length !== undefined) spans.push({ kind: 'iban', start: index, end: index + length });
  }
  return spans;
}

/** The longest beginning whose check digits are right (ISO 13616): what follows an IBAN may look like more of it. */
function ibanLength(found: string): number | undefined {
  for (let end = found.length; end > 0; end--) {
    const compact = found.slice(0, end).replaceAll(/[ -]/g, '').toUpperCase();
    if (compact.length < SHORTEST_IBAN) return undefined;
    if (/[ -]/.test(found[end - 1] as string)) continue;
    if (isIbanChecked(compact)) return end;
  }
  return undefined;
}

function addresses(text: string, hasDigits: boolean): TextSpan[] {
  const spans: TextSpan[] = [];
  if (hasDigits && text.includes('.')) {
    for (const { 0: found, index } of text.matchAll(IPV4)) {
      spans.push({ kind: 'ip', start: index, end: index + found.length });
    }
  }
  if (!text.includes(':')) return spans;
  for (const { 0: found, index } of text.matchAll(HEX_RUN)) {
    if (found.length > LONGEST_IPV6) continue;
    const trimmed = found.replace(/(?:\.|(?<!:):)$/, '');
    if (trimmed.length > 2 && isIPv6(trimmed)) spans.push({ kind: 'ip', start: index, end: index + trimmed.length });
  }
  return spans;
}

const ANYTHING = /[@\d]|:\/\/|www\.|::/i;
const DIRECT_KINDS: readonly PersonalKind[] = ['email', 'phone', 'ip', 'card', 'iban'];
const LONGEST_LOCAL_PART = 64;
const LONGEST_DOMAIN = 255;
const LETTER = /[\p{L}\p{N}]/u;
const LOCAL_PART_ASCII = asciiTable(/[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]/);
const DOMAIN_ASCII = asciiTable(/[A-Za-z0-9.-]/);
const DIGIT = /\d/;
const WWW = /www\./i;
const URL_BEGIN = /(?<![a-z0-9+.-])(?:[a-z][a-z0-9+.-]{1,20}:\/\/|www\.)/gi;
const URL_REST = /[^\s<>"'`{}|\\^[\]]*/y;
const SHORTEST_IBAN = 15;
const IBAN = /(?<![A-Za-z0-9])[A-Za-z]{2}\d{2}(?:[ -]?[A-Za-z0-9]){11,30}/g;
const IPV4 = /(?<![\d.])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?!\d|\.\d)/g;
const HEX_RUN = /(?<![0-9a-fA-F])[0-9a-fA-F]{0,4}:[0-9a-fA-F:.]+/g;
const LONGEST_IPV6 = 45;

function asciiTable(pattern: RegExp): readonly boolean[] {
  return Array.from({ length: 0x80 }, (_, code) => pattern.test(String.fromCharCode(code)));
}
