/** Keeps passwords so that they can be compared and not be read. */
export interface PasswordHasher {
  /** @returns a text that names its algorithm and parameters */
  hash(password: string): Promise<string>;
  /**
   * Costs the same whether there is a hash or not, so that the time does not tell which names exist.
   *
   * @param hash undefined where nobody has that name: never true then
   * @throws HoldfastError `sign-in-busy` (too-many)
   */
  verify(password: string, hash: string | undefined): Promise<boolean>;
}
