/** The grants that still give something. None left is not the same as none wanted: whoever has an empty list may download nothing. */
export function activeGrants<Given extends { expiresAt?: string }>(
  grants: readonly Given[],
  now: Date,
): readonly Given[] {
  return grants.filter(({ expiresAt }) => expiresAt === undefined || Date.parse(expiresAt) > now.getTime());
}
