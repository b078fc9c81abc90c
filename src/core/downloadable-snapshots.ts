import { adoptedBackups } from './adoption.ts';
import type { Backup } from './backup.ts';
import type { Snapshot } from './download.ts';
import type { ManagerContext } from './manager-context.ts';
import { inParallel } from './parallel-work.ts';
import type { ExternalSnapshot, ExternalSnapshots } from './ports/external-snapshots.ts';
import type { Resource } from './resource.ts';
import { coverResource } from './resource-pattern.ts';

/** A snapshot and what it is opened by. */
export type FoundSnapshot = Snapshot & ({ backup: Backup } | { external: ExternalSnapshot; resource: Resource });

/** Which snapshots are wanted: of one resource, or of those that patterns name. */
export interface SnapshotFilter {
  resourceId?: string;
  /** Ids or patterns ending in `*`; undefined: all. */
  resources?: readonly string[];
  /** RFC 3339, UTC with milliseconds: only those that were created then or later. */
  notBefore?: string;
  /** Only those before this one, in the order of time. */
  before?: { createdAt: string; id: string };
  /** RFC 3339, UTC with milliseconds: only those that were complete by then. */
  completeBy?: string;
}

/** Backups that are read from the catalogue at once. */
const PAGE = 50;
/** Of each resource whose backups another tool keeps. */
const MOST_EXTERNAL = 1000;
/** Other tools' places that are asked at once: each may be a program that takes a good part of a processor and its memory. */
const MOST_ASKED = 16;

/** What can be downloaded at all: backups that are complete and undamaged, down to what they build on, and what other tools keep. */
export class DownloadableSnapshots {
  readonly #context: ManagerContext;

  constructor(context: ManagerContext) {
    this.#context = context;
  }

  /** Newest first. What another tool keeps is asked for once, before the first one. */
  async *newestFirst(filter: SnapshotFilter, signal: AbortSignal): AsyncGenerator<FoundSnapshot> {
    const external = (await this.#external(filter, signal)).filter((snapshot) => isWanted(snapshot, filter));
    external.sort(newestFirst);
    let next = external.shift();
    for await (const snapshot of this.#ofRepositories(filter)) {
      for (; next !== undefined && newestFirst(next, snapshot) < 0; next = external.shift()) yield next;
      yield snapshot;
    }
    for (; next !== undefined; next = external.shift()) yield next;
  }

  /** The one of a resource that has this id. */
  async get(resourceId: string, id: string, signal: AbortSignal): Promise<FoundSnapshot | undefined> {
    const backup = await this.#context.catalogue.backups.get(id);
    const found = backup?.resourceId === resourceId ? await this.#ofBackup(backup) : undefined;
    if (found !== undefined) return found;
    return (await this.#external({ resourceId }, signal)).find((snapshot) => snapshot.id === id);
  }

  /** Resources that have something to download, or may have, in the order of their ids. */
  async *resources(): AsyncGenerator<Resource> {
    let cursor: string | undefined;
    do {
      const page = await this.#context.catalogue.resources.page({
        limit: PAGE,
        ...(cursor === undefined ? {} : { cursor }),
      });
      for (const resource of page.items) if (this.#isDownloadable(resource)) yield resource;
      cursor = page.nextCursor;
    } while (cursor !== undefined);
  }

  #isDownloadable({ service }: Resource): boolean {
    const found = this.#context.services.find(service);
    return found?.downloads !== undefined || found?.externalSnapshots !== undefined;
  }

  async *#ofRepositories(filter: SnapshotFilter): AsyncGenerator<FoundSnapshot> {
    const until = earliest(filter.before?.createdAt, filter.completeBy);
    const wanted = {
      ...(filter.resourceId === undefined ? {} : { resourceId: filter.resourceId }),
      ...(filter.resources === undefined ? {} : { resources: filter.resources }),
      ...(filter.notBefore === undefined ? {} : { from: filter.notBefore }),
      // The bound is exclusive, and several may have been created in that millisecond.
      ...(until === undefined ? {} : { until: new Date(Date.parse(until) + 1).toISOString() }),
    };
    let cursor: string | undefined;
    do {
      const page = { limit: PAGE, ...(cursor === undefined ? {} : { cursor }) };
      const { items, nextCursor } = await this.#context.catalogue.backups.page(wanted, page);
      for (const backup of items) {
        const found = await this.#ofBackup(backup);
        if (found !== undefined && isWanted(found, filter)) yield found;
      }
      cursor = nextCursor;
    } while (cursor !== undefined);
  }

  async #ofBackup(backup: Backup): Promise<FoundSnapshot | undefined> {
    const { id, resourceId, resourceType, createdAt, completedAt, service, statistics } = backup;
    // A delta's own size says nothing of the document.
    const size = backup.chainLength > 0 ? statistics.contentBytes : backup.size;
    const its = this.#context.services.find(service);
    const downloads = its?.downloadsOf?.(backup) ?? its?.downloads;
    if (downloads === undefined || !(await this.#isWhole(backup))) return undefined;
    return {
      ...{ id, resourceId, resourceType, origin: 'repository', createdAt, completedAt },
      ...(size === undefined ? {} : { size }),
      ...downloads,
      backup,
    };
  }

  /** What a repair made of a damaged backup lacks something, and says so. */
  async #isWhole(backup: Backup): Promise<boolean> {
    for (let link: Backup | undefined = backup; ; ) {
      if (link === undefined || link.status !== 'completed') return false;
      if (link.log !== undefined || link.derivedFrom !== undefined) return false;
      if (link.chainLength === 0 || link.parentId === undefined) return true;
      link = await this.#context.catalogue.backups.get(link.parentId);
    }
  }

  async #external(filter: SnapshotFilter, signal: AbortSignal): Promise<FoundSnapshot[]> {
    const { resources } = this.#context.catalogue;
    const named = filter.resourceId === undefined ? undefined : await resources.get(filter.resourceId);
    const candidates =
      filter.resourceId === undefined ? await this.#externalResources() : named === undefined ? [] : [named];
    const covered = candidates.filter(({ id }) => isCovered(id, filter.resources));
    const found = await inParallel(covered, { most: MOST_ASKED, signal }, (resource) =>
      this.#elsewhere(resource, signal).catch((error: unknown) => {
        if (filter.resourceId !== undefined || signal.aborted) throw error;
        // One tool's server that is down must not hide what all the others have.
        const facts = { err: error, resourceId: resource.id };
        this.#context.logger.error(facts, 'the backups of another tool could not be listed');
        return [];
      }),
    );
    return found.flat();
  }

  /** What another tool keeps and is not in the repository: from there it is the same, and verified. */
  async #elsewhere(resource: Resource, signal: AbortSignal): Promise<FoundSnapshot[]> {
    const source = this.#context.services.find(resource.service)?.externalSnapshots;
    if (source === undefined) return [];
    const [adopted, found] = await Promise.all([
      adoptedBackups(this.#context, resource.id),
      listed(source, resource, signal),
    ]);
    return found.filter(({ id }) => adopted.get(id)?.status !== 'completed');
  }

  async #externalResources(): Promise<readonly Resource[]> {
    if (!this.#context.services.all().some(({ externalSnapshots }) => externalSnapshots !== undefined)) return [];
    return Array.fromAsync(this.resources());
  }
}

async function listed(source: ExternalSnapshots, resource: Resource, signal: AbortSignal): Promise<FoundSnapshot[]> {
  const { id: resourceId, type: resourceType } = resource;
  const snapshots = await source.list(resource, { limit: MOST_EXTERNAL, signal });
  const offered = source.formats(resource);
  return snapshots.map((external) => ({
    ...{ id: external.id, resourceId, resourceType, origin: 'external' as const },
    ...{ createdAt: inUtc(external.createdAt), completedAt: inUtc(external.createdAt) },
    ...offered,
    ...{ external, resource },
  }));
}

function isCovered(resourceId: string, patterns: readonly string[] | undefined): boolean {
  return patterns === undefined || coverResource(patterns, resourceId);
}

function isWanted(snapshot: FoundSnapshot, { before, completeBy, notBefore }: SnapshotFilter): boolean {
  if (notBefore !== undefined && snapshot.createdAt < notBefore) return false;
  if (completeBy !== undefined && snapshot.completedAt > completeBy) return false;
  return before === undefined || newestFirst(before, snapshot) < 0;
}

type Moment = Pick<Snapshot, 'createdAt' | 'id'>;

function newestFirst(a: Moment, b: Moment): number {
  if (a.createdAt !== b.createdAt) return a.createdAt > b.createdAt ? -1 : 1;
  if (a.id === b.id) return 0;
  return a.id > b.id ? -1 : 1;
}

function earliest(...times: readonly (string | undefined)[]): string | undefined {
  return times.filter((time) => time !== undefined).sort()[0];
}

function inUtc(time: string): string {
  return new Date(time).toISOString();
}
