import { HoldfastError } from '../../core/errors.ts';
import type { TypeFamily } from '../content/content-schema.ts';
import { LONGEST_PATTERN, likePattern } from './like-pattern.ts';
import { looseText } from './loose-text.ts';
import type { Predicate } from './predicate.ts';
import { type OrderTo, orderOf } from './value-order.ts';

/**
 * Makes the test of one row. Numbers are compared exactly, dates and times as moments (UTC where no offset is given), booleans as `t`, `true` or `1`, text by its
 * code points, whatever collation the database has. A value that is no text of its type compares as NULL does. The test is true only where the
 * condition is true, not where it is unknown.
 *
 * A cautious test is for rows that leave unmasked: what a database may take for equal, because its collation looks away from case, accents, widths or spaces at the end, is
 * neither equal nor different to it. So `Customer ` passes neither `role = 'customer'` nor `role != 'customer'`.
 *
 * @param familyOf the type of a column, undefined where there is none of that name
 * @param indexOf where the row has the column's value
 * @throws HoldfastError `predicate-invalid` (invalid): no such column, a constant that is no value of the column's type, a comparison that the type does not have
 */
export function compilePredicate(
  predicate: Predicate,
  familyOf: (column: string) => TypeFamily | undefined,
  indexOf: (column: string) => number,
  { isCautious = false }: { isCautious?: boolean } = {},
): (values: readonly (string | null)[]) => boolean {
  const evaluate = new PredicateCompiler(familyOf, indexOf, isCautious).of(predicate);
  return (values) => evaluate(values) === true;
}

/** The columns that a condition reads, each once, in the order in which it names them. */
export function columnsOf(predicate: Predicate): readonly string[] {
  return [...new Set(allColumns(predicate))];
}

function allColumns(predicate: Predicate): readonly string[] {
  switch (predicate.kind) {
    case 'and':
    case 'or':
      return predicate.of.flatMap(allColumns);
    case 'not':
      return allColumns(predicate.of);
    default:
      return [predicate.column];
  }
}

/** Null: unknown. */
type Truth = boolean | null;
type Evaluate = (values: readonly (string | null)[]) => Truth;

class PredicateCompiler {
  readonly #familyOf: (column: string) => TypeFamily | undefined;
  readonly #indexOf: (column: string) => number;
  readonly #isCautious: boolean;

  constructor(
    familyOf: (column: string) => TypeFamily | undefined,
    indexOf: (column: string) => number,
    isCautious: boolean,
  ) {
    this.#familyOf = familyOf;
    this.#indexOf = indexOf;
    this.#isCautious = isCautious;
  }

  of(predicate: Predicate): Evaluate {
    switch (predicate.kind) {
      case 'and':
        return listOf(
          predicate.of.map((part) => this.of(part)),
          false,
        );
      case 'or':
        return listOf(
          predicate.of.map((part) => this.of(part)),
          true,
        );
      case 'not':
        return notOf(this.of(predicate.of));
      case 'null': {
        const index = this.#index(predicate.column);
        return (values) => values[index] === null;
      }
      case 'compare':
        return this.#compare(predicate);
      case 'in':
        return this.#in(predicate);
      case 'between': {
        const { column, low, high } = predicate;
        return listOf(
          [
            this.#compare({ kind: 'compare', column, operator: '>=', value: low }),
            this.#compare({ kind: 'compare', column, operator: '<=', value: high }),
          ],
          false,
        );
      }
      case 'like':
        return this.#like(predicate);
    }
  }

  #compare({ column, operator, value }: Predicate & { kind: 'compare' }): Evaluate {
    const index = this.#index(column);
    const order = this.#orderTo(column, value, operator !== '=' && operator !== '!=');
    const holds = COMPARISONS[operator];
    return (values) => {
      const text = values[index];
      if (text === null || text === undefined) return null;
      const sign = order(text);
      return sign === undefined ? null : holds(sign);
    };
  }

  #in({ column, values: constants }: Predicate & { kind: 'in' }): Evaluate {
    const index = this.#index(column);
    const orders = constants.map((constant) => this.#orderTo(column, constant, false));
    const exact = this.#familyOf(column) === 'text' && !this.#isCautious ? new Set(constants.map(String)) : undefined;
    return (values) => {
      const text = values[index];
      if (text === null || text === undefined) return null;
      return exact === undefined ? isAnyEqual(orders, text) : exact.has(text);
    };
  }

  #like({ column, pattern, ignoresCase }: Predicate & { kind: 'like' }): Evaluate {
    const index = this.#index(column);
    const family = this.#family(column);
    if (family !== 'text' && family !== 'enum') {
      throw notComparable(`"like" is for text, and "${column}" is of the type family ${family}`, column);
    }
    if (pattern.length > LONGEST_PATTERN) {
      throw notComparable(`the pattern for "${column}" is longer than ${LONGEST_PATTERN} characters`, column);
    }
    const test = likePattern(pattern, ignoresCase);
    const looseTest = this.#isCautious ? likePattern(looseText(pattern), true) : undefined;
    return (values) => {
      const text = values[index];
      if (text === null || text === undefined) return null;
      return test(text) || (looseTest?.(looseText(text)) ? null : false);
    };
  }

  #orderTo(column: string, constant: string | number, needsOrder: boolean): OrderTo {
    const family = this.#family(column);
    const order = orderOf(family, this.#isCautious);
    if (order === undefined || (needsOrder && !order.isOrdered)) {
      const only = order === undefined ? '"is null" and "is not null"' : '"=", "!=", "in", "like" and "is null"';
      throw notComparable(`of "${column}" (type family ${family}) only ${only} can be asked`, column);
    }
    const orderTo = order.to(String(constant));
    if (orderTo !== undefined) return orderTo;
    throw notComparable(
      `${JSON.stringify(constant)} is no value of the type family ${family}, which "${column}" has`,
      column,
    );
  }

  #family(column: string): TypeFamily {
    const family = this.#familyOf(column);
    if (family === undefined) throw notComparable(`there is no column "${column}"`, column);
    return family;
  }

  #index(column: string): number {
    const index = this.#indexOf(column);
    if (index < 0 || this.#familyOf(column) === undefined)
      throw notComparable(`there is no column "${column}"`, column);
    return index;
  }
}

/** Ends at the first part that decides: a false one of `and`, a true one of `or`. */
function listOf(parts: readonly Evaluate[], decisive: boolean): Evaluate {
  return (values) => {
    let result: Truth = !decisive;
    for (const part of parts) {
      const truth = part(values);
      if (truth === decisive) return decisive;
      if (truth === null) result = null;
    }
    return result;
  };
}

function notOf(part: Evaluate): Evaluate {
  return (values) => {
    const truth = part(values);
    return truth === null ? null : !truth;
  };
}

function isAnyEqual(orders: readonly OrderTo[], text: string): Truth {
  let result: Truth = false;
  for (const order of orders) {
    const sign = order(text);
    if (sign === 0) return true;
    if (sign === undefined) result = null;
  }
  return result;
}

function notComparable(what: string, column: string): HoldfastError {
  return new HoldfastError(
    'invalid',
    'predicate-invalid',
    `The condition cannot be asked: ${what}. Correct it in the policy.`,
    {
      details: { column },
    },
  );
}

const COMPARISONS: Record<(Predicate & { kind: 'compare' })['operator'], (sign: number) => boolean> = {
  '=': (sign) => sign === 0,
  '!=': (sign) => sign !== 0,
  '<': (sign) => sign < 0,
  '<=': (sign) => sign <= 0,
  '>': (sign) => sign > 0,
  '>=': (sign) => sign >= 0,
};
