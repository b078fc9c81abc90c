import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createSecretKey,
  type KeyObject,
  randomBytes,
} from 'node:crypto';
import { ulid } from 'ulid';
import { z } from 'zod';
import { HoldfastError } from '../core/errors.ts';
import { scanJson } from '../core/json-scan.ts';
import type { KeyProvider } from '../core/ports/key-provider.ts';
import type { Storage } from '../core/ports/storage.ts';
import { refuseNewerVersion } from './metadata-encoding.ts';
import { derive } from './record-cipher.ts';

const slotSchema = z.object({
  version: z.literal(1),
  id: z.string(),
  kind: z.string(),
  label: z.string(),
  createdAt: z.string(),
  /** Generation of the master key, and so of the keyring object, that this slot opens. */
  generation: z.number().int().min(0),
  parameters: z.record(z.string(), z.unknown()),
  /** base64: nonce (12), the master key sealed with AES-256-GCM under the wrapping key (32), tag (16) */
  wrapped: z.string(),
  /** base64 of an HMAC of all the rest (32) and a checksum (8). Nothing is opened by it, so no kind of damage to it may keep the slot from opening. */
  authentication: z.unknown().optional(),
});

/** One way to open a repository: its master key, wrapped by a passphrase, a key file or a key service. Lies at `keys/<id>`. */
export type KeySlotObject = z.infer<typeof slotSchema>;

export interface StoredSlot extends KeySlotObject {
  /** Name of the object that it was read from. */
  key: string;
  /** Names of fields of a newer Holdfast, or of fields whose names are damaged. */
  unknownFields: readonly string[];
}

export interface OpenedSlot {
  slot: KeySlotObject;
  masterKey: KeyObject;
}

/** Wraps the master key in a new slot and stores it. */
export async function addSlot(
  storage: Storage,
  repositoryId: string,
  masterKey: KeyObject,
  generation: number,
  provider: KeyProvider,
  label: string,
  now: Date,
): Promise<KeySlotObject> {
  const { parameters, wrappingKey } = await provider.createWrappingKey();
  const open = {
    version: 1 as const,
    id: ulid(now.getTime()),
    kind: provider.kind,
    label,
    createdAt: now.toISOString(),
    generation,
    parameters: { ...parameters },
  };
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', wrappingKey, nonce);
  cipher.setAAD(associatedData(open, repositoryId));
  const sealed = Buffer.concat([nonce, cipher.update(masterKey.export()), cipher.final(), cipher.getAuthTag()]);
  const wrapping = { ...open, wrapped: sealed.toString('base64') };
  const slot = { ...wrapping, authentication: authenticationOf(wrapping, repositoryId, masterKey) };
  await storage.putNew(slotName(slot.id), Buffer.from(`${JSON.stringify(slot, null, 2)}\n`));
  return slot;
}

/** All slots; those that cannot be read apart, because one damaged slot must not keep the others from opening. */
export async function listSlots(
  storage: Storage,
): Promise<{ slots: StoredSlot[]; damaged: { key: string; error: unknown }[] }> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await listOnce(storage);
    } catch (error) {
      // A rotation took a slot away between the listing and the reading.
      if (!(error instanceof HoldfastError) || error.code !== 'object-missing' || attempt >= MOST_LISTINGS) throw error;
    }
  }
}

const MOST_LISTINGS = 10;
/** Bytes. */
const LARGEST_SLOT = 1024 * 1024;
const DEEPEST_SLOT = 100;

async function listOnce(storage: Storage): ReturnType<typeof listSlots> {
  const slots: StoredSlot[] = [];
  const damaged: { key: string; error: unknown }[] = [];
  for (const key of (await storage.list('keys/', { sizes: false })).map((object) => object.key).sort()) {
    try {
      slots.push(await readSlot(storage, key));
    } catch (error) {
      if (!(error instanceof HoldfastError) || !['damaged', 'unsupported'].includes(error.kind)) throw error;
      damaged.push({ key, error });
    }
  }
  return { slots, damaged };
}

/**
 * Tries every provider on every slot, newest generation first. A slot that cannot be tried (its parameters ask for too much) is
 * in nobody else's way. @returns undefined where none opens
 */
export async function openWithAny(
  slots: readonly KeySlotObject[],
  repositoryId: string,
  providers: readonly KeyProvider[],
): Promise<OpenedSlot | undefined> {
  let failure: unknown;
  for (const slot of slots.toSorted((a, b) => b.generation - a.generation)) {
    for (const provider of providers) {
      try {
        const wrappingKey = await provider.wrappingKeyFor(slot);
        if (wrappingKey === undefined) continue;
        const masterKey = unwrap(slot, repositoryId, wrappingKey);
        if (masterKey !== undefined) return { slot, masterKey };
      } catch (error) {
        if (!(error instanceof HoldfastError)) throw error;
        failure ??= error;
      }
    }
  }
  if (failure !== undefined) throw failure;
  return undefined;
}

export function slotName(id: string): string {
  return `keys/${id}`;
}

/**
 * What tells damage to a slot without its passphrase or key file, for whoever has opened the repository by another one.
 * @returns base64 of an HMAC-SHA-256 (32 bytes) of all other fields, under a key of the master key that the slot wraps, and a
 * checksum (8 bytes) of these fields and the HMAC
 */
export function authenticationOf(slot: KeySlotObject, repositoryId: string, masterKey: KeyObject): string {
  const key = derive(masterKey, Buffer.alloc(0), 'holdfast key slot authentication', 32);
  const code = createHmac('sha256', key).update(authenticatedFields(slot, repositoryId)).digest();
  return withChecksum(slot, repositoryId, code);
}

/** Whether a slot is as somebody made it, whatever master key it wraps. */
export function isAsMade(slot: KeySlotObject, repositoryId: string): boolean {
  const { authentication } = slot;
  if (typeof authentication !== 'string') return false;
  const code = Buffer.from(authentication, 'base64').subarray(0, CODE_BYTES);
  return authentication === withChecksum(slot, repositoryId, code);
}

function withChecksum(slot: KeySlotObject, repositoryId: string, code: Uint8Array): string {
  const fields = authenticatedFields(slot, repositoryId);
  const checksum = createHash('sha256').update(fields).update(code).digest().subarray(0, CHECKSUM_BYTES);
  return Buffer.concat([code, checksum]).toString('base64');
}

function authenticatedFields(slot: KeySlotObject, repositoryId: string): string {
  return JSON.stringify([...boundFields(slot, repositoryId), slot.wrapped]);
}

const CODE_BYTES = 32;
const CHECKSUM_BYTES = 8;

function unwrap(slot: KeySlotObject, repositoryId: string, wrappingKey: Uint8Array): KeyObject | undefined {
  const sealed = Buffer.from(slot.wrapped, 'base64');
  if (sealed.length !== 60) return undefined;
  const decipher = createDecipheriv('aes-256-gcm', wrappingKey, sealed.subarray(0, 12), { authTagLength: 16 });
  decipher.setAAD(associatedData(slot, repositoryId));
  decipher.setAuthTag(sealed.subarray(44));
  const plain = decipher.update(sealed.subarray(12, 44));
  try {
    decipher.final();
  } catch {
    // Not this key: the caller goes on to the next one.
    return undefined;
  }
  return createSecretKey(plain);
}

async function readSlot(storage: Storage, key: string): Promise<StoredSlot> {
  return decodeSlot(await storage.get(key), key);
}

/** @throws HoldfastError `key-slot-damaged` (damaged), `format-newer` (unsupported) */
export function decodeSlot(bytes: Buffer, key: string): StoredSlot {
  try {
    // Nothing vouches for a slot before it is opened, and to write one down for that must not take the whole stack.
    if (bytes.length > LARGEST_SLOT || scanJson(bytes, DEEPEST_SLOT).tooDeepAt !== undefined)
      throw new RangeError('It is larger or deeper than any that Holdfast makes.');
    const slot: unknown = JSON.parse(bytes.toString('utf8'));
    refuseNewerVersion(slot, key);
    const unknownFields = Object.keys(slot as object).filter((name) => !(name in slotSchema.shape));
    return { ...slotSchema.parse(slot), key, unknownFields };
  } catch (cause) {
    if (cause instanceof HoldfastError) throw cause;
    throw new HoldfastError(
      'damaged',
      'key-slot-damaged',
      `The key slot ${key} is damaged; other slots still open the repository. Restore it from a copy, or add its passphrase or key file again with \`holdfast key add\` and remove it with \`holdfast key remove ${key.slice('keys/'.length)}\`.`,
      { cause, details: { object: key } },
    );
  }
}

/** The slot's readable fields in a fixed order, and the repository: a slot cannot be altered or moved to another one. */
function associatedData(slot: Omit<KeySlotObject, 'wrapped'>, repositoryId: string): Buffer {
  return Buffer.from(JSON.stringify(boundFields(slot, repositoryId)));
}

function boundFields(slot: Omit<KeySlotObject, 'wrapped'>, repositoryId: string): unknown[] {
  const { version, id, kind, label, createdAt, generation, parameters } = slot;
  const sorted = Object.fromEntries(Object.entries(parameters).sort(([a], [b]) => (a < b ? -1 : 1)));
  return [repositoryId, version, id, kind, label, createdAt, generation, sorted];
}
