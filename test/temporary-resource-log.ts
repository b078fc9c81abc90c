import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { openSqliteCatalogue } from '../src/catalogue/sqlite/sqlite-catalogue.ts';
import type { Catalogue } from '../src/core/ports/catalogue.ts';
import type { ResourceLog } from '../src/core/ports/resource-log.ts';
import { RepositoryRegistry } from '../src/core/repository-registry.ts';
import type { Resource } from '../src/core/resource.ts';
import { RepositoryResourceLog } from '../src/core/resource-log-store.ts';
import { TemporaryRepository } from './temporary-repository.ts';

/** A resource with a log in a real repository with a real catalogue. */
export class TemporaryResourceLog {
  readonly resource: Resource;
  readonly log: ResourceLog;
  readonly #folder: string;
  readonly #catalogue: Catalogue;
  readonly #repository: TemporaryRepository;

  private constructor(resource: Resource, folder: string, catalogue: Catalogue, repository: TemporaryRepository) {
    this.resource = resource;
    this.#folder = folder;
    this.#catalogue = catalogue;
    this.#repository = repository;
    const nothing = () => Promise.resolve();
    const open = { id: 'default', repository: repository.repository, ping: nothing, close: nothing };
    const parts = { catalogue, repositories: new RepositoryRegistry([open]), clock: { now: () => new Date() } };
    this.log = new RepositoryResourceLog(parts, resource.id);
  }

  static async create(configuration: Record<string, unknown>): Promise<TemporaryResourceLog> {
    const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-log-'));
    const catalogue = await openSqliteCatalogue({ file: path.join(folder, 'catalogue.sqlite') });
    const now = new Date().toISOString();
    const resource: Resource = {
      id: 'shop',
      type: 'postgresql',
      service: 'postgresql-physical',
      configuration,
      repositoryId: 'default',
      createdAt: now,
      updatedAt: now,
    };
    await catalogue.resources.put(resource);
    return new TemporaryResourceLog(resource, folder, catalogue, await TemporaryRepository.create({}));
  }

  async remove(): Promise<void> {
    await this.#catalogue.close();
    await this.#repository.remove();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
