/** Any value that a JSON text can say (RFC 8259). */
export type JsonValue = null | boolean | number | string | JsonArray | JsonObject | ExactNumber;
export type JsonArray = JsonValue[];

/**
 * A JSON object. Names are data: ask with `Object.hasOwn` before reading one, and write with `setMember`, because
 * `__proto__` and `constructor` may be among them.
 */
export interface JsonObject {
  [name: string]: JsonValue;
}

/** A number whose literal says more than a double can hold, kept as it was written: what `JSON.rawJSON` makes. */
export interface ExactNumber {
  readonly rawJSON: string;
}

/** TypeScript's library does not know these two of ECMAScript 2026 yet. */
interface JsonWithRawText {
  rawJSON(text: string): ExactNumber;
  isRawJSON(value: unknown): value is ExactNumber;
}
const { rawJSON, isRawJSON } = JSON as unknown as JsonWithRawText;

/** @param literal a JSON number, for example `12345678901234567890` */
export function exactNumber(literal: string): ExactNumber {
  return rawJSON(literal);
}

export function isExactNumber(value: unknown): value is ExactNumber {
  return isRawJSON(value);
}

export function isJsonObject(value: JsonValue): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !isRawJSON(value);
}

/** Sets an own member; unlike plain assignment it makes `__proto__` a member like any other. */
export function setMember(object: JsonObject, name: string, value: JsonValue): void {
  if (name === '__proto__') {
    Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });
  } else {
    object[name] = value;
  }
}

/** True if both say the same: members in any order, `-0` as `0`, exact numbers by their literals. */
export function jsonEquals(left: JsonValue, right: JsonValue): boolean {
  if (left === right) return true;
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return false;
  if (Array.isArray(left)) return Array.isArray(right) && arraysEqual(left, right);
  if (Array.isArray(right)) return false;
  if (isExactNumber(left)) return isExactNumber(right) && left.rawJSON === right.rawJSON;
  return !isExactNumber(right) && objectsEqual(left, right);
}

function arraysEqual(left: JsonArray, right: JsonArray): boolean {
  if (left.length !== right.length) return false;
  for (let index = 0; index < left.length; index++) {
    if (!jsonEquals(left[index] as JsonValue, right[index] as JsonValue)) return false;
  }
  return true;
}

function objectsEqual(left: JsonObject, right: JsonObject): boolean {
  const names = Object.keys(left);
  if (names.length !== Object.keys(right).length) return false;
  for (const name of names) {
    if (!Object.hasOwn(right, name)) return false;
    if (!jsonEquals(left[name] as JsonValue, right[name] as JsonValue)) return false;
  }
  return true;
}
