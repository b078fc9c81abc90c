import type { ObjectSource } from '../../core/ports/object-source.ts';
import type { Resource } from '../../core/resource.ts';
import {
  type ExternalConfiguration,
  type PassphraseConfiguration,
  parseExternalConfiguration,
} from './configuration.ts';
import { openDecodedObject } from './decoded-object.ts';
import type { DecodedStream } from './decoding/decode.ts';
import type { DecodingKeys } from './decoding-keys.ts';
import { findInElasticsearch } from './finding/elasticsearch.ts';
import type { FoundBackup } from './finding/found-backup.ts';
import { findByListing } from './finding/listing.ts';
import { FolderSource } from './objects/folder-source.ts';
import { keyOfLocation } from './objects/object-location.ts';
import { fetchPassphrase } from './passphrase.ts';
import { findInRestic, openInRestic, type ResticAccess } from './restic-snapshots.ts';
import type { BucketConfiguration, ObjectsConfiguration } from './source-schema.ts';
import { inStep, StepFault } from './step-failure.ts';
import { VaultSecrets } from './vault/vault-secrets.ts';

export interface OriginParts {
  openBucket(configuration: BucketConfiguration): Promise<ObjectSource>;
  resolveSecret(reference: string): Promise<string>;
  now(): Date;
}

/** Finds and opens the backups of other tools, whatever the configuration says where they are. */
export class Origins {
  readonly #parts: OriginParts;
  readonly #vault: VaultSecrets;
  /** By their configuration, so that connections are used again. */
  readonly #sources = new Map<string, Promise<ObjectSource>>();

  constructor(parts: OriginParts) {
    this.#parts = parts;
    this.#vault = new VaultSecrets((reference) => parts.resolveSecret(reference));
  }

  /** Newest first. @throws HoldfastError `external-finding-failed` */
  find(configuration: ExternalConfiguration, limit: number, signal: AbortSignal): Promise<readonly FoundBackup[]> {
    const { source } = configuration;
    const { resolveSecret, now } = this.#parts;
    return inStep('finding', signal, async () => {
      if (source.kind === 'listing')
        return findByListing(source, { source: await this.source(configuration), limit, now: now(), signal });
      if (source.kind === 'restic') return findInRestic(source, limit, this.#restic(configuration, signal));
      const keyOf = (url: string) => keyOfLocation(url, objectsOf(configuration));
      return findInElasticsearch(source, { limit, keyOf, resolveSecret, signal });
    });
  }

  /** The plain bytes. @throws HoldfastError of the step that failed */
  async open(
    configuration: ExternalConfiguration,
    found: FoundBackup,
    { signal, warn }: { signal: AbortSignal; warn(message: string): void },
  ): Promise<DecodedStream> {
    const { source: listed, mostBytes, compression } = configuration;
    if (listed.kind === 'restic') {
      const access = this.#restic(configuration, signal);
      return openInRestic(listed, found, { ...access, mostBytes, compression, warn });
    }
    const source = await inStep('object', signal, () => this.source(configuration));
    const keys = this.keys(configuration, signal);
    return openDecodedObject(source, found, { configuration, keys, signal, warn });
  }

  keys({ passphrase, privateKey }: ExternalConfiguration, signal: AbortSignal): DecodingKeys {
    const fetched = (from: PassphraseConfiguration) => () =>
      fetchPassphrase(from, { vault: this.#vault, resolveSecret: this.#parts.resolveSecret }, signal);
    return {
      ...(passphrase === undefined ? {} : { passphrase: fetched(passphrase) }),
      ...(privateKey === undefined ? {} : { privateKey: fetched(privateKey) }),
    };
  }

  /** Where the bytes are, but for restic. */
  source(configuration: ExternalConfiguration): Promise<ObjectSource> {
    const objects = objectsOf(configuration);
    if (objects.kind === 'folder') return Promise.resolve(new FolderSource(objects.folder));
    const key = JSON.stringify(objects);
    const opened = this.#sources.get(key) ?? this.#parts.openBucket(objects);
    this.#sources.set(key, opened);
    opened.catch(() => this.#sources.delete(key));
    return opened;
  }

  #restic(configuration: ExternalConfiguration, signal: AbortSignal): ResticAccess {
    return { keys: this.keys(configuration, signal), resolveSecret: this.#parts.resolveSecret, signal };
  }
}

function objectsOf({ objects }: ExternalConfiguration): ObjectsConfiguration {
  if (objects !== undefined) return objects;
  throw new StepFault('internal', 'The configuration does not say where the bytes are.');
}

export function configurationOf(resource: Resource): ExternalConfiguration {
  return parseExternalConfiguration(resource.configuration);
}
