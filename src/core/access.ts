import type { Grant } from './grant.ts';

/** What a caller may do. Each role may do all that those after it may: admin > operator > developer > viewer. */
export type Role = 'admin' | 'operator' | 'developer' | 'viewer';

/** Who is calling, as the door established it. */
export interface Principal {
  name: string;
  role: Role;
  /** Resource ids (or patterns ending in `*`) that the caller is confined to; absent means all. */
  resources?: readonly string[];
  /** How it was established. */
  method?: 'local' | 'token' | 'password' | 'ldap' | 'oidc' | 'proxy';
  /** Which credentials were shown, of those that Holdfast keeps: the id of a token, or when a local user's password was set. */
  credential?: string;
  /** Narrow what may be downloaded; absent: every variant of each resource that the caller may use. */
  grants?: readonly Grant[];
  /** As a directory, an issuer or a proxy named them. */
  groups?: readonly string[];
  /**
   * Where the caller has different roles on different resources. For each request the door chooses those whose role suffices:
   * `role` and `resources` then say what holds for this request.
   */
  scopes?: readonly RoleScope[];
}

/** A role, and where it holds. */
export interface RoleScope {
  role: Role;
  /** Absent: on all. */
  resources?: readonly string[];
}

/** An API token as it is kept: the token itself is shown once and stored as SHA-256 only. */
export interface ApiToken {
  id: string;
  name: string;
  role: Role;
  resources?: readonly string[];
  /** Narrow what may be downloaded with it. */
  grants?: readonly Grant[];
  /** Hex SHA-256 of the token. */
  hash: string;
  createdAt: string;
  expiresAt?: string;
  lastUsedAt?: string;
}

/** Somebody who signs in with a name and a password that Holdfast itself keeps. */
export interface LocalUser {
  /** The name. */
  id: string;
  name: string;
  role: Role;
  resources?: readonly string[];
  /** Narrow what may be downloaded. */
  grants?: readonly Grant[];
  /** As the hasher made it, with its parameters. */
  passwordHash: string;
  createdAt: string;
  updatedAt: string;
  passwordChangedAt: string;
  /** From then on the user may not sign in. */
  expiresAt?: string;
  disabled: boolean;
}

/** One entry of the audit log; `hash` covers the entry and the hash before it, so that removal or change shows. */
export interface AuditEvent {
  sequence: number;
  time: string;
  actor: string;
  action: string;
  /** What was acted on, for example `backup-01J…`. */
  subject?: string;
  outcome: 'success' | 'failure' | 'denied';
  address?: string;
  details: Readonly<Record<string, unknown>>;
  previousHash: string;
  hash: string;
}
