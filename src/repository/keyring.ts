import { createHash, createSecretKey, type KeyObject, randomBytes } from 'node:crypto';
import { HoldfastError } from '../core/errors.ts';
import { encodeMetadata } from './metadata-encoding.ts';
import { type EpochKeys, KEYRING_SEAL, sealObject, singleKey } from './sealed-object.ts';

/** What a keyring object holds. */
export interface KeyringContent {
  version: 1;
  /** SHA-256 of the `config` object's bytes: a changed config is noticed. */
  configHash: Uint8Array;
  /** Key of the HMAC that names chunks. */
  idKey: Uint8Array;
  /** Secret from which the chunker's gear table is derived. */
  chunkerKey: Uint8Array;
  epochs: readonly { epoch: number; dataKey: Uint8Array; createdAt: string }[];
}

/** Plain secrets, to be handed to worker threads of this process and nowhere else. */
export interface KeyringSecrets {
  repositoryId: string;
  idKey: Uint8Array;
  chunkerKey: Uint8Array;
  epochs: readonly { epoch: number; dataKey: Uint8Array }[];
}

/** All secrets of a repository: the ids' key, the chunker's key and the data key of each epoch. Lies at `keyring/<generation>`. */
export class Keyring implements EpochKeys {
  readonly repositoryId: string;
  readonly currentEpoch: number;
  readonly idKey: KeyObject;
  readonly chunkerKey: KeyObject;
  readonly #content: Omit<KeyringContent, 'version' | 'configHash'>;
  readonly #dataKeys = new Map<number, KeyObject>();

  constructor(repositoryId: string, content: Omit<KeyringContent, 'version' | 'configHash'>) {
    this.repositoryId = repositoryId;
    this.#content = content;
    for (const { epoch, dataKey } of content.epochs) this.#dataKeys.set(epoch, createSecretKey(dataKey));
    this.currentEpoch = Math.max(...this.#dataKeys.keys());
    this.idKey = createSecretKey(content.idKey);
    this.chunkerKey = createSecretKey(content.chunkerKey);
  }

  static create(repositoryId: string, now: Date): Keyring {
    return new Keyring(repositoryId, {
      idKey: randomBytes(32),
      chunkerKey: randomBytes(32),
      epochs: [{ epoch: 0, dataKey: randomBytes(32), createdAt: now.toISOString() }],
    });
  }

  /** For a repository that snapshots are copied to: chunks are named and cut alike, and encrypted under a key of its own. */
  createKin(repositoryId: string, now: Date): Keyring {
    const { idKey, chunkerKey } = this.#content;
    const epochs = [{ epoch: 0, dataKey: randomBytes(32), createdAt: now.toISOString() }];
    return new Keyring(repositoryId, { idKey, chunkerKey, epochs });
  }

  static fromSecrets(secrets: KeyringSecrets): Keyring {
    return new Keyring(secrets.repositoryId, {
      ...secrets,
      epochs: secrets.epochs.map((epoch) => ({ ...epoch, createdAt: '' })),
    });
  }

  dataKey(epoch: number): KeyObject {
    const key = this.#dataKeys.get(epoch);
    if (key === undefined) {
      throw new HoldfastError(
        'wrong-key',
        'key-epoch-unknown',
        `This needs the key of epoch ${epoch}, which the opened keyring lacks. Either the key was rotated meanwhile: open the repository again. Or the object that asks for it is damaged: run holdfast verify.`,
      );
    }
    return key;
  }

  hasEpoch(epoch: number): boolean {
    return this.#dataKeys.has(epoch);
  }

  withNewEpoch(now: Date): Keyring {
    if (this.currentEpoch >= 255)
      throw new HoldfastError(
        'unsupported',
        'key-epochs-exhausted',
        'The key was rotated 255 times, which is the most this format can count. Copy the backups into a new repository.',
      );
    const epochs = [
      ...this.#content.epochs,
      { epoch: this.currentEpoch + 1, dataKey: randomBytes(32), createdAt: now.toISOString() },
    ];
    return new Keyring(this.repositoryId, { ...this.#content, epochs });
  }

  secrets(): KeyringSecrets {
    const { idKey, chunkerKey, epochs } = this.#content;
    return {
      repositoryId: this.repositoryId,
      idKey,
      chunkerKey,
      epochs: epochs.map(({ epoch, dataKey }) => ({ epoch, dataKey })),
    };
  }

  seal(masterKey: KeyObject, generation: number, config: Uint8Array): Buffer {
    const content: KeyringContent = { version: 1, configHash: sha256(config), ...this.#content };
    return sealObject(singleKey(this.repositoryId, masterKey), encodeMetadata(content), {
      ...KEYRING_SEAL,
      name: keyringName(generation),
    });
  }
}

export function keyringName(generation: number): string {
  return `keyring/${String(generation).padStart(8, '0')}`;
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}
