import type { Principal, RoleScope } from './access.ts';
import { HoldfastError } from './errors.ts';
import type { Grant } from './grant.ts';
import { activeGrants } from './grant-expiry.ts';
import type { GrantRule, VouchingMethod } from './identity-configuration.ts';
import { highestRole, includesRole, joinedResources } from './role-scope.ts';
import { normalUserName } from './user-name.ts';

/** Somebody whom a directory, an issuer or a proxy vouches for. */
export interface VouchedCaller {
  method: VouchingMethod;
  name: string;
  groups: readonly string[];
}

/**
 * What the rules of the configuration make of a caller: each rule that names the caller or a group adds its role on its resources, and
 * what may be downloaded of these. Rules that have expired add nothing.
 *
 * @throws HoldfastError `nothing-granted` (denied) where no rule is left
 */
export function principalByRules(rules: readonly GrantRule[], caller: VouchedCaller, now: Date): Principal {
  const matching = activeGrants(rules, now).filter((rule) => names(rule, caller));
  const scopes: RoleScope[] = matching.map(({ role, resources }) => ({ role, resources }));
  const role = highestRole(scopes);
  if (role === undefined) throw nothingGranted(caller);
  return {
    ...caller,
    role,
    ...joinedResources(scopes),
    scopes,
    grants: matching.filter((rule) => includesRole(rule.role, 'developer')).map(grantOf),
  };
}

function names(rule: GrantRule, { method, name, groups }: VouchedCaller): boolean {
  if (rule.methods !== undefined && !rule.methods.includes(method)) return false;
  const same = method === 'ldap' ? sameLoosely : sameExactly;
  return rule.subjects.some((subject) => {
    if (subject === '*') return true;
    const word = subject.slice(subject.indexOf(':') + 1);
    return subject.startsWith('user:') ? same(word, name) : groups.some((group) => same(word, group));
  });
}

/** Directories compare names without regard to case. */
function sameLoosely(one: string, other: string): boolean {
  return normalUserName(one) === normalUserName(other);
}

/** Two names of an issuer that differ in case may be two people. */
function sameExactly(one: string, other: string): boolean {
  return one.normalize('NFC') === other.normalize('NFC');
}

function grantOf({ resources, variants, latestOnly, maxAgeDays, reasonFor, limits, expiresAt }: GrantRule): Grant {
  return {
    resources,
    variants,
    ...(latestOnly === undefined ? {} : { latestOnly }),
    ...(maxAgeDays === undefined ? {} : { maxAgeDays }),
    ...(reasonFor === undefined ? {} : { reasonFor }),
    ...(limits === undefined ? {} : { limits }),
    ...(expiresAt === undefined ? {} : { expiresAt }),
  };
}

function nothingGranted({ name, method }: VouchedCaller): HoldfastError {
  return new HoldfastError(
    'denied',
    'nothing-granted',
    `You are known (${method}: ${name}), but no rule gives you anything, or those that did have expired. Ask an operator for a rule under identity.grants that names you or one of your groups.`,
  );
}
