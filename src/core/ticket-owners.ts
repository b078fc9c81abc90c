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
  tokens: Pick<DocumentTable<ApiToken>, 'get' | 'list'>;
  users: Pick<DocumentTable<LocalUser>, 'get'>;
  identity: IdentityConfiguration | undefined;
  /** While there are none, every program of this machine is the local admin. */
  credentialsExist(): Promise<boolean>;
  clock: Clock;
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

  /** @returns undefined for a caller who is gone already */
  async ownerOf({ name, method = 'local', groups }: Principal): Promise<TicketOwner | undefined> {
    if (method === 'token') {
      const token = (await this.#parts.tokens.list()).find((each) => each.name === name);
      return token === undefined ? undefined : { name, method, tokenId: token.id };
    }
    if (method === 'password') {
      const user = await this.#parts.users.get(normalUserName(name));
      return user === undefined ? undefined : { name, method, passwordChangedAt: user.passwordChangedAt };
    }
    return { name, method, ...(groups === undefined ? {} : { groups }) };
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
    const { name, method } = owner;
    switch (method) {
      case 'local':
        return (await this.#parts.credentialsExist()) ? undefined : { name, method, role: 'admin' };
      case 'token': {
        const token = await this.#parts.tokens.get(owner.tokenId ?? '');
        return token === undefined || isTokenExpired(token, now) ? undefined : principalOfToken(token, now);
      }
      case 'password': {
        const user = await this.#parts.users.get(normalUserName(name));
        const isSame = user?.passwordChangedAt === owner.passwordChangedAt;
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
    if (identity?.[method] === undefined) return undefined;
    try {
      return principalByRules(identity.grants, { name, method, groups }, now);
    } catch (error) {
      if (error instanceof HoldfastError && error.kind === 'denied') return undefined;
      throw error;
    }
  }
}
