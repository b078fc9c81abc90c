import type { ApiToken, LocalUser, Principal } from './access.ts';
import { activeGrants } from './grant-expiry.ts';

/** The caller that a token makes, at this moment. */
export function principalOfToken({ id, name, role, resources, grants }: ApiToken, now: Date): Principal {
  return {
    name,
    role,
    method: 'token',
    credential: id,
    ...(resources === undefined ? {} : { resources }),
    ...(grants === undefined ? {} : { grants: activeGrants(grants, now) }),
  };
}

/** The caller that a local user is, at this moment. */
export function principalOfUser({ name, role, resources, grants, passwordChangedAt }: LocalUser, now: Date): Principal {
  return {
    name,
    role,
    method: 'password',
    credential: passwordChangedAt,
    ...(resources === undefined ? {} : { resources }),
    ...(grants === undefined ? {} : { grants: activeGrants(grants, now) }),
  };
}

export function isTokenExpired({ expiresAt }: ApiToken, now: Date): boolean {
  return expiresAt !== undefined && Date.parse(expiresAt) <= now.getTime();
}

/** Whether a local user may sign in at all. */
export function isUserOpen({ disabled, expiresAt }: LocalUser, now: Date): boolean {
  return !disabled && (expiresAt === undefined || Date.parse(expiresAt) > now.getTime());
}
