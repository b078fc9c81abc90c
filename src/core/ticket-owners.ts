import type { ApiToken, LocalUser, Principal } from './access.ts';
import { HoldfastError } from './errors.ts';
import { principalByRules } from './grant-rules.ts';
import type { IdentityConfiguration, VouchingMethod } from './identity-configuration.ts';
import { isTokenExpired, isUserOpen, principalOfToken, principalOfUser } from './kept-callers.ts';
import type { DocumentTable } from './ports/catalogue.ts';
import type { Clock } from './ports/clock.ts';
import { includesRole, scopedTo } from './role-scope.ts';
import type { TicketOwner } from './ticket.ts';
import { normalUserName } from './user-name.ts';

export interface TicketOwnerParts {
  tokens: Pick<DocumentTable<ApiToken>, 'get'>;
  users: Pick<DocumentTable<LocalUser>, 'get'>;
  identity: IdentityConfiguration | undefined;
  /** While there are none, every program of this machine is the local admin. */
  credentialsExist(): Promise<boolean>;
  clock: Clock;
}

/** As whom a caller asks for a ticket. */
export function ticketOwner({ name, method = 'local', credential, groups }: Principal): TicketOwner {
  return {
    ...{ name, method },
    ...(credential === undefined ? {} : { credential }),
    ...(groups === undefined ? {} : { groups }),
  };
}

/**
 * Says of callers, without their credentials, who they are now. Tokens and local users are looked up again. A directory, an issuer and a proxy cannot be
 * asked about somebody who shows nothing: there the groups of then count, under the rules of now.
 */
export class TicketOwners {
  readonly #parts: TicketOwnerParts;

  constructor(parts: TicketOwnerParts) {
    this.#parts = parts;
  }

  /** Who the owner of a ticket is now, as somebody who downloads. @returns undefined for one who may not sign in any more, or not download */
  async principalOf(owner: TicketOwner): Promise<Principal | undefined> {
    const principal = await this.#known(owner);
    return principal !== undefined && includesRole(principal.role, 'developer')
      ? scopedTo(principal, 'developer')
      : undefined;
  }

  async #known(owner: TicketOwner): Promise<Principal | undefined> {
    const now = this.#parts.clock.now();
    const { name, method, credential } = owner;
    switch (method) {
      case 'local':
        return (await this.#parts.credentialsExist()) ? undefined : { name, method, role: 'admin' };
      case 'token': {
        const token = await this.#parts.tokens.get(credential ?? '');
        return token === undefined || isTokenExpired(token, now) ? undefined : principalOfToken(token, now);
      }
      case 'password': {
        const user = await this.#parts.users.get(normalUserName(name));
        const isSame = user?.passwordChangedAt === credential;
        return user !== undefined && isSame && isUserOpen(user, now) ? principalOfUser(user, now) : undefined;
      }
      default:
        return this.#vouchedFor({ ...owner, method }, now);
    }
  }

  #vouchedFor(
    { name, method, groups = [] }: TicketOwner & { method: VouchingMethod },
    now: Date,
  ): Principal | undefined {
    const { identity } = this.#parts;
    // A proxy may be believed addresses alone.
    const vouching = method === 'proxy' ? identity?.proxy?.userHeader : identity?.[method];
    if (identity === undefined || vouching === undefined) return undefined;
    try {
      return principalByRules(identity.grants, { name, method, groups }, now);
    } catch (error) {
      if (error instanceof HoldfastError && error.kind === 'denied') return undefined;
      throw error;
    }
  }
}
