import { rm } from 'node:fs/promises';
import path from 'node:path';
import { resolveSecret } from '../src/config/resolve-secret.ts';
import type { Backup, BackupType } from '../src/core/backup.ts';
import type { Operation } from '../src/core/operation.ts';
import type { Service } from '../src/core/ports/service.ts';
import { createPostgresqlPhysicalService } from '../src/services/postgresql-physical/postgresql-physical-service.ts';
import { type ManagedApplication, openManagedApplication } from './managed-application.ts';
import { ClusterServer, ownedFolder } from './postgresql-cluster-server.ts';

const LONG = 180_000;

/** The real managers, engine and service with a real server. */
export class PhysicalRig {
  readonly server: ClusterServer;
  readonly managed: ManagedApplication;
  /** Where restores go; the servers' account owns it. */
  readonly folder: string;
  readonly service: Service;
  readonly #restored: ClusterServer[] = [];
  #resources = 0;

  private constructor(server: ClusterServer, managed: ManagedApplication, folder: string, service: Service) {
    this.server = server;
    this.managed = managed;
    this.folder = folder;
    this.service = service;
  }

  static async create(
    programs: string,
    options: {
      settings?: readonly string[];
      initdb?: readonly string[];
      parts?: NonNullable<Parameters<typeof openManagedApplication>[1]>['parts'];
    } = {},
  ): Promise<PhysicalRig> {
    const server = await ClusterServer.create(programs, options);
    const folder = await ownedFolder();
    const service = createPostgresqlPhysicalService(
      (reference) => resolveSecret(reference, process.env),
      (resourceId) => ['holdfast', 'wal-get', '--resource', resourceId],
    );
    const { parts } = options;
    const managed = await openManagedApplication(folder, {
      services: [service],
      ...(parts === undefined ? {} : { parts }),
    });
    return new PhysicalRig(server, managed, folder, service);
  }

  async resource(configuration: Readonly<Record<string, unknown>> = {}): Promise<string> {
    const id = `cluster-${++this.#resources}`;
    const whole = { connection: this.server.connection(), ...configuration };
    await this.managed.application.resources.put({ id, service: 'postgresql-physical', configuration: whole });
    return id;
  }

  start(resourceId: string, type: BackupType = 'full'): Promise<Operation> {
    return this.managed.application.backups.start({ resourceId, type, createdBy: 'test' });
  }

  ended(operation: { id: string }): Promise<Operation> {
    return this.managed.application.operations.wait(operation.id, LONG);
  }

  async backUp(resourceId: string, type: BackupType = 'full'): Promise<Backup> {
    const operation = await this.ended(await this.start(resourceId, type));
    if (operation.status !== 'completed') throw new Error(`${operation.error?.code}: ${operation.error?.message}`);
    return this.managed.application.backups.get(operation.backupId ?? '');
  }

  /** The ended operation of a restore, failed or not. */
  async restore({ id }: Backup, options: Readonly<Record<string, unknown>>): Promise<Operation> {
    const { restores } = this.managed.application;
    const { operation } = await restores.restore({ backupId: id, createdBy: 'test', options });
    return this.ended(operation);
  }

  place(name: string): string {
    return path.join(this.folder, name);
  }

  /** Starts a server in a restored data folder. */
  async startRestored(data: string): Promise<ClusterServer> {
    const server = await ClusterServer.restored(this.server.programs, data);
    this.#restored.push(server);
    await server.start();
    return server;
  }

  /** Replication connections and slots that the server has. */
  async leftovers(): Promise<Record<string, unknown>> {
    const [found] = await this.server.sql(
      `SELECT (SELECT count(*)::int FROM pg_stat_replication) + (SELECT count(*)::int FROM pg_stat_activity
         WHERE backend_type = 'walsender') AS senders, (SELECT count(*)::int FROM pg_replication_slots) AS slots`,
    );
    return found ?? {};
  }

  async remove(): Promise<void> {
    for (const each of this.#restored) await each.remove();
    await this.managed.application.close();
    await this.server.remove();
    await rm(this.folder, { recursive: true, force: true });
  }
}
