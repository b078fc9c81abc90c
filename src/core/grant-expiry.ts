import type { Grant } from './grant.ts';

/** The grants that still give something. None left is not the same as none wanted: whoever has an empty list may download nothing. */
export function activeGrants(grants: readonly Grant[], now: Date): readonly Grant[] {
  return grants.filter(({ expiresAt }) => expiresAt === undefined || Date.parse(expiresAt) > now.getTime());
}
