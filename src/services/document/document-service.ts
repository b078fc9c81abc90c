import { z } from 'zod';
import type { BackupType } from '../../core/backup.ts';
import type { Assertion } from '../../core/drill.ts';
import { HoldfastError } from '../../core/errors.ts';
import { documentTooLarge } from '../../core/json-document.ts';
import type {
  BackupContext,
  ChainLink,
  RestoreContext,
  Service,
  ServiceBackup,
  ServiceRestore,
} from '../../core/ports/service.ts';
import type { DownloadContext, DownloadMaterial } from '../../core/ports/service-download.ts';
import type { DrillContext, DrillOutcome } from '../../core/ports/service-drill.ts';
import { plannedNames, servicePlan } from '../../core/restore-plan.ts';
import { DOCUMENT_FORMATS, downloadDocument } from './document-download.ts';
import { DocumentRunner } from './document-runner.ts';
import type { PreparedDocument, StoredLink } from './document-work.ts';
import { RecentDocuments } from './recent-documents.ts';

export interface DocumentServiceOptions {
  /** Largest document, bytes as posted. */
  documentLimitBytes: number;
  /** Deepest nesting of arrays and objects. */
  documentDepthLimit: number;
  /** Deltas in a row after which a full backup is made whatever was asked for. */
  maxChainLength: number;
  /** Memory for the documents that were backed up last, bytes; default 64 MiB. */
  recentBytes?: number;
}

/**
 * Backs up JSON that is posted. A full backup stores the canonical text (RFC 8785), the others the canonical text of a delta
 * (`delta.ts`) against the latest backup or the latest full one. The checksum is always the canonical document's, and every
 * document on the way of a restore is checked against its own.
 */
export function createDocumentService(options: DocumentServiceOptions): Service {
  return new DocumentService(options);
}

const RECENT_BYTES = 64 << 20;
/** Bytes that are handed on at once. */
const PIECE_BYTES = 1 << 20;
const SERVICE_DATA = z.object({ stored: z.enum(['document', 'delta']) });
const NOTHING = z.strictObject({});
const DOCUMENT_IS_WHOLE =
  'A document is restored without options: a damaged one cannot be restored in part, because nobody could tell what it says';

/** A document is handed back, and nothing is touched anywhere. */
function planned({ backup, chain }: RestoreContext): ServiceRestore {
  const created = plannedNames([`the document of ${backup.resourceId}, in the answer`]);
  return {
    plan: servicePlan({ created, bytes: backup.size }),
    report: { dryRun: true, deltas: chain.length - 1 },
  };
}

class DocumentService implements Service {
  readonly name = 'document';
  readonly description = 'JSON documents that are posted, with full, incremental and differential backups.';
  readonly contentKind = 'document';
  readonly backupTypes: readonly BackupType[] = ['full', 'incremental', 'differential'];
  readonly source = 'posted';
  readonly mediaType = 'application/json';
  readonly downloads = { formats: DOCUMENT_FORMATS };
  readonly #options: DocumentServiceOptions;
  readonly #runner = new DocumentRunner();
  readonly #recent: RecentDocuments;

  constructor(options: DocumentServiceOptions) {
    this.#options = options;
    this.#recent = new RecentDocuments(options.recentBytes ?? RECENT_BYTES);
  }

  parseConfiguration(configuration: unknown): Readonly<Record<string, unknown>> {
    return parseNothing(configuration, 'configuration-invalid', 'A document resource has no configuration');
  }

  /** @throws HoldfastError as `readJsonDocument` does for the input */
  async backup(context: BackupContext): Promise<ServiceBackup> {
    const { writer, signal } = context;
    const input = await this.#readInput(context);
    const inputBytes = input.byteLength;
    context.report({ percent: 20, phase: 'comparing', doneBytes: inputBytes, totalBytes: inputBytes });
    const chain = await this.#base(context);
    const limits = { limitBytes: this.#options.documentLimitBytes, depthLimit: this.#options.documentDepthLimit };
    const prepared = await this.#runner.prepare({ input, limits, chain }, signal);
    if (prepared.withoutDelta !== undefined) context.warn(madeFull(context.type, prepared.withoutDelta));

    const stored = prepared.delta ?? prepared.canonical;
    context.report({ percent: 60, phase: 'storing', doneBytes: inputBytes, totalBytes: inputBytes });
    const { root } = await writer.writeStream(inPieces(stored));
    this.#recent.put(writer.snapshotId, prepared.canonical);
    return {
      type: prepared.delta === undefined ? 'full' : context.type,
      root,
      size: stored.byteLength,
      checksum: prepared.checksum,
      isDelta: prepared.delta !== undefined,
      ...(prepared.delta === undefined ? {} : { contentBytes: prepared.canonical.byteLength }),
      readBytes: inputBytes,
      sourceBytes: inputBytes,
      serviceData: serviceDataOf(prepared, context.chain),
    };
  }

  async restore(context: RestoreContext): Promise<ServiceRestore> {
    const { dryRun, ...rest } = context.options;
    parseNothing(typeof dryRun === 'boolean' ? rest : context.options, 'options-invalid', DOCUMENT_IS_WHOLE);
    if (dryRun === true) return planned(context);
    const data = await this.#rebuild(context.chain, context.signal);
    context.report({ percent: 100, phase: 'verified', doneBytes: data.byteLength, totalBytes: data.byteLength });
    return {
      data,
      checksum: context.backup.checksum,
      report: { documentBytes: data.byteLength, deltas: context.chain.length - 1 },
    };
  }

  /** The canonical text. It is verified before its first byte is given. */
  async *read(chain: readonly ChainLink[], signal: AbortSignal): AsyncIterable<Uint8Array> {
    yield* inPieces(await this.#rebuild(chain, signal));
  }

  download(context: DownloadContext): Promise<DownloadMaterial> {
    return downloadDocument(context, () => this.#rebuild(context.chain, context.signal));
  }

  async drill(context: DrillContext): Promise<DrillOutcome> {
    const { drillDocument } = await import('./document-drill.ts');
    return drillDocument(context, () => this.#rebuild(context.chain, context.signal));
  }

  /** Loads what knows JSONPath. */
  async parseAssertions(assertions: readonly unknown[]): Promise<readonly Assertion[]> {
    const { parseDocumentAssertions } = await import('./document-assertions.ts');
    return parseDocumentAssertions(assertions);
  }

  async #rebuild(chain: readonly ChainLink[], signal: AbortSignal): Promise<Uint8Array> {
    const links: StoredLink[] = [];
    for (const link of chain) links.push(await readLink(link, signal));
    return this.#runner.rebuild(links, signal);
  }

  async #readInput(context: BackupContext): Promise<Uint8Array> {
    if (context.input === undefined) {
      throw new HoldfastError(
        'invalid',
        'document-empty',
        'A backup of a document needs the document. Post it as "data".',
      );
    }
    context.report({ percent: 0, phase: 'reading' });
    return gather(context.input, context.signal, this.#options.documentLimitBytes);
  }

  /** The chain to build a delta on, from the last link that is still in memory; empty if a full backup is to be made. */
  async #base(context: BackupContext): Promise<StoredLink[]> {
    const { type, chain, signal } = context;
    if (type === 'full' || chain.length === 0) return [];
    if (chain.length > this.#options.maxChainLength) {
      context.warn(madeFull(type, `The chain has reached its limit of ${this.#options.maxChainLength} deltas.`));
      return [];
    }
    try {
      return await this.#linksFromRecent(chain, signal);
    } catch (error) {
      if (!(error instanceof HoldfastError) || error.kind !== 'damaged') throw error;
      context.warn(madeFull(type, `The backup that it would build on cannot be read: ${error.message}`));
      return [];
    }
  }

  async #linksFromRecent(chain: readonly ChainLink[], signal: AbortSignal): Promise<StoredLink[]> {
    const links: StoredLink[] = [];
    for (const link of chain.toReversed()) {
      const { id: backupId, checksum } = link.backup;
      const bytes = this.#recent.get(backupId);
      if (bytes !== undefined) return [{ backupId, checksum, stored: 'document', bytes }, ...links];
      links.unshift(await readLink(link, signal));
    }
    return links;
  }
}

async function readLink({ backup, reader }: ChainLink, signal: AbortSignal): Promise<StoredLink> {
  const serviceData = SERVICE_DATA.safeParse(reader.record.serviceData);
  if (!serviceData.success) {
    const message = `The snapshot of backup ${backup.id} does not say whether it holds a document or a delta. Restore an earlier backup, and verify the repository.`;
    throw new HoldfastError('damaged', 'chain-broken', message, { details: { backupId: backup.id } });
  }
  const bytes = await gather(reader.read(), signal, Number.POSITIVE_INFINITY);
  return { backupId: backup.id, checksum: backup.checksum, stored: serviceData.data.stored, bytes };
}

/** @returns the bytes in memory of their own */
async function gather(source: AsyncIterable<Uint8Array>, signal: AbortSignal, limitBytes: number): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of source) {
    if (signal.aborted) throw new HoldfastError('cancelled', 'operation-cancelled', 'The operation was cancelled.');
    length += piece.byteLength;
    if (length > limitBytes) throw documentTooLarge(limitBytes);
    pieces.push(piece);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.byteLength;
  }
  return bytes;
}

async function* inPieces(bytes: Uint8Array): AsyncIterable<Uint8Array> {
  for (let at = 0; at < bytes.byteLength; at += PIECE_BYTES) yield bytes.subarray(at, at + PIECE_BYTES);
}

function serviceDataOf(prepared: PreparedDocument, chain: readonly ChainLink[]): Readonly<Record<string, unknown>> {
  const documentBytes = prepared.canonical.byteLength;
  if (prepared.delta === undefined) return { stored: 'document', documentBytes };
  return {
    stored: 'delta',
    documentBytes,
    deltaBytes: prepared.delta.byteLength,
    baseId: chain.at(-1)?.backup.id,
  };
}

function madeFull(asked: BackupType, reason: string): string {
  return `A full backup was made instead of ${asked === 'incremental' ? 'an' : 'a'} ${asked} one. ${reason}`;
}

function parseNothing(given: unknown, code: string, statement: string): Readonly<Record<string, unknown>> {
  const result = NOTHING.safeParse(given ?? {});
  if (result.success) return result.data;
  throw new HoldfastError('invalid', code, `${statement}. ${z.prettifyError(result.error)}`);
}
