import { monotonicFactory } from 'ulid';
import { HoldfastError } from './errors.ts';
import type { Clock } from './ports/clock.ts';
import { randomFraction } from './random-fraction.ts';

/** Makes ids such as `operation-01JZ…`: a prefix and a ULID, unique, and in the order in which this process made them. */
export type IdentifierSource = (
  prefix: 'operation' | 'restore' | 'schedule' | 'policy' | 'token' | 'drill' | 'ticket',
) => string;

export function createIdentifierSource(clock: Clock): IdentifierSource {
  const next = monotonicFactory(randomFraction);
  return (prefix) => `${prefix}-${next(clock.now().getTime())}`;
}

/**
 * Refuses ids of resources, policies and schedules that would be awkward in URLs, shells and patterns.
 * @throws HoldfastError `id-invalid` (invalid)
 */
export function requireUsableId(id: string, what: 'resource' | 'policy' | 'schedule'): void {
  if (USABLE_ID.test(id) && id !== '.' && id !== '..') return;
  throw new HoldfastError(
    'invalid',
    'id-invalid',
    `"${abbreviated(id)}" is no usable ${what} id. Use 1 to 200 characters of letters, digits, ".", "_", ":", "@" and "-".`,
    { details: { field: `${what}Id` } },
  );
}

const USABLE_ID = /^[A-Za-z0-9._:@-]{1,200}$/;

function abbreviated(id: string): string {
  return id.length > 60 ? `${id.slice(0, 60)}…` : id;
}
