import type { KeyKind } from './subset-plan.ts';

/** What of a key counts when it is compared. */
export function comparableKey(kind: KeyKind): (key: string) => string {
  switch (kind) {
    case 'padded':
      return (key) => key.trimEnd();
    case 'folded':
      // As collations of MySQL and PostgreSQL's citext compare, near enough: where two keys become the same by it, the index says so.
      return (key) => key.trimEnd().normalize('NFD').replaceAll(/\p{M}/gu, '').toLowerCase();
    default:
      return (key) => key;
  }
}
