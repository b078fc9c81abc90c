import { argon2, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { HoldfastError } from '../../core/errors.ts';
import type { KeyProvider } from '../../core/ports/key-provider.ts';
import type { PassphraseSlot } from './passphrase-slot.ts';

/** What Argon2id costs; stored in the slot, so that it can grow later. */
export interface Argon2Cost {
  memoryKiB: number;
  passes: number;
  parallelism: number;
}

const DEFAULT_COST: Argon2Cost = { memoryKiB: 262_144, passes: 3, parallelism: 1 };

/**
 * Wraps with Argon2id (RFC 9106) of a passphrase in Unicode form NFKC: 256 MiB, three passes, one lane, 16 bytes of salt.
 *
 * @param passphrase asked when a key is first needed
 * @throws HoldfastError `passphrase-empty` (invalid); `key-slot-unreasonable` (damaged) for a slot that would exhaust the machine
 */
export function createPassphraseProvider(
  passphrase: () => Promise<string>,
  cost: Argon2Cost = DEFAULT_COST,
): KeyProvider {
  const derived = new Map<string, Promise<Uint8Array>>();
  const derive = (parameters: PassphraseSlot): Promise<Uint8Array> => {
    const name = JSON.stringify(parameters);
    let key = derived.get(name);
    if (key === undefined) {
      key = passphrase().then((text) => derivePassphraseKey(text, parameters));
      derived.set(name, key);
    }
    return key;
  };
  return {
    kind: 'passphrase',
    async createWrappingKey() {
      const parameters: PassphraseSlot = { algorithm: 'argon2id', salt: randomBytes(16).toString('base64'), ...cost };
      return { parameters, wrappingKey: await derive(parameters) };
    },
    async wrappingKeyFor(slot) {
      if (slot.kind !== 'passphrase') return undefined;
      // Every command begins with this file, and few need what reads a slot.
      const { passphraseSlot } = await import('./passphrase-slot.ts');
      const parsed = passphraseSlot.safeParse(slot.parameters);
      if (!parsed.success) return undefined;
      const { memoryKiB, passes, parallelism } = parsed.data;
      if (memoryKiB > 4 * 1024 * 1024 || passes > 64 || parallelism > 64) {
        throw new HoldfastError(
          'damaged',
          'key-slot-unreasonable',
          `A key slot asks for ${memoryKiB} KiB of memory and ${passes} passes, more than any that Holdfast makes. It was left alone: somebody may have altered it.`,
        );
      }
      return derive(parsed.data);
    },
  };
}

const argon2Async = promisify(argon2);

async function derivePassphraseKey(text: string, parameters: PassphraseSlot): Promise<Uint8Array> {
  const passphrase = Buffer.from(text.normalize('NFKC'));
  if (passphrase.length === 0)
    throw new HoldfastError('invalid', 'passphrase-empty', 'The passphrase is empty. Choose one of several words.');
  const { salt, memoryKiB, passes, parallelism } = parameters;
  return argon2Async('argon2id', {
    message: passphrase,
    nonce: Buffer.from(salt, 'base64'),
    memory: memoryKiB,
    passes,
    parallelism,
    tagLength: 32,
  });
}
