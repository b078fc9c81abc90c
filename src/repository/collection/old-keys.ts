import { HoldfastError } from '../../core/errors.ts';
import type { Storage } from '../../core/ports/storage.ts';
import { VerificationLedger } from '../check/verification-ledger.ts';
import type { IndexedPack } from '../index-segment.ts';
import type { Keyring } from '../keyring.ts';
import { decodeMetadata, encodeMetadata } from '../metadata-encoding.ts';
import { CIPHER_NONE, type CipherId } from '../record-cipher.ts';
import type { RepositoryParts } from '../repository-parts.ts';
import { openObject, SEALED_KIND, type SealedKind, sealObject } from '../sealed-object.ts';
import { SNAPSHOTS, snapshotKey, TRASH } from '../snapshot-name.ts';

/** Where packs and sealed objects have their cipher and their key epoch. */
const CIPHER_OFFSET = 6;
const EPOCH_OFFSET = 7;

/** Whether a pack is encrypted under a key that was rotated since. Plain packs have no key. */
export function hasOldKey(pack: IndexedPack, keyring: Keyring): boolean {
  return pack.header[CIPHER_OFFSET] !== CIPHER_NONE && pack.header[EPOCH_OFFSET] !== keyring.currentEpoch;
}

/** Names, below a prefix, of sealed objects under earlier keys. */
export async function oldObjects({ storage, keyring }: RepositoryParts, prefix: string): Promise<string[]> {
  const { currentEpoch } = keyring();
  // Nothing was rotated yet.
  if (currentEpoch === 0) return [];
  const old: string[] = [];
  for (const { key } of await storage.list(prefix, { sizes: false }))
    if (![undefined, currentEpoch].includes(await epochOf(storage, key))) old.push(key);
  return old;
}

/**
 * Seals descriptions of backups, in `snapshots/`, `updates/`, `trash/` and `verify/`, under the newest key. An object that is
 * replaced says what it said before, under the same name: one that was deleted in the same moment is as if that deletion had been
 * interrupted.
 *
 * @returns how many were sealed again
 */
export async function sealAgain(parts: RepositoryParts, signal?: AbortSignal): Promise<number> {
  let count = 0;
  for (const [prefix, again] of [
    [SNAPSHOTS, (key: string, bytes: Buffer) => resealed(parts, SEALED_KIND.snapshot, key, bytes)],
    ['updates/', (key: string, bytes: Buffer) => resealed(parts, SEALED_KIND.update, key, bytes)],
    [TRASH, (key: string, bytes: Buffer) => resealedTrash(parts, key, bytes)],
  ] as const)
    for (const key of await oldObjects(parts, prefix)) {
      signal?.throwIfAborted();
      if (await replace(parts.storage, key, again)) count++;
    }
  if ((await oldObjects(parts, 'verify/')).length > 0)
    await (await VerificationLedger.read(parts.storage, parts.keyring)).rewrite();
  return count;
}

async function replace(storage: Storage, key: string, again: (key: string, bytes: Buffer) => Buffer): Promise<boolean> {
  try {
    await storage.replace(key, again(key, await storage.get(key)));
    return true;
  } catch (error) {
    // Gone since it was listed; or damaged, which a repair must find as it is.
    if (error instanceof HoldfastError && (error.kind === 'not-found' || error.kind === 'damaged')) return false;
    throw error;
  }
}

function resealed(
  { keyring, settings }: RepositoryParts,
  kind: SealedKind,
  name: string,
  bytes: Buffer,
  change: (plain: Uint8Array) => Uint8Array = (plain) => plain,
): Buffer {
  const plain = change(openObject(keyring(), bytes, { kind, name }));
  return sealObject(keyring(), plain, { kind, name, cipher: bytes[CIPHER_OFFSET] as CipherId, codec: settings.codec });
}

/** The snapshot inside is sealed by itself, under the name that it had. */
function resealedTrash(parts: RepositoryParts, key: string, bytes: Buffer): Buffer {
  return resealed(parts, SEALED_KIND.trash, key, bytes, (plain) => {
    const content = decodeMetadata(plain) as Readonly<Record<string, unknown>>;
    const { snapshot } = content;
    if (!(snapshot instanceof Uint8Array))
      throw new HoldfastError('damaged', 'object-damaged', `${key} does not hold a forgotten backup.`);
    const name = snapshotKey(key.slice(TRASH.length));
    return encodeMetadata({ ...content, snapshot: resealed(parts, SEALED_KIND.snapshot, name, Buffer.from(snapshot)) });
  });
}

async function epochOf(storage: Storage, key: string): Promise<number | undefined> {
  try {
    return (await storage.getRange(key, EPOCH_OFFSET, 1))[0];
  } catch (error) {
    // Gone since it was listed, or too short to be anything.
    if (error instanceof HoldfastError && (error.kind === 'not-found' || error.kind === 'damaged')) return undefined;
    throw error;
  }
}
