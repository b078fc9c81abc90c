import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { resolveSecret } from '../src/config/resolve-secret.ts';
import type { Backup } from '../src/core/backup.ts';
import type { Operation } from '../src/core/operation.ts';
import { createPostgresqlService } from '../src/services/postgresql/postgresql-service.ts';
import { gather, type ManagedApplication, openManagedApplication } from './managed-application.ts';
import { PostgresqlServer } from './postgresql-server.ts';

const LONG = 120_000;

/** The real managers, engine and service with a real server. Temporary files of the service go to a folder of the rig. */
export class PostgresqlRig {
  readonly server: PostgresqlServer;
  readonly managed: ManagedApplication;
  readonly folder: string;
  #resources = 0;

  private constructor(server: PostgresqlServer, managed: ManagedApplication, folder: string) {
    this.server = server;
    this.managed = managed;
    this.folder = folder;
  }

  /** @param programs, clients of another server than the newest of this machine */
  static async create(
    parts: NonNullable<Parameters<typeof openManagedApplication>[1]>['parts'] = {},
    programs?: string,
    clients?: string,
  ): Promise<PostgresqlRig> {
    const server = await PostgresqlServer.start([], programs, clients);
    const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-rig-'));
    await mkdir(path.join(folder, 'tmp'));
    process.env.TMPDIR = path.join(folder, 'tmp');
    const service = createPostgresqlService((reference) => resolveSecret(reference, process.env));
    return new PostgresqlRig(server, await openManagedApplication(folder, { services: [service], parts }), folder);
  }

  /** Makes a resource and begins its backup. */
  async start(configuration: Readonly<Record<string, unknown>>): Promise<Operation> {
    const id = `pg-${++this.#resources}`;
    const { resources, backups } = this.managed.application;
    const whole = { connection: this.server.connection(), ...configuration };
    await resources.put({ id, service: 'postgresql', configuration: whole });
    return backups.start({ resourceId: id, createdBy: 'test' });
  }

  ended(operation: { id: string }): Promise<Operation> {
    return this.managed.application.operations.wait(operation.id, LONG);
  }

  async backUp(configuration: Readonly<Record<string, unknown>>): Promise<Backup> {
    const operation = await this.ended(await this.start(configuration));
    if (operation.status !== 'completed') throw new Error(`${operation.error?.code}: ${operation.error?.message}`);
    return this.managed.application.backups.get(operation.backupId ?? '');
  }

  async again(backup: Backup): Promise<Backup> {
    const { backups } = this.managed.application;
    const operation = await this.ended(await backups.start({ resourceId: backup.resourceId, createdBy: 'test' }));
    return backups.get(operation.backupId ?? '');
  }

  /** The ended operation of a restore, failed or not. */
  async restore({ id }: Backup, options: Readonly<Record<string, unknown>>): Promise<Operation> {
    const { restores } = this.managed.application;
    const { operation } = await restores.restore({ backupId: id, createdBy: 'test', options });
    return this.ended(operation);
  }

  /** The plain SQL of a backup. */
  async content({ id }: Backup): Promise<Buffer> {
    const { bytes } = await this.managed.application.backups.content(id, new AbortController().signal);
    return gather(bytes);
  }

  /** A file of the backup's tree. */
  async file({ id }: Backup, name: string): Promise<Buffer> {
    const reader = await this.managed.repository.openSnapshot(id);
    try {
      for await (const entry of reader.entries())
        if (entry.path === name) return await gather(reader.read(entry.content));
      throw new Error(`${name} is not there`);
    } finally {
      await reader.close();
    }
  }

  /** What a failed or cancelled operation must not leave behind. */
  async leftovers(): Promise<{ processes: string[]; files: string[]; databases: string[] }> {
    const found = await this.server.sql('postgres', `SELECT datname FROM pg_database WHERE datname LIKE 'holdfast%'`);
    const files = await readdir(path.join(this.folder, 'tmp'));
    return { processes: toolProcesses().map(({ name }) => name), files, databases: found.split('\n').filter(Boolean) };
  }

  async remove(): Promise<void> {
    await this.managed.application.close();
    delete process.env.TMPDIR;
    await this.server.remove();
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** The client tools that the service has started in this process and that still run. */
export function toolProcesses(): { pid: number; name: string }[] {
  const found: { pid: number; name: string }[] = [];
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const [, name = '', rest = ''] = /^\d+ \((.*)\) \S (.*)$/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8')) ?? [];
      const [parent, group] = rest.split(' ');
      // The service gives each tool a group of its own, the tests do not.
      const isOurs = Number(parent) === process.pid && group === pid;
      if (isOurs && /^(pg_dump|pg_dumpall|pg_restore|psql)$/.test(name)) found.push({ pid: Number(pid), name });
    } catch {
      // It ended meanwhile.
    }
  }
  return found;
}

export const NOTHING = { processes: [], files: [], databases: [] };

export function completed(operation: Operation): Operation {
  assert.equal(operation.error?.message, undefined);
  assert.equal(operation.status, 'completed');
  return operation;
}

export function failed({ status, error }: Operation, code: string, message: RegExp): void {
  assert.deepEqual({ status, ...error }, { status: 'failed', ...error, code });
  assert.match(error?.message ?? '', message);
}

/** Compares texts of many lines; tells only where they first differ. */
export function sameText(actual: string, expected: string): void {
  const [found, wanted] = [actual.split('\n'), expected.split('\n')];
  const at = wanted.findIndex((line, index) => line !== found[index]);
  if (at >= 0) assert.deepEqual(found.slice(Math.max(0, at - 3), at + 5), wanted.slice(Math.max(0, at - 3), at + 5));
  assert.equal(found.length, wanted.length);
}
