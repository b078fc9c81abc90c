import { isLuhn } from './check-digits.ts';
import type { PersonalKind, TextSpan } from './text-span.ts';

/**
 * Finds cards (13 to 19 digits whose check digit after Luhn is right) and telephones (7 to 15 digits) in groups of digits with at most two separators between them.
 * Each group is looked at with the few that follow it, so that the time is linear.
 */
export function cardsAndPhones(text: string, kinds: readonly PersonalKind[]): TextSpan[] {
  const spans: TextSpan[] = [];
  const findsCards = kinds.includes('card');
  const findsPhones = kinds.includes('phone');
  if (!findsCards && !findsPhones) return spans;
  for (const groups of runsOf(text)) {
    let first = 0;
    while (first < groups.length) {
      const card = findsCards ? lastOfCard(text, groups, first) : undefined;
      const last = card ?? (findsPhones ? lastOfPhone(groups, first) : undefined);
      if (last === undefined) {
        first++;
        continue;
      }
      const start = startOf(text, groups[first] as DigitGroup);
      spans.push({ kind: card === undefined ? 'phone' : 'card', start, end: (groups[last] as DigitGroup).end });
      first = last + 1;
    }
  }
  return spans;
}

interface DigitGroup {
  start: number;
  end: number;
}

/** Groups that stand together, without those of dates and UUIDs. */
function runsOf(text: string): DigitGroup[][] {
  const runs: DigitGroup[][] = [];
  let end = -1;
  for (const { 0: found, index } of text.matchAll(DIGITS_OR_NOT)) {
    const isGroup = found.length <= LONGEST_GROUP && ALL_DIGITS.test(found);
    if (!isGroup) {
      end = -1;
      continue;
    }
    const group = { start: index, end: index + found.length };
    if (end >= 0 && index - end <= 3 && BETWEEN.test(text.slice(end, index))) runs.at(-1)?.push(group);
    else runs.push([group]);
    end = group.end;
  }
  return runs;
}

function lastOfCard(text: string, groups: readonly DigitGroup[], first: number): number | undefined {
  let digits = '';
  for (let last = first; last < groups.length; last++) {
    const { start, end } = groups[last] as DigitGroup;
    digits += text.slice(start, end);
    if (digits.length > MOST_CARD_DIGITS) return undefined;
    if (digits.length >= LEAST_CARD_DIGITS && isLuhn(digits)) return last;
  }
  return undefined;
}

function lastOfPhone(groups: readonly DigitGroup[], first: number): number | undefined {
  let digits = 0;
  let found: number | undefined;
  for (let last = first; last < groups.length; last++) {
    const { start, end } = groups[last] as DigitGroup;
    digits += end - start;
    if (digits > MOST_PHONE_DIGITS) break;
    if (digits >= LEAST_PHONE_DIGITS) found = last;
  }
  return found;
}

/** With the sign or the bracket before the first digit. */
function startOf(text: string, { start }: DigitGroup): number {
  let begin = start;
  if (text[begin - 1] === '(') begin--;
  return text[begin - 1] === '+' ? begin - 1 : begin;
}

const LEAST_CARD_DIGITS = 13;
const MOST_CARD_DIGITS = 19;
const LEAST_PHONE_DIGITS = 7;
const MOST_PHONE_DIGITS = 15;
const LONGEST_GROUP = 19;
/** UUIDs, dates and long hexadecimal words are taken whole, so that their digits are no groups. */
const DIGITS_OR_NOT =
  /(?<![A-Za-z0-9])[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}(?![A-Za-z0-9])|(?<!\d)\d{4}-\d\d-\d\d(?!\d)|(?<![A-Za-z0-9])(?=\d*[a-fA-F])[0-9a-fA-F]{16,}(?![A-Za-z0-9])|\d+/g;
const ALL_DIGITS = /^\d+$/;
const BETWEEN = /^[ \u00a0./()-]{1,3}$/;
