import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { pino } from 'pino';
import { z } from 'zod';
import { serve } from '../src/adapters/http/serve.ts';
import { openSqliteCatalogue } from '../src/catalogue/sqlite/sqlite-catalogue.ts';
import type { Principal } from '../src/core/access.ts';
import type { Application } from '../src/core/application.ts';
import type { Backup } from '../src/core/backup.ts';
import { createApplication } from '../src/core/create-application.ts';
import { DEFAULT_DOWNLOADS, type DownloadConfiguration } from '../src/core/download.ts';
import type { Catalogue } from '../src/core/ports/catalogue.ts';
import type { Credentials } from '../src/core/ports/identity-provider.ts';
import type { ChainLink, Service } from '../src/core/ports/service.ts';
import type { DownloadContext, DownloadMaterial } from '../src/core/ports/service-download.ts';
import { createSqlSealer } from '../src/downloads/sql/sql-sealer.ts';
import { createDrillFolders } from '../src/process/drill-folders.ts';
import { createCopyOpener } from '../src/process/open-copies.ts';
import { createInProcessQueue } from '../src/queue/in-process/in-process-queue.ts';
import { createDocumentService } from '../src/services/document/document-service.ts';
import { createStreamService } from '../src/services/stream/stream-service.ts';
import { openStorage } from '../src/storage/local/local-storage.ts';
import { httpConfiguration } from './api-memory-application.ts';
import { TemporaryRepository } from './temporary-repository.ts';

/** Compresses well. */
export const PROSE = Buffer.from('The quick brown fox jumps over the lazy dog.\n'.repeat(20_000));

/** The whole service over HTTP, with services whose downloads are simple to tell apart. */
export interface DownloadRig {
  url: string;
  application: Application;
  catalogue: Catalogue;
  /** Who calls with `Authorization: Bearer NAME`; while it is empty, everybody is the local admin. */
  principals: Map<string, Principal>;
  controls: DumpControls;
  repositoryFolder: string;
  /** Adds to the clock. */
  advance(milliseconds: number): void;
  /** Stores bytes as a backup of a resource of streams. */
  upload(resourceId: string, bytes: Uint8Array | string): Promise<Backup>;
  /** Makes a resource whose backups are SQL, and a backup of it. */
  backUpSql(resourceId: string, rows: number): Promise<Backup>;
  /** The largest file of the repository. */
  largestPack(): Promise<string>;
  audits(action?: string): Promise<AuditFacts[]>;
  /** Ends HTTP as the service does at its end. */
  drain(graceMilliseconds?: number): Promise<void>;
  close(): Promise<void>;
}

export type AuditFacts = Awaited<ReturnType<Application['audit']['page']>>['items'][number];

/** What a test does to a dump on its way. */
export interface DumpControls {
  /** Process ids of children that give dumps now. */
  children: Set<number>;
  /** Materials that are being read now. */
  reading: number;
  /** Called with the bytes that a dump gave so far, before its next ones. */
  onBytes: (bytes: number, child: number) => Promise<void> | void;
  /** Says nothing of bytes before they come. */
  isReproducible: boolean;
}

export async function startDownloads(
  t: Pick<TestContext, 'after'>,
  options: { downloads?: Partial<DownloadConfiguration>; services?: readonly Service[]; folder?: string } = {},
): Promise<DownloadRig> {
  const folder = options.folder ?? (await mkdtemp(path.join(tmpdir(), 'holdfast-downloads-')));
  const temporary = await TemporaryRepository.create({}, path.join(folder, 'repository'));
  const catalogue = await openSqliteCatalogue({ file: path.join(folder, 'catalogue.sqlite') });
  const controls: DumpControls = { children: new Set(), reading: 0, onBytes: () => undefined, isReproducible: true };
  const principals = new Map<string, Principal>();
  const logger = pino({ level: process.env.HOLDFAST_TEST_LOG ?? 'silent' });
  let ahead = 0;
  const clock = { now: () => new Date(Date.now() + ahead) };
  const configuration = {
    ...httpConfiguration(),
    dataFolder: folder,
    repositories: [],
    copies: [],
    maxSnapshots: 100,
    maxChainLength: 50,
    trashDays: 7,
    operationDays: 90,
    downloads: { ...DEFAULT_DOWNLOADS, defaultVariant: 'raw' as const, ...options.downloads },
  };
  const { repository } = temporary;
  const queue = createInProcessQueue(catalogue.operations, 'test');
  const { application: created, run } = createApplication({
    configuration,
    catalogue,
    logger,
    queue,
    clock,
    repositories: [{ id: 'default', repository, ping: async () => undefined, close: () => repository.close() }],
    copies: createCopyOpener({
      openStorage: ({ storage }) => openStorage(storage.options),
      keyProvider: () => temporary.provider,
      createKeyFile: async () => undefined,
      clock,
    }),
    services: [
      createDocumentService({ documentLimitBytes: 1 << 26, documentDepthLimit: 200, maxChainLength: 50 }),
      downloadableStreams(controls),
      sqlDumps(controls),
      ...(options.services ?? []),
    ],
    sealer: createSqlSealer(),
    notifier: { notify: async () => undefined },
    version: '1.2.3',
    owner: 'test',
    isAlive: () => true,
    drillFolders: createDrillFolders({ owner: 'test', isAlive: () => true, parent: folder }),
    environment: { host: 'test' },
  });
  const application: Application = {
    ...created,
    access: {
      ...created.access,
      credentialsExist: async () => principals.size > 0,
      identify: async (credentials: Credentials) =>
        credentials.kind === 'bearer' ? principals.get(credentials.token) : undefined,
    },
  };
  await queue.start(run);
  const running = await serve(application, configuration, logger);
  let closing: Promise<void> | undefined;
  const close = async () => {
    await running.close(0);
    await application.close(0);
    await rm(folder, { recursive: true, force: true });
  };
  t.after(() => {
    closing ??= close();
    return closing;
  });
  return {
    ...{ url: running.url, application, catalogue, principals, controls, repositoryFolder: temporary.folder },
    advance: (milliseconds) => {
      ahead += milliseconds;
    },
    upload: (resourceId, bytes) =>
      application.backups.createPosted({
        resourceId,
        service: 'stream',
        input: (async function* () {
          yield Buffer.from(bytes);
        })(),
        createdBy: 'test',
      }),
    async backUpSql(resourceId, rows) {
      await application.resources.put({ id: resourceId, service: 'sql-dump', configuration: { rows } });
      const { id } = await application.backups.start({ resourceId, createdBy: 'test' });
      const ended = await application.operations.wait(id, 60_000);
      return application.backups.get(ended.backupId ?? '');
    },
    largestPack: () => largestFile(path.join(temporary.folder, 'packs')),
    audits: async (action = 'download.get') =>
      [...(await application.audit.page({ action }, { limit: 100 })).items].reverse(),
    drain: (graceMilliseconds) => running.close(graceMilliseconds),
    close: () => {
      closing ??= close();
      return closing;
    },
  };
}

/** Streams, given as they are. */
function downloadableStreams(controls: DumpControls): Service {
  const streams = createStreamService();
  return Object.assign(streams, {
    downloads: { formats: ['bytes'] as const },
    download: async ({ backup, chain, signal }: DownloadContext): Promise<DownloadMaterial> => ({
      format: 'bytes',
      mediaType: 'application/octet-stream',
      fileExtension: '.bin',
      isReproducible: controls.isReproducible,
      acceptsRanges: true,
      length: backup.size,
      sha256: backup.checksum.replace('sha256:', ''),
      bytes: (range) => watched(controls, range === undefined ? streams.read!(chain, signal) : ranged(chain, range)),
    }),
  });
}

async function* ranged(chain: readonly ChainLink[], range: { offset: number; length: number }) {
  yield* chain.at(-1)!.reader.read(undefined, range);
}

async function* watched(
  controls: DumpControls,
  bytes: AsyncIterable<Uint8Array>,
  child = 0,
): AsyncGenerator<Uint8Array> {
  controls.reading++;
  let given = 0;
  try {
    for await (const piece of bytes) {
      await controls.onBytes(given, child);
      given += piece.length;
      yield piece;
    }
  } finally {
    controls.reading--;
  }
}

const DUMP = z.strictObject({ rows: z.number().int().min(0) });

/** A service whose dumps are SQL, and pass through a child process on their way to whoever downloads them. */
function sqlDumps(controls: DumpControls): Service {
  return {
    name: 'sql-dump',
    description: 'Rows of a table.',
    contentKind: 'stream',
    backupTypes: ['full'],
    source: 'fetched',
    downloads: { formats: ['sql'], dialect: 'postgresql' },
    parseConfiguration: (configuration) => DUMP.parse(configuration),
    async backup({ resource, writer }) {
      const stored = await writer.writeStream(dumpOf(DUMP.parse(resource.configuration).rows));
      return {
        type: 'full',
        root: stored.root,
        size: stored.length,
        checksum: `sha256:${stored.sha256}`,
        isDelta: false,
        readBytes: stored.length,
        sourceBytes: stored.length,
        serviceData: {},
      };
    },
    restore: async () => ({ report: {} }),
    download: async ({ chain, signal }) => ({
      format: 'sql',
      dialect: 'postgresql',
      mediaType: 'application/sql; charset=utf-8',
      fileExtension: '.sql',
      isReproducible: controls.isReproducible,
      acceptsRanges: false,
      bytes: () => throughChild(controls, chain.at(-1)!.reader.read(), signal),
    }),
  };
}

async function* dumpOf(rows: number): AsyncGenerator<Uint8Array> {
  yield Buffer.from(
    '--\n-- PostgreSQL database dump\n--\n\nCREATE TABLE public.shop_orders (id integer, note text);\nCOPY public.shop_orders (id, note) FROM stdin;\n',
  );
  for (let at = 0; at < rows; at += 1000) {
    const lines = Array.from({ length: Math.min(1000, rows - at) }, (_, row) => `${at + row}\t${noteOf(at + row)}\n`);
    yield Buffer.from(lines.join(''));
  }
  yield Buffer.from('\\.\n\n--\n-- PostgreSQL database dump complete\n--\n\n');
}

/** Does not compress to nothing. */
function noteOf(row: number): string {
  return `${(row * 2654435761) % 4294967296}-${((row + 7) * 40503) % 65536}`.repeat(6);
}

async function* throughChild(
  controls: DumpControls,
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const child = spawn('cat', { stdio: ['pipe', 'pipe', 'ignore'] });
  const ended = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
  const { pid = 0 } = child;
  controls.children.add(pid);
  const stop = () => void child.kill('SIGKILL');
  signal.addEventListener('abort', stop, { once: true });
  child.stdin.on('error', () => undefined);
  let failure: unknown;
  const feeding = (async () => {
    try {
      for await (const piece of source)
        if (!child.stdin.write(piece)) await Promise.race([once(child.stdin, 'drain'), ended]);
      child.stdin.end();
    } catch (error) {
      // What was fed so far comes out, so that a download fails on its way and not before.
      failure = error;
      child.stdin.end();
    }
  })();
  try {
    yield* watched(controls, child.stdout, pid);
    const [code, signalCode] = await ended;
    await feeding;
    if (failure !== undefined) throw failure;
    if (code !== 0) throw new Error(`cat ended with ${code ?? signalCode}`);
  } finally {
    stop();
    await ended;
    await feeding;
    controls.children.delete(pid);
    signal.removeEventListener('abort', stop);
  }
}

async function largestFile(folder: string): Promise<string> {
  const names = await readdir(folder, { recursive: true });
  const files = await Promise.all(
    names.map(async (name) => ({ file: path.join(folder, name), facts: await stat(path.join(folder, name)) })),
  );
  return files.filter(({ facts }) => facts.isFile()).sort((a, b) => b.facts.size - a.facts.size)[0]!.file;
}
