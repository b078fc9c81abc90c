import type { Principal, Role, RoleScope } from './access.ts';

const ROLES: readonly Role[] = ['viewer', 'developer', 'operator', 'admin'];

/** True where `role` may do all that `needed` may. */
export function includesRole(role: Role, needed: Role): boolean {
  return ROLES.indexOf(role) >= ROLES.indexOf(needed);
}

/**
 * The principal as a request that needs a role is to see it. Somebody who is operator of one resource and viewer of another must not
 * be operator of both: only the scopes whose role suffices count, and the lowest role among them.
 */
export function scopedTo(principal: Principal, needed: Role): Principal {
  const { scopes } = principal;
  if (scopes === undefined) return principal;
  const sufficient = scopes.filter(({ role }) => includesRole(role, needed));
  const first = sufficient[0];
  if (first === undefined) return principal;
  const role = sufficient.reduce(
    (lowest, scope) => (includesRole(scope.role, lowest) ? lowest : scope.role),
    first.role,
  );
  const { resources: _resources, ...rest } = principal;
  return { ...rest, role, ...joinedResources(sufficient) };
}

/** The highest role among scopes. */
export function highestRole(scopes: readonly RoleScope[]): Role | undefined {
  return scopes.reduce<Role | undefined>(
    (highest, { role }) => (highest !== undefined && includesRole(highest, role) ? highest : role),
    undefined,
  );
}

/** All resources of scopes; none named means all, and `*` does too. */
export function joinedResources(scopes: readonly RoleScope[]): { resources?: readonly string[] } {
  const joined = new Set<string>();
  for (const { resources } of scopes) {
    if (resources === undefined || resources.includes('*')) return {};
    for (const resource of resources) joined.add(resource);
  }
  return { resources: [...joined] };
}
