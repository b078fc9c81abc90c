/** What decoding needs to know; each secret is asked for only if it is needed. */
export interface DecodingKeys {
  passphrase?: () => Promise<string>;
  privateKey?: () => Promise<string>;
}
