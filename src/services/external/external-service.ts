import type { Backup } from '../../core/backup.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { ChainLink } from '../../core/ports/chain-link.ts';
import type { BackupContext, Service, ServiceBackup } from '../../core/ports/service.ts';
import type { DownloadContext, DownloadMaterial } from '../../core/ports/service-download.ts';
import { parseExternalConfiguration } from './configuration.ts';
import { testExternal } from './connection-test.ts';
import { type Content, isContent, type Offer, offerOf } from './content-detection.ts';
import { materialOf, type SqlOfArchive } from './material.ts';
import { type OriginParts, Origins } from './origin.ts';
import { Snapshots } from './snapshots.ts';

export interface ExternalServiceParts extends OriginParts {
  /** What keeps adopted backups: they are streams like any other. */
  stream: Service;
  sqlOfArchive: SqlOfArchive;
}

/**
 * Resources whose backups another tool makes and keeps: lists them, gives them to developers, decrypted and decompressed, and *adopts*
 * them into the repository, where they are deduplicated, kept by a policy and drilled.
 */
export function createExternalService(parts: ExternalServiceParts): Service {
  const { stream, sqlOfArchive } = parts;
  const origins = new Origins(parts);
  const snapshots = new Snapshots(origins, sqlOfArchive);
  return {
    name: 'external',
    description: 'Backups that another tool makes: found, decrypted, given to developers, adopted into the repository.',
    contentKind: 'stream',
    backupTypes: ['full'],
    source: 'fetched',
    mediaType: 'application/octet-stream',
    parseConfiguration: parseExternalConfiguration,
    externalSnapshots: snapshots,
    backup: (context) => adopt(context, snapshots),
    restore: (context) => stream.restore(context),
    read: (chain, signal, options) => readStream(stream, chain, signal, options),
    downloads: { formats: ['bytes', 'sql', 'custom', 'sqlite', 'tar'] },
    downloadsOf: adoptedOffer,
    download: (context) => downloadAdopted(context, stream, sqlOfArchive),
    test: (context) => testExternal(context, origins),
    ...(stream.drill === undefined ? {} : { drill: stream.drill.bind(stream) }),
    ...(stream.parseAssertions === undefined ? {} : { parseAssertions: stream.parseAssertions.bind(stream) }),
  };
}

async function adopt(context: BackupContext, snapshots: Snapshots): Promise<ServiceBackup> {
  const { resource, external, writer, signal, report, warn } = context;
  if (external === undefined)
    throw new HoldfastError(
      'internal',
      'external-missing',
      'A backup of another tool was to be adopted, and none named.',
    );
  const { content, stream } = await snapshots.openPlain(resource, external, { signal, warn });
  try {
    const { length, sha256, root } = await writer.writeStream(stream, {
      onBytes: (doneBytes) => report({ percent: 0, phase: 'adopting', doneBytes, current: external.createdAt }),
    });
    return {
      ...{ type: 'full', root, size: length, checksum: `sha256:${sha256}`, isDelta: false },
      ...{ readBytes: length, sourceBytes: length, externalContent: content },
      serviceData: {
        external: { id: external.id, createdAt: external.createdAt },
        ...{ content, encryption: stream.encryption, compression: stream.compression },
        ...(external.storedSize === undefined ? {} : { storedSize: external.storedSize }),
      },
    };
  } finally {
    await stream.close();
  }
}

function adoptedOffer(backup: Backup): Offer {
  return offerOf(contentOfAdopted(backup));
}

function contentOfAdopted({ external }: Backup): Content {
  return isContent(external?.content) ? external.content : 'bytes';
}

async function downloadAdopted(
  { backup, chain, choice, signal }: DownloadContext,
  stream: Service,
  sqlOfArchive: SqlOfArchive,
): Promise<DownloadMaterial> {
  const bytes = () => readStream(stream, chain, signal);
  const plain = {
    ...{ content: contentOfAdopted(backup), bytes, head: () => firstBytes(bytes()) },
    ...{ length: backup.size, sha256: backup.checksum.replace(/^sha256:/, '') },
  };
  return materialOf(plain, choice, { sqlOfArchive, signal });
}

function readStream(
  stream: Service,
  chain: readonly ChainLink[],
  signal: AbortSignal,
  options?: Parameters<NonNullable<Service['read']>>[2],
): AsyncIterable<Uint8Array> {
  const bytes = stream.read?.(chain, signal, options);
  if (bytes !== undefined) return bytes;
  throw new HoldfastError('internal', 'stream-unreadable', 'The service that keeps adopted backups reads none.');
}

async function firstBytes(source: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  for await (const piece of source) return Uint8Array.from(piece.subarray(0, 4096));
  return new Uint8Array();
}
