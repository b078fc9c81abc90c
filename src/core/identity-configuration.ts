import type { Principal, Role } from './access.ts';
import type { DownloadLimits } from './grant.ts';

/** Who vouches for callers besides Holdfast itself, and what these callers may do. Secrets are references. */
export interface IdentityConfiguration {
  ldap?: LdapConfiguration;
  oidc?: OidcConfiguration;
  proxy?: ProxyConfiguration;
  /** For callers that LDAP, OIDC or a proxy vouches for; who matches none may do nothing. */
  grants: readonly GrantRule[];
}

export interface LdapConfiguration {
  /** `ldaps://` or `ldap://`; the first that answers is used. */
  urls: readonly string[];
  startTls: boolean;
  /** Passwords may go unencrypted over the network. */
  plain: boolean;
  /** File of the certificates that the directory's is signed by; default: those that Node.js knows. */
  caFile?: string;
  /** Who searches; absent: anybody may. */
  bindDn?: string;
  bindPassword?: string;
  users: {
    base: string;
    /** With `{name}` for the name. */
    filter: string;
    /** The attribute that says how the user is called. */
    name: string;
  };
  groups?: {
    /** Groups at or below it are known by their short names too. */
    base: string;
    /** The attribute of users that names their groups; used where there is no filter. */
    memberOf: string;
    /** With `{dn}` or `{name}` for the user's. */
    filter?: string;
    /** The attribute that is a group's short name. */
    name: string;
  };
  timeoutSeconds: number;
  cacheSeconds: number;
}

export interface OidcConfiguration {
  issuer: string;
  audience: readonly string[];
  algorithms: readonly string[];
  nameClaim: string;
  groupsClaim: string;
}

export interface ProxyConfiguration {
  /** Addresses and networks (CIDR) whose `X-Forwarded-For` is believed. */
  addresses: readonly string[];
  /** Header with the caller's name; absent: the proxy vouches for nobody. */
  userHeader?: string;
  groupsHeader?: string;
  /** Header that must hold the secret for the others to count. */
  secretHeader?: string;
  /** A reference. */
  secret?: string;
}

export type VouchingMethod = Extract<NonNullable<Principal['method']>, 'ldap' | 'oidc' | 'proxy'>;

export interface GrantRule {
  /** `user:NAME`, `group:NAME`, or `*` for everybody that was identified. */
  subjects: readonly string[];
  /** Only callers that these vouch for; absent: all. */
  methods?: readonly VouchingMethod[];
  role: Role;
  resources: readonly string[];
  variants: readonly string[];
  latestOnly?: boolean;
  maxAgeDays?: number;
  reasonFor?: readonly string[];
  limits?: DownloadLimits;
  /** RFC 3339 */
  expiresAt?: string;
}

/** True where callers are known by others than Holdfast: these are credentials that exist. */
export function vouchesForCallers(identity: IdentityConfiguration | undefined): boolean {
  if (identity === undefined) return false;
  return identity.ldap !== undefined || identity.oidc !== undefined || identity.proxy?.userHeader !== undefined;
}
