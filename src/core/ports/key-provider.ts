/**
 * Wraps and unwraps a repository's master key. What a provider needs to unwrap later (salt, cost parameters, a key's name)
 * goes into the slot's `parameters`, which are stored in the clear and authenticated.
 */
export interface KeyProvider {
  /** `passphrase`, `keyfile`, `vault-transit` … recorded in the slot */
  readonly kind: string;
  /** Makes a wrapping key for a new slot. */
  createWrappingKey(): Promise<{ parameters: Readonly<Record<string, unknown>>; wrappingKey: Uint8Array }>;
  /** Derives a slot's wrapping key again (32 bytes), or undefined where this provider cannot open such a slot. */
  wrappingKeyFor(slot: {
    kind: string;
    parameters: Readonly<Record<string, unknown>>;
  }): Promise<Uint8Array | undefined>;
}
