/** A number as its text says it, without rounding: 0.d₁d₂d₃… × 10^magnitude. */
export interface DecimalText {
  /** -1, 0 or 1. */
  sign: number;
  magnitude: number;
  /** Without zeros at either end. */
  digits: string;
}

/** Reads `-12.50`, `1e+20`, `.5`, `Infinity`, `NaN` (above all others, equal to itself, as in PostgreSQL). Undefined for any other text. */
export function decimalOf(text: string): DecimalText | undefined {
  const match = DECIMAL.exec(text);
  if (match === null) return SPECIAL.get(text.trim().toLowerCase());
  const [, minus, whole = '', fraction = '', exponent = '0'] = match;
  if (whole === '' && fraction === '') return undefined;
  const all = whole + fraction;
  let first = 0;
  while (first < all.length && all.charCodeAt(first) === ZERO) first++;
  if (first === all.length) return NOTHING;
  let end = all.length;
  while (all.charCodeAt(end - 1) === ZERO) end--;
  const magnitude = whole.length - first + Number(exponent);
  return { sign: minus === '-' ? -1 : 1, magnitude, digits: all.slice(first, end) };
}

/** Below, above or equal to zero as `left` is below, above or equal to `right`. */
export function compareDecimals(left: DecimalText, right: DecimalText): number {
  if (left.sign !== right.sign || left.sign === 0) return left.sign - right.sign;
  if (left.magnitude !== right.magnitude) return left.magnitude > right.magnitude ? left.sign : -left.sign;
  if (left.digits === right.digits) return 0;
  return left.digits > right.digits ? left.sign : -left.sign;
}

const ZERO = 0x30;
const DECIMAL = /^\s*([+-]?)(\d*)(?:\.(\d*))?(?:[eE]([+-]?\d+))?\s*$/;
const NOTHING: DecimalText = { sign: 0, magnitude: 0, digits: '' };
const INFINITE: DecimalText = { sign: 1, magnitude: Number.POSITIVE_INFINITY, digits: '1' };
const MINUS_INFINITE: DecimalText = { ...INFINITE, sign: -1 };
const SPECIAL: ReadonlyMap<string, DecimalText> = new Map([
  ['nan', { ...INFINITE, digits: '2' }],
  ['inf', INFINITE],
  ['infinity', INFINITE],
  ['-inf', MINUS_INFINITE],
  ['-infinity', MINUS_INFINITE],
]);
