/** A value as `node:sqlite` gives it with `readBigInts`. */
export type SqliteValue = null | bigint | number | string | Uint8Array;

const WHOLE = /^-?\d{1,19}$/;
const NUMBER = /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i;
const HEX = /^\\x(?:[0-9a-f]{2})*$/i;

/** The text that transformers get: integers and reals exactly, a blob as `\x` and its bytes in hex. */
export function textOf(value: SqliteValue): string | null {
  if (value === null || typeof value === 'string') return value;
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'number') return realText(value);
  return `\\x${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('hex')}`;
}

/** What is stored for a transformer's text: of the storage class that the original had, where the text can be that. */
export function storedValue(text: string | null, original: SqliteValue): SqliteValue {
  if (text === null || original === null || typeof original === 'string') return text;
  if (typeof original === 'bigint' && WHOLE.test(text)) {
    const whole = BigInt(text);
    if (BigInt.asIntN(64, whole) === whole) return whole;
  }
  if (typeof original === 'bigint' || typeof original === 'number') return NUMBER.test(text) ? Number(text) : text;
  return HEX.test(text) ? Buffer.from(text.slice(2), 'hex') : text;
}

/** As SQLite itself would write it, but with all digits: `1.0` and not `1`. */
function realText(value: number): string {
  if (!Number.isFinite(value)) return value > 0 ? 'Inf' : '-Inf';
  const text = Object.is(value, -0) ? '-0' : String(value);
  return /^-?\d+$/.test(text) ? `${text}.0` : text;
}
