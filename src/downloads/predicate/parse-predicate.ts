import type { Predicate } from './predicate.ts';
import { type PredicateToken, predicateFault, predicateTokens } from './predicate-tokens.ts';

/** Deepest nesting of parentheses and `not` that is read. */
export const DEEPEST_PREDICATE = 100;

/**
 * Reads a condition on one row, in the part of SQL that can be evaluated without a database:
 * `status != 'deleted' and (age between 18 and 30 or vip)`. There are `= != <> < <= > >=`, `[not] in (…)`, `[not] between`, `is [not] null`, `is [not] true`,
 * `is [not] false`, `[not] like`, `[not] ilike`, `and`, `or`, `not`, parentheses, a column alone (it is true), `'strings'` with `''` for a quote, numbers, `true` and `false`.
 * Names are taken as they are written (upper and lower case differ), `"quoted"` where they are no words. A column stands on the left of each comparison.
 * @throws HoldfastError `predicate-invalid` (invalid) naming the position
 */
export function parsePredicate(text: string): Predicate {
  return new PredicateParser(predicateTokens(text)).whole();
}

/** One function for each level of precedence: `or`, `and`, `not`, comparisons. */
class PredicateParser {
  readonly #tokens: readonly PredicateToken[];
  #next = 0;
  #depth = 0;

  constructor(tokens: readonly PredicateToken[]) {
    this.#tokens = tokens;
  }

  whole(): Predicate {
    const predicate = this.#or();
    const token = this.#token;
    if (token.kind !== 'end') throw predicateFault(`"and", "or" or the end was expected${found(token)}`, token.at);
    return predicate;
  }

  #or(): Predicate {
    return this.#list('or', () => this.#list('and', () => this.#not()));
  }

  #list(kind: 'and' | 'or', part: () => Predicate): Predicate {
    const first = part();
    if (!this.#takesWord(kind)) return first;
    const of = [first];
    do of.push(part());
    while (this.#takesWord(kind));
    return { kind, of };
  }

  #not(): Predicate {
    const { at } = this.#token;
    if (this.#takesWord('not')) return this.#deeper(at, () => ({ kind: 'not', of: this.#not() }));
    if (!this.#takesSign('(')) return this.#comparison();
    return this.#deeper(at, () => {
      const inner = this.#or();
      this.#demandsSign(')');
      return inner;
    });
  }

  #comparison(): Predicate {
    const column = this.#column();
    const operator = this.#operator();
    if (operator !== undefined) return { kind: 'compare', column, operator, value: this.#literal() };
    if (this.#takesWord('is')) return this.#is(column);
    const isNegated = this.#takesWord('not');
    const test = this.#test(column);
    if (test !== undefined) return isNegated ? { kind: 'not', of: test } : test;
    if (isNegated) throw predicateFault('"in", "between" or "like" was expected after "not"', this.#token.at);
    return isTrue(column);
  }

  #test(column: string): Predicate | undefined {
    if (this.#takesWord('in')) return { kind: 'in', column, values: this.#literals() };
    if (this.#takesWord('between')) {
      const low = this.#literal();
      if (!this.#takesWord('and')) throw predicateFault('"and" was expected after "between"', this.#token.at);
      return { kind: 'between', column, low, high: this.#literal() };
    }
    if (this.#takesWord('like')) return { kind: 'like', column, pattern: this.#pattern(), ignoresCase: false };
    if (this.#takesWord('ilike')) return { kind: 'like', column, pattern: this.#pattern(), ignoresCase: true };
    return undefined;
  }

  /** `is true` is false where the column is NULL, and so differs from `= true` below a `not`. */
  #is(column: string): Predicate {
    const isNegated = this.#takesWord('not');
    const isPlain = this.#isTest(column);
    return isNegated ? { kind: 'not', of: isPlain } : isPlain;
  }

  #isTest(column: string): Predicate {
    const isNull: Predicate = { kind: 'null', column };
    if (this.#takesWord('null')) return isNull;
    const isFilled: Predicate = { kind: 'not', of: isNull };
    if (this.#takesWord('true')) return { kind: 'and', of: [isFilled, isTrue(column)] };
    if (this.#takesWord('false')) {
      return { kind: 'and', of: [isFilled, { kind: 'compare', column, operator: '=', value: 'false' }] };
    }
    throw predicateFault('"null", "not null", "true" or "false" was expected after "is"', this.#token.at);
  }

  #column(): string {
    const token = this.#token;
    if (token.kind === 'column') return this.#take().text;
    if (token.kind === 'word' && !KEYWORDS.has(token.text.toLowerCase())) return this.#take().text;
    if (token.kind === 'word') {
      throw predicateFault(`a column was expected; where "${token.text}" is one, put it in double quotes`, token.at);
    }
    throw predicateFault(
      `a column was expected${found(token)}; a column stands on the left of each comparison`,
      token.at,
    );
  }

  #operator(): ComparisonOperator | undefined {
    const token = this.#token;
    if (token.kind !== 'sign') return undefined;
    const operator = OPERATORS.get(token.text);
    if (operator !== undefined) this.#next++;
    return operator;
  }

  #literals(): (string | number)[] {
    this.#demandsSign('(');
    const values = [this.#literal()];
    while (this.#takesSign(',')) values.push(this.#literal());
    this.#demandsSign(')');
    return values;
  }

  #literal(): string | number {
    const token = this.#token;
    if (token.kind === 'string') return this.#take().text;
    if (token.kind === 'number') return numberOf(this.#take().text);
    if (this.#takesWord('true')) return 'true';
    if (this.#takesWord('false')) return 'false';
    if (token.kind === 'word' && token.text.toLowerCase() === 'null') {
      throw predicateFault('a comparison with null is never true: write "is null" or "is not null"', token.at);
    }
    throw predicateFault(`a string in single quotes or a number was expected${found(token)}`, token.at);
  }

  #pattern(): string {
    const token = this.#token;
    if (token.kind !== 'string')
      throw predicateFault(`a pattern in single quotes was expected${found(token)}`, token.at);
    if (/(?:^|[^\\])(?:\\\\)*\\$/.test(token.text)) {
      throw predicateFault('a pattern must not end in a backslash that escapes nothing', token.at);
    }
    return this.#take().text;
  }

  #deeper<Result>(at: number, read: () => Result): Result {
    if (++this.#depth > DEEPEST_PREDICATE) throw predicateFault(`it is nested deeper than ${DEEPEST_PREDICATE}`, at);
    const result = read();
    this.#depth--;
    return result;
  }

  get #token(): PredicateToken {
    return this.#tokens[this.#next] as PredicateToken;
  }

  #take(): PredicateToken {
    return this.#tokens[this.#next++] as PredicateToken;
  }

  #takesWord(word: string): boolean {
    const token = this.#token;
    const isTaken = token.kind === 'word' && token.text.toLowerCase() === word;
    if (isTaken) this.#next++;
    return isTaken;
  }

  #takesSign(sign: string): boolean {
    const token = this.#token;
    const isTaken = token.kind === 'sign' && token.text === sign;
    if (isTaken) this.#next++;
    return isTaken;
  }

  #demandsSign(sign: string): void {
    const token = this.#token;
    if (!this.#takesSign(sign)) throw predicateFault(`"${sign}" was expected${found(token)}`, token.at);
  }
}

function isTrue(column: string): Predicate {
  return { kind: 'compare', column, operator: '=', value: 'true' };
}

/** A number where a double says the same, else its digits: ids of 19 digits must not be rounded. */
function numberOf(text: string): string | number {
  const number = Number(text);
  return String(number) === text ? number : text;
}

function found(token: PredicateToken): string {
  if (token.kind === 'end') return ', but the condition ends';
  return `, not ${JSON.stringify(token.text.slice(0, 40))}`;
}

type ComparisonOperator = (Predicate & { kind: 'compare' })['operator'];

const OPERATORS: ReadonlyMap<string, ComparisonOperator> = new Map([
  ['=', '='],
  ['!=', '!='],
  ['<>', '!='],
  ['<', '<'],
  ['<=', '<='],
  ['>', '>'],
  ['>=', '>='],
]);

const KEYWORDS = new Set(['and', 'or', 'not', 'in', 'between', 'is', 'null', 'like', 'ilike', 'true', 'false']);
