import { HoldfastError } from '../../core/errors.ts';
import type { ExternalSnapshot, ExternalSnapshots } from '../../core/ports/external-snapshots.ts';
import type { DownloadChoice, DownloadMaterial } from '../../core/ports/service-download.ts';
import type { Resource } from '../../core/resource.ts';
import { ANY_OFFER, type Content, configuredOffer, contentOf, type Offer, offerOf } from './content-detection.ts';
import type { DecodedStream } from './decoding/decode.ts';
import type { FoundBackup } from './finding/found-backup.ts';
import { materialOf, type SqlOfArchive } from './material.ts';
import { configurationOf, type Origins } from './origin.ts';

/** As many are looked through for one that was not listed just before. */
const MOST_LOOKED_AT = 10_000;

interface Known {
  configuration: string;
  /** Of the last listing, by id. */
  found: ReadonlyMap<string, FoundBackup>;
  content?: Content;
  /** Which one was looked into to learn that, though it may not have been possible. */
  lookedInto?: string;
}

/** An opened backup of another tool. */
export interface OpenedSnapshot {
  content: Content;
  stream: DecodedStream;
}

/** Lists and opens what other tools keep, and remembers of each resource where its backups lie and what they are. */
export class Snapshots implements ExternalSnapshots {
  readonly #origins: Origins;
  readonly #sqlOfArchive: SqlOfArchive;
  readonly #known = new Map<string, Known>();

  constructor(origins: Origins, sqlOfArchive: SqlOfArchive) {
    this.#origins = origins;
    this.#sqlOfArchive = sqlOfArchive;
  }

  async list(
    resource: Resource,
    { limit, signal }: { limit: number; signal: AbortSignal },
  ): Promise<readonly ExternalSnapshot[]> {
    const found = await this.#find(resource, limit, signal);
    const [newest] = found;
    const { content, lookedInto } = this.#remembered(resource);
    if (newest !== undefined && content === undefined && lookedInto !== newest.id)
      await this.#learnContent(resource, newest, signal);
    return found.map(({ key: _key, ...snapshot }) => snapshot);
  }

  async open(
    resource: Resource,
    snapshot: ExternalSnapshot,
    { choice, signal, warn }: { choice?: DownloadChoice; signal: AbortSignal; warn(message: string): void },
  ): Promise<DownloadMaterial> {
    const { content, stream } = await this.openPlain(resource, snapshot, { signal, warn });
    try {
      const plain = { content, head: async () => stream.head, bytes: () => closing(stream) };
      return materialOf(plain, choice, { sqlOfArchive: this.#sqlOfArchive, signal });
    } catch (error) {
      await stream.close();
      throw error;
    }
  }

  formats(resource: Resource): Offer {
    const { content } = configurationOf(resource);
    const known = this.#remembered(resource).content;
    if (known !== undefined) return offerOf(known);
    return content === 'auto' ? ANY_OFFER : configuredOffer(content);
  }

  /** Opens one as it is inside. An abort ends all that was begun, whether anybody reads or not. */
  async openPlain(
    resource: Resource,
    snapshot: ExternalSnapshot,
    { signal, warn }: { signal: AbortSignal; warn(message: string): void },
  ): Promise<OpenedSnapshot> {
    const configuration = configurationOf(resource);
    const found = await this.#locate(resource, snapshot, signal);
    const stream = await this.#origins.open(configuration, found, { signal, warn });
    try {
      const content = contentOf(stream.head, configuration.content);
      this.#remember(resource, { content });
      return { content, stream: closedByAbort(stream, signal) };
    } catch (error) {
      await stream.close();
      throw error;
    }
  }

  async #find(resource: Resource, limit: number, signal: AbortSignal): Promise<readonly FoundBackup[]> {
    const found = await this.#origins.find(configurationOf(resource), limit, signal);
    this.#remember(resource, { found: new Map(found.map((each) => [each.id, each])) });
    return found;
  }

  async #locate(resource: Resource, { id }: ExternalSnapshot, signal: AbortSignal): Promise<FoundBackup> {
    const listed = this.#remembered(resource).found.get(id);
    if (listed !== undefined) return listed;
    const found = (await this.#find(resource, MOST_LOOKED_AT, signal)).find((each) => each.id === id);
    if (found !== undefined) return found;
    const message = `The backup ${id} of ${resource.id} is not kept any more. List those that are with GET /snapshots.`;
    throw new HoldfastError('not-found', 'external-snapshot-missing', message, {
      details: { resourceId: resource.id },
    });
  }

  /** What cannot be opened now is no fault of a listing; whoever opens it is told. */
  async #learnContent(resource: Resource, newest: FoundBackup, signal: AbortSignal): Promise<void> {
    this.#remember(resource, { lookedInto: newest.id });
    if (configurationOf(resource).content === 'bytes') return;
    const looking = new AbortController();
    const both = AbortSignal.any([signal, looking.signal]);
    try {
      const { stream } = await this.openPlain(resource, newest, { signal: both, warn: () => undefined });
      looking.abort();
      await stream.close();
    } catch {
      signal.throwIfAborted();
    }
  }

  #remembered(resource: Resource): Known {
    const configuration = JSON.stringify(resource.configuration);
    const known = this.#known.get(resource.id);
    return known?.configuration === configuration ? known : { configuration, found: new Map() };
  }

  #remember(resource: Resource, news: Partial<Omit<Known, 'configuration'>>): void {
    this.#known.set(resource.id, { ...this.#remembered(resource), ...news });
  }
}

/** One signal may be that of many streams, one after the other: it forgets those that are closed. */
function closedByAbort(stream: DecodedStream, signal: AbortSignal): DecodedStream {
  const close = (): Promise<void> => {
    signal.removeEventListener('abort', end);
    return stream.close();
  };
  const end = (): void => void close().catch(() => undefined);
  signal.addEventListener('abort', end, { once: true });
  if (signal.aborted) end();
  return { ...stream, close };
}

async function* closing(stream: DecodedStream): AsyncGenerator<Uint8Array> {
  try {
    yield* stream;
  } finally {
    await stream.close();
  }
}
