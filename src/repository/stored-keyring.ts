import { createHash, type KeyObject } from 'node:crypto';
import { z } from 'zod';
import { HoldfastError } from '../core/errors.ts';
import { listOf } from '../core/list-schema.ts';
import type { Storage } from '../core/ports/storage.ts';
import { Keyring, type KeyringContent, keyringName } from './keyring.ts';
import { decodeMetadata, refuseNewerVersion } from './metadata-encoding.ts';
import { openObject, SEALED_KIND, singleKey } from './sealed-object.ts';

/** Of the keyrings that there are, in order. */
export async function keyringGenerations(storage: Storage): Promise<number[]> {
  const names = (await storage.list('keyring/', { sizes: false })).map((object) => object.key);
  return names
    .flatMap((name) => /^keyring\/(\d{8})$/.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
}

/** @throws HoldfastError `config-changed` (damaged) where `config` is not the one that the keyring was made for */
export async function readKeyring(
  storage: Storage,
  repositoryId: string,
  masterKey: KeyObject,
  generation: number,
  config: Uint8Array,
): Promise<Keyring> {
  const name = keyringName(generation);
  const plain = openObject(singleKey(repositoryId, masterKey), await storage.get(name), {
    kind: SEALED_KIND.keyring,
    name,
  });
  const decoded = decodeMetadata(plain);
  refuseNewerVersion(decoded, name);
  const parsed = keyringSchema.safeParse(decoded);
  if (!parsed.success)
    throw new HoldfastError('damaged', 'object-damaged', `${name} does not hold a keyring.`, {
      cause: parsed.error,
      details: { object: name },
    });
  const { version: _version, configHash, ...content } = parsed.data;
  if (!sha256(config).equals(configHash)) {
    throw new HoldfastError(
      'damaged',
      'config-changed',
      "The repository's `config` is not the one it was made with. Restore that one file from a copy of the repository.",
      { details: { object: 'config' } },
    );
  }
  return new Keyring(repositoryId, content);
}

const secretBytes = z.custom<Uint8Array>(
  (bytes) => bytes instanceof Uint8Array && bytes.length === 32,
  'must be 32 bytes',
);

const keyringSchema: z.ZodType<KeyringContent> = z.object({
  version: z.literal(1),
  configHash: secretBytes,
  idKey: secretBytes,
  chunkerKey: secretBytes,
  epochs: listOf(
    z.object({ epoch: z.number().int().min(0).max(255), dataKey: secretBytes, createdAt: z.string() }),
  ).refine((epochs) => epochs.length > 0),
});

function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}
