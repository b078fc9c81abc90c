import { isJsonObject, type JsonValue, jsonEquals } from '../../core/json-value.ts';

export interface DocumentChange {
  kind: 'added' | 'removed' | 'changed';
  /** Where in the document, as a JSON Pointer (RFC 6901): `/users/1/name`. */
  pointer: string;
}

/** Lists the innermost places in which two documents differ, members in the order of their names. */
export function documentDifference(before: JsonValue, after: JsonValue): DocumentChange[] {
  const changes: DocumentChange[] = [];
  const pending: { pointer: string; old: JsonValue; young: JsonValue }[] = [{ pointer: '', old: before, young: after }];
  for (let place = pending.pop(); place !== undefined; place = pending.pop()) {
    const { pointer, old, young } = place;
    const oldMembers = membersOf(old);
    const youngMembers = membersOf(young);
    if (oldMembers === undefined || youngMembers === undefined || Array.isArray(old) !== Array.isArray(young)) {
      if (!jsonEquals(old, young)) changes.push({ kind: 'changed', pointer });
      continue;
    }
    for (const [name, value] of oldMembers) {
      const member = youngMembers.get(name);
      if (member === undefined) changes.push({ kind: 'removed', pointer: below(pointer, name) });
      else pending.push({ pointer: below(pointer, name), old: value, young: member });
    }
    for (const name of youngMembers.keys()) {
      if (!oldMembers.has(name)) changes.push({ kind: 'added', pointer: below(pointer, name) });
    }
  }
  return changes.sort((left, right) => (left.pointer < right.pointer ? -1 : 1));
}

function membersOf(value: JsonValue): Map<string, JsonValue> | undefined {
  if (Array.isArray(value)) return new Map(value.map((item, index) => [String(index), item]));
  return isJsonObject(value) ? new Map(Object.entries(value)) : undefined;
}

function below(pointer: string, name: string): string {
  return `${pointer}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`;
}
