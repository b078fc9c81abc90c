import { z } from 'zod';
import { parseConfiguration } from '../../core/service-settings.ts';
import { definedOnly } from './defined-only.ts';
import { secretReference } from './setting-schemas.ts';
import { type ListingConfiguration, objectsSchema, sourceSchema } from './source-schema.ts';
import { vaultSchema } from './vault/vault-configuration.ts';

const openssl = z
  .strictObject({
    cipher: z.enum(['aes-128-cbc', 'aes-192-cbc', 'aes-256-cbc']).optional(),
    keyDerivation: z.enum(['pbkdf2', 'none']).optional(),
    iterations: z.int().min(1).max(100_000_000).optional(),
    digest: z.enum(['md5', 'sha1', 'sha256', 'sha512']).optional(),
  })
  .transform(definedOnly);

const schema = z.strictObject({
  /** Where the backups are listed. */
  source: sourceSchema,
  /** Where their bytes are. */
  objects: objectsSchema,
  /** What decrypts them; without it they are not encrypted, or to a key. */
  passphrase: z.union([secretReference, z.strictObject({ vault: vaultSchema })]).optional(),
  /** To whom they are encrypted: an armored OpenPGP secret key, or an age identity. */
  privateKey: z.union([secretReference, z.strictObject({ vault: vaultSchema })]).optional(),
  /** `auto`: by the first bytes. */
  encryption: z.enum(['auto', 'none', 'gpg', 'age', 'openssl']).default('auto'),
  compression: z.enum(['auto', 'none']).default('auto'),
  /** As `openssl enc` was called. */
  openssl: openssl.optional(),
  /** Plain bytes that are too many for a backup. */
  mostBytes: z.int().min(1).optional(),
  /** What they are when they are decrypted and decompressed. */
  content: z.enum(['auto', 'postgresql', 'mysql', 'sqlite', 'files', 'bytes']).default('auto'),
});

type Parsed = z.output<typeof schema>;
export type ExternalConfiguration = Omit<Parsed, 'source'> & {
  source: Exclude<Parsed['source'], { kind: 'listing' }> | ListingConfiguration;
};
export type PassphraseConfiguration = NonNullable<Parsed['passphrase']>;
export type ConfiguredContent = Parsed['content'];

/** Seconds that a file of a folder must have been left alone. */
const FINISHED_AFTER = 60;

/** @throws HoldfastError `configuration-invalid` naming the field */
export function parseExternalConfiguration(configuration: unknown): ExternalConfiguration {
  const parsed = parseConfiguration(schema, configuration, {
    kind: 'external',
    advice:
      'It needs `source` (elasticsearch or listing) and `objects` (s3 or folder), and may have `passphrase`, `encryption` and `content`.',
  });
  const { source, ...rest } = parsed;
  if (source.kind !== 'listing') return { ...rest, source };
  const finishedAfter = rest.objects.kind === 'folder' ? FINISHED_AFTER : 0;
  return { ...rest, source: { ...source, minimumAgeSeconds: source.minimumAgeSeconds ?? finishedAfter } };
}
