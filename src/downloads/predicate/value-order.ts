import type { TypeFamily } from '../content/content-schema.ts';
import { compareDecimals, decimalOf } from './decimal-text.ts';
import { looseText } from './loose-text.ts';
import { compareMoments, dayOf, isRealDay, type Moment, momentOf, timeOfDay } from './moment-text.ts';

/** How a value's text stands to a constant: below, at or above zero; undefined where the text is no value of its type, which compares as NULL does. */
export type OrderTo = (text: string) => number | undefined;

/** What can be asked of values of a type. */
export interface FamilyOrder {
  /** Also `<`, `<=`, `>`, `>=` and `between`. */
  isOrdered: boolean;
  /** Undefined where the constant is no value of the type. */
  to(constant: string): OrderTo | undefined;
}

/**
 * The order of a family of types; undefined for those of which only `is null` can be asked, because their texts do not say what is equal.
 * @param isCautious text that some collation orders otherwise than code points do compares as NULL does
 */
export function orderOf(family: TypeFamily, isCautious: boolean): FamilyOrder | undefined {
  const order = ORDERS.get(family);
  return isCautious && order?.to === textOrder ? { ...order, to: cautiousTextOrder } : order;
}

function textOrder(constant: string): OrderTo {
  return (text) => compareCodePoints(text, constant);
}

function cautiousTextOrder(constant: string): OrderTo {
  const loose = looseText(constant);
  return (text) => {
    const sign = Math.sign(compareCodePoints(text, constant));
    return sign === Math.sign(compareCodePoints(looseText(text), loose)) ? sign : undefined;
  };
}

function decimalOrder(constant: string): OrderTo | undefined {
  if (BOOLEAN_NUMBERS.has(constant)) return numericBooleanOrder(constant === 'true' ? 1 : 0);
  const right = decimalOf(constant);
  if (right === undefined) return undefined;
  const number = Number(constant);
  const isSmall = Number.isSafeInteger(number);
  return (text) => {
    if (isSmall && text.length <= 15 && SHORT_INTEGER.test(text)) return Number(text) - number;
    const left = decimalOf(text);
    return left === undefined ? undefined : compareDecimals(left, right);
  };
}

/** MySQL and SQLite keep booleans as integers. Other numbers than 0 and 1 are true there, but not equal to `true`: they compare as NULL does. */
function numericBooleanOrder(right: number): OrderTo {
  return (text) => (text === '0' || text === '1' ? Number(text) - right : undefined);
}

function booleanOrder(constant: string): OrderTo | undefined {
  const right = booleanOf(constant);
  if (right === undefined) return undefined;
  return (text) => {
    const left = booleanOf(text);
    return left === undefined ? undefined : left - right;
  };
}

function booleanOf(text: string): number | undefined {
  return BOOLEANS.get(text) ?? BOOLEANS.get(text.trim().toLowerCase());
}

function dateOrder(constant: string): OrderTo | undefined {
  const order = momentOrder(constant, dayOf);
  if (order === undefined || !PLAIN_DATE.test(constant)) return order;
  return (text) => (PLAIN_DATE.test(text) ? order.byText(text) : order(text));
}

function timestampOrder(constant: string): OrderTo | undefined {
  return momentOrder(constant, momentOf);
}

function momentOrder(constant: string, read: (text: string) => Moment | undefined) {
  const right = isRealDay(constant) ? read(constant) : undefined;
  if (right === undefined) return undefined;
  const order = (text: string) => {
    const left = read(text);
    return left === undefined ? undefined : compareMoments(left, right);
  };
  return Object.assign(order, { byText: (text: string) => (text === constant ? 0 : text < constant ? -1 : 1) });
}

function timeOrder(constant: string): OrderTo | undefined {
  const right = timeOfDay(constant);
  if (right === undefined) return undefined;
  return (text) => {
    const left = timeOfDay(text);
    return left === undefined ? undefined : compareMoments(left, right);
  };
}

function uuidOrder(constant: string): OrderTo | undefined {
  const right = uuidOf(constant);
  if (right === undefined) return undefined;
  return (text) => {
    const left = uuidOf(text);
    return left === undefined ? undefined : compareCodePoints(left, right);
  };
}

function uuidOf(text: string): string | undefined {
  const digits = text.replaceAll(/[-{}]/g, '').toLowerCase();
  return UUID_DIGITS.test(digits) ? digits : undefined;
}

/** JavaScript compares halves of surrogate pairs, which are below U+E000 and stand for what is above U+FFFF. */
function compareCodePoints(left: string, right: string): number {
  if (left === right) return 0;
  const length = Math.min(left.length, right.length);
  let at = 0;
  while (at < length && left.charCodeAt(at) === right.charCodeAt(at)) at++;
  if (at === length) return left.length - right.length;
  const a = left.charCodeAt(at);
  const b = right.charCodeAt(at);
  return isSurrogate(a) === isSurrogate(b) ? a - b : isSurrogate(a) ? 1 : -1;
}

function isSurrogate(unit: number): boolean {
  return unit >= 0xd800 && unit <= 0xdfff;
}

const SHORT_INTEGER = /^-?\d+$/;
const PLAIN_DATE = /^\d{4}-\d\d-\d\d$/;
const UUID_DIGITS = /^[0-9a-f]{32}$/;
const BOOLEANS: ReadonlyMap<string, number> = new Map([
  ['t', 1],
  ['f', 0],
  ['1', 1],
  ['0', 0],
  ['true', 1],
  ['false', 0],
  ['yes', 1],
  ['no', 0],
  ['on', 1],
  ['off', 0],
  ['y', 1],
  ['n', 0],
]);
const BOOLEAN_NUMBERS: ReadonlySet<string> = new Set(['true', 'false']);

const ORDERS: ReadonlyMap<TypeFamily, FamilyOrder> = new Map<TypeFamily, FamilyOrder>([
  ['text', { isOrdered: true, to: textOrder }],
  ['integer', { isOrdered: true, to: decimalOrder }],
  ['numeric', { isOrdered: true, to: decimalOrder }],
  ['boolean', { isOrdered: true, to: booleanOrder }],
  ['date', { isOrdered: true, to: dateOrder }],
  ['timestamp', { isOrdered: true, to: timestampOrder }],
  ['time', { isOrdered: true, to: timeOrder }],
  ['uuid', { isOrdered: true, to: uuidOrder }],
  ['enum', { isOrdered: false, to: textOrder }],
]);
