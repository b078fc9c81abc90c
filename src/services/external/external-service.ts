import type { Backup } from '../../core/backup.ts';
import { contentDownload, sha256Of, verifiedBytes } from '../../core/content-download.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { ChainLink } from '../../core/ports/chain-link.ts';
import type { BackupContext, Service, ServiceBackup } from '../../core/ports/service.ts';
import type { DownloadContext, DownloadMaterial } from '../../core/ports/service-download.ts';
import { parseExternalConfiguration } from './configuration.ts';
import { testExternal } from './connection-test.ts';
import { ANY_OFFER, type Content, isContent, type Offer, offerOf } from './content-detection.ts';
import { materialOf, type PlainBytes, type SqlOfArchive } from './material.ts';
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
    downloads: ANY_OFFER,
    downloadsOf: adoptedOffer,
    download: (context) => downloadAdopted(context, sqlOfArchive),
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
  sqlOfArchive: SqlOfArchive,
): Promise<DownloadMaterial> {
  const reader = chain.at(-1)?.reader;
  if (reader === undefined) throw new HoldfastError('internal', 'chain-empty', 'No snapshot was given to read from.');
  const sha256 = sha256Of(backup.checksum);
  const what = {
    ...{ reader, length: backup.size, name: `the bytes of backup ${backup.id}`, signal },
    ...(sha256 === undefined ? {} : { sha256 }),
  };
  const beginning = { offset: 0, length: Math.min(HEAD, backup.size) };
  const plain: PlainBytes = {
    content: contentOfAdopted(backup),
    head: () => gathered(verifiedBytes(what, beginning)),
    bytes: () => verifiedBytes(what),
    download: (kind) => contentDownload({ ...kind, ...what }),
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

/** Enough to see which version wrote an archive. Bytes. */
const HEAD = 64;

async function gathered(source: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  for await (const piece of source) pieces.push(Uint8Array.from(piece));
  return Buffer.concat(pieces);
}
