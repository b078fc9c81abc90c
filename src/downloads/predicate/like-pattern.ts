/** Longest pattern that is taken, in characters; it bounds the time that a value takes to this many steps for each of its characters. */
export const LONGEST_PATTERN = 1000;

/**
 * Makes the test of `like`: `%` stands for any text, `_` for one character (code point), a backslash takes the meaning from what follows. Never goes back before
 * the last `%`, so that no pattern explodes.
 */
export function likePattern(pattern: string, ignoresCase: boolean): (text: string) => boolean {
  const steps = stepsOf(ignoresCase ? folded(pattern) : pattern);
  const plain = plainForm(steps);
  const test = plain ?? ((text: string) => matches(steps, text));
  return ignoresCase ? (text) => test(folded(text)) : test;
}

/** A code point, ANY_ONE or ANY_TEXT. */
type Step = number;
const ANY_ONE = -1;
const ANY_TEXT = -2;

function stepsOf(pattern: string): Step[] {
  const steps: Step[] = [];
  let isEscaped = false;
  for (const character of pattern) {
    if (isEscaped) steps.push(character.codePointAt(0) as number);
    else if (character === '%') steps.at(-1) !== ANY_TEXT && steps.push(ANY_TEXT);
    else if (character === '_') steps.push(ANY_ONE);
    else if (character !== '\\') steps.push(character.codePointAt(0) as number);
    isEscaped = !isEscaped && character === '\\';
  }
  return steps;
}

/** `abc`, `abc%`, `%abc` and `%abc%`, which are most of all patterns. */
function plainForm(steps: readonly Step[]): ((text: string) => boolean) | undefined {
  const isOpenFirst = steps[0] === ANY_TEXT;
  const isOpenLast = steps.length > 1 && steps.at(-1) === ANY_TEXT;
  const inner = steps.slice(isOpenFirst ? 1 : 0, isOpenLast ? -1 : undefined);
  if (inner.some((step) => step < 0)) return undefined;
  const word = inner.map((step) => String.fromCodePoint(step)).join('');
  if (isOpenFirst && isOpenLast) return (text) => text.includes(word);
  if (isOpenFirst) return (text) => text.endsWith(word);
  if (isOpenLast) return (text) => text.startsWith(word);
  return (text) => text === word;
}

/** The usual matcher of globs: on a mismatch the last ANY_TEXT takes one character more. */
function matches(steps: readonly Step[], text: string): boolean {
  let at = 0;
  let step = 0;
  let retryStep = -1;
  let retryAt = 0;
  while (at < text.length) {
    const wanted = steps[step];
    const point = text.codePointAt(at) as number;
    if (wanted === ANY_TEXT) {
      retryStep = ++step;
      retryAt = at;
    } else if (wanted === point || wanted === ANY_ONE) {
      step++;
      at += width(point);
    } else {
      if (retryStep < 0) return false;
      retryAt += width(text.codePointAt(retryAt) as number);
      at = retryAt;
      step = retryStep;
    }
  }
  if (steps[step] === ANY_TEXT) step++;
  return step === steps.length;
}

function width(point: number): number {
  return point > 0xffff ? 2 : 1;
}

/** Lower case, one code point for one, whatever stands beside it. */
function folded(text: string): string {
  if (!NOT_ASCII.test(text)) return text.toLowerCase();
  let result = '';
  for (const character of text) {
    const lower = character.toLowerCase();
    result += lower.length === character.length ? lower : character;
  }
  return result;
}

const NOT_ASCII = /[^\0-\x7f]/;
