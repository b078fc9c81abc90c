import type { Principal } from '../access.ts';

/** What a caller showed, as the door read it. */
export type Credentials =
  | { kind: 'bearer'; token: string }
  | { kind: 'password'; name: string; password: string }
  /** Said by a reverse proxy at one of the configured addresses; `secret` is what shows that it is the proxy itself. */
  | { kind: 'asserted'; name: string; groups: readonly string[]; secret?: string };

/**
 * Tells who shows credentials. Providers are asked in order; the first that recognises them decides.
 */
export interface IdentityProvider {
  readonly method: NonNullable<Principal['method']>;
  /**
   * @returns `unrecognised` where another provider may know them; `refused` where they are wrong, expired or taken back, and nobody
   * else is to be asked
   * @throws HoldfastError (unavailable) where that cannot be found out now; (denied) where the caller is known and may do nothing
   */
  identify(credentials: Credentials): Promise<Principal | 'unrecognised' | 'refused'>;
}
