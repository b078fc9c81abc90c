import { z } from 'zod';
import { parseConfiguration } from '../../core/service-settings.ts';
import { definedOnly } from './defined-only.ts';
import { requireUsableRestic } from './restic-snapshots.ts';
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

const schema = z
  .strictObject({
    /** Where the backups are listed. */
    source: sourceSchema,
    /** Where their bytes are; a restic repository has both. */
    objects: objectsSchema.optional(),
    /** What decrypts them, a restic repository's password; without it they are not encrypted, or to a key. */
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
  })
  .check(({ value, issues }) => {
    const tell = (path: string, message: string) =>
      issues.push({ code: 'custom', input: value, path: [path], message });
    const isRestic = value.source.kind === 'restic';
    if (!isRestic && value.objects === undefined) tell('objects', 'is missing: where the bytes are, `s3` or `folder`');
    if (isRestic && value.objects !== undefined) tell('objects', 'is not for restic, whose repository has them');
    if (isRestic && value.encryption !== 'auto' && value.encryption !== 'none')
      tell('encryption', 'is not for restic, which decrypts by itself');
    if (isRestic && value.privateKey !== undefined) tell('privateKey', 'is not for restic, which takes a password');
    if (isRestic && value.passphrase === undefined) tell('passphrase', 'is missing: the password of the repository');
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
      'It needs `source` (elasticsearch, listing or restic) and `objects` (s3 or folder; not for restic), and may have `passphrase`, `privateKey`, `encryption`, `compression`, `openssl`, `mostBytes` and `content`.',
  });
  const { source, ...rest } = parsed;
  if (source.kind === 'restic') requireUsableRestic(source);
  if (source.kind !== 'listing') return { ...rest, source };
  const finishedAfter = rest.objects?.kind === 'folder' ? FINISHED_AFTER : 0;
  return { ...rest, source: { ...source, minimumAgeSeconds: source.minimumAgeSeconds ?? finishedAfter } };
}
