import { z } from 'zod';
import { HoldfastError } from '../../core/errors.ts';
import { DEEPEST_DOCUMENT } from '../../core/json-document.ts';
import {
  isExactNumber,
  isJsonObject,
  type JsonObject,
  type JsonValue,
  jsonEquals,
  setMember,
} from '../../core/json-value.ts';
import { listOf } from '../../core/list-schema.ts';
import type { DocumentDelta } from './delta.ts';
import { type KeyPath, parseKeyPath } from './key-path.ts';

/**
 * Applies a delta to the document that it was computed from: changes, then deletions from the last to the first, then
 * additions. Every old value is compared with what is there.
 *
 * @param base is changed in place and must not be used afterwards
 * @throws HoldfastError `delta-base-differs` (damaged), naming the key
 */
export function applyDelta(base: JsonValue, delta: DocumentDelta): JsonValue {
  const root: JsonObject = { document: base };
  for (const { key, oldValue, newValue } of delta.changes) {
    const place = placeOf(root, key, newValue);
    if (!holds(place, oldValue)) throw baseDiffers(key);
    replace(place, newValue);
  }
  for (const { key, oldValue } of delta.deletions.toReversed()) {
    const place = placeOf(root, key);
    if (!holds(place, oldValue) || !remove(place)) throw baseDiffers(key);
  }
  for (const { key, value } of delta.additions) {
    if (!add(placeOf(root, key, value), value)) throw baseDiffers(key);
  }
  if (root.document === undefined) throw malformed('it leaves nothing of the document');
  return root.document;
}

/** @throws HoldfastError `delta-malformed` (damaged) */
export function parseDelta(value: JsonValue): DocumentDelta {
  const result = DELTA.safeParse(value);
  if (!result.success) throw malformed(z.prettifyError(result.error));
  return result.data;
}

const VALUE = z.custom<JsonValue>((value) => value !== undefined);
const DELTA = z.strictObject({
  changes: listOf(z.strictObject({ key: z.string(), oldValue: VALUE, newValue: VALUE })),
  additions: listOf(z.strictObject({ key: z.string(), value: VALUE })),
  deletions: listOf(z.strictObject({ key: z.string(), oldValue: VALUE })),
});

/** A member or an element that exists or could be added. */
interface Place {
  container: JsonValue;
  step: string | number;
}

/** @param value what is to stand there: deltas must not make a document deeper than all that reads or writes it can bear */
function placeOf(root: JsonObject, key: string, value: JsonValue = null): Place {
  const path = parseKeyPath(key);
  if (path === undefined) throw malformed(`"${key}" is no key`);
  if (path.length + depthOf(value) > DEEPEST_DOCUMENT) throw malformed('it nests deeper than documents may');
  const steps: KeyPath = ['document', ...path];
  let container: JsonValue = root;
  for (const step of steps.slice(0, -1)) {
    const next: JsonValue | undefined = valueAt({ container, step });
    if (next === undefined) throw baseDiffers(key);
    container = next;
  }
  return { container, step: steps.at(-1) as string | number };
}

function depthOf(value: JsonValue): number {
  if (typeof value !== 'object' || value === null || isExactNumber(value)) return 0;
  let deepest = 0;
  for (const member of Object.values(value)) deepest = Math.max(deepest, depthOf(member));
  return 1 + deepest;
}

function valueAt({ container, step }: Place): JsonValue | undefined {
  if (typeof step === 'number') return Array.isArray(container) ? container[step] : undefined;
  return isJsonObject(container) && Object.hasOwn(container, step) ? container[step] : undefined;
}

function holds(place: Place, expected: JsonValue): boolean {
  const value = valueAt(place);
  return value !== undefined && jsonEquals(value, expected);
}

/** Only for places that hold something. */
function replace({ container, step }: Place, value: JsonValue): void {
  if (typeof step === 'number') (container as JsonValue[])[step] = value;
  else setMember(container as JsonObject, step, value);
}

/** Only for places that hold something. @returns false for an element that is not its array's last */
function remove({ container, step }: Place): boolean {
  if (typeof step === 'string') return delete (container as JsonObject)[step];
  const array = container as JsonValue[];
  if (step !== array.length - 1) return false;
  array.pop();
  return true;
}

/** @returns false where something is already, or where there is no room for it */
function add({ container, step }: Place, value: JsonValue): boolean {
  if (typeof step === 'number')
    return Array.isArray(container) && container.length === step && container.push(value) > 0;
  if (!isJsonObject(container) || Object.hasOwn(container, step)) return false;
  setMember(container, step, value);
  return true;
}

function baseDiffers(key: string): HoldfastError {
  const message = `The delta does not fit its base: the base holds something else at ${JSON.stringify(key)}. Restore an earlier backup, and verify the repository.`;
  return new HoldfastError('damaged', 'delta-base-differs', message, { details: { key } });
}

function malformed(fault: string): HoldfastError {
  const message = `A stored delta is malformed: ${fault}. Restore an earlier backup, and verify the repository.`;
  return new HoldfastError('damaged', 'delta-malformed', message);
}
