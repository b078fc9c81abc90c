import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { ResourceLog } from '../src/core/ports/resource-log.ts';
import type { Resource } from '../src/core/resource.ts';
import { type ManagedApplication, openManagedApplication } from './managed-application.ts';

/** A resource with a log in a real repository with a real catalogue; nobody follows it but the test. */
export class TemporaryResourceLog {
  readonly resource: Resource;
  readonly log: ResourceLog;
  readonly #folder: string;
  readonly #managed: ManagedApplication;

  private constructor(resource: Resource, folder: string, managed: ManagedApplication) {
    this.resource = resource;
    this.#folder = folder;
    this.#managed = managed;
    this.log = managed.application.logs.of(resource.id);
  }

  static async create(configuration: Record<string, unknown>): Promise<TemporaryResourceLog> {
    const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-log-'));
    const managed = await openManagedApplication(folder);
    const now = new Date().toISOString();
    const about = { type: 'postgresql', service: 'postgresql-physical', configuration, repositoryId: 'default' };
    const resource: Resource = { id: 'shop', ...about, createdAt: now, updatedAt: now };
    await managed.catalogue.resources.put(resource);
    return new TemporaryResourceLog(resource, folder, managed);
  }

  async remove(): Promise<void> {
    await this.#managed.application.close();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
