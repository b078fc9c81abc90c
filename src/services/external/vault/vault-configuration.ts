import { z } from 'zod';
import { absoluteFile, secretReference, serverUrl } from '../setting-schemas.ts';

const path = z
  .string()
  .regex(/^[^/\s]+(\/[^/\s]+)*$/, 'must be a path such as backups/shop, without slashes around it');

const appRole = z.strictObject({
  kind: z.literal('approle'),
  mount: path.default('approle'),
  /** Not a secret by itself; may be a reference all the same. */
  roleId: z.string().min(1),
  secretId: secretReference,
  /** The reference names a token that the secret id is wrapped in, to be unwrapped once. */
  isWrapped: z.boolean().default(false),
});

/** Of an agent, for example, that keeps the token fresh: it is read anew each time. */
const token = z.strictObject({ kind: z.literal('token'), token: secretReference });

/** A secret in the key/value store of HashiCorp Vault or OpenBao. */
export const vaultSchema = z.strictObject({
  address: serverUrl,
  namespace: path.optional(),
  caFile: absoluteFile.optional(),
  timeoutSeconds: z.number().min(1).max(600).default(15),
  login: z.discriminatedUnion('kind', [appRole, token]),
  /** Where the store is mounted. */
  mount: path.default('secret'),
  version: z.union([z.literal(1), z.literal(2)]).default(2),
  path,
  field: z.string().min(1).default('passphrase'),
});

export type VaultConfiguration = z.infer<typeof vaultSchema>;
