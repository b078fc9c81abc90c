/** Where a secret is to be found, never the secret itself: `env:NAME` or `file:/path`. */
export const SECRET_REFERENCE = /^(env|file):(.+)$/;

export function isSecretReference(text: string): boolean {
  return SECRET_REFERENCE.test(text);
}
