import { execFileSync } from 'node:child_process';
import { chmod, readdir, rm } from 'node:fs/promises';
import path from 'node:path';
import type { Backup } from '../src/core/backup.ts';
import type { Drill, DrillCheck } from '../src/core/drill.ts';
import type { DrillRequest } from '../src/core/drill-request.ts';
import type { Operation } from '../src/core/operation.ts';
import type { Service } from '../src/core/ports/service.ts';
import { flip } from './flipped-bytes.ts';
import { bytesOf, type ManagedApplication, openManagedApplication, temporaryFolder } from './managed-application.ts';

const LONG = 300_000;

/** The real managers with drills whose folders lie in a folder of the rig. */
export class DrillRig {
  readonly folder: string;
  readonly managed: ManagedApplication;

  private constructor(folder: string, managed: ManagedApplication) {
    this.folder = folder;
    this.managed = managed;
  }

  static async create(services?: readonly Service[]): Promise<DrillRig> {
    const { folder } = await temporaryFolder();
    // Private servers run as another account, which must get through to its own folder.
    await chmod(folder, 0o711);
    return new DrillRig(folder, await openManagedApplication(folder, services === undefined ? {} : { services }));
  }

  post(resourceId: string, data: unknown, type: Backup['type'] = 'full'): Promise<Backup> {
    const input = bytesOf(data);
    const { backups } = this.managed.application;
    return backups.createPosted({ resourceId, type, service: 'document', input, createdBy: 'test' });
  }

  postStream(resourceId: string, content: Buffer): Promise<Backup> {
    async function* input() {
      yield content;
    }
    const { backups } = this.managed.application;
    return backups.createPosted({ resourceId, service: 'stream', input: input(), createdBy: 'test' });
  }

  async backUp(resourceId: string): Promise<Backup> {
    const { backups } = this.managed.application;
    const operation = await this.ended(await backups.start({ resourceId, createdBy: 'test' }));
    if (operation.status !== 'completed') throw new Error(`${operation.error?.code}: ${operation.error?.message}`);
    return backups.get(operation.backupId ?? '');
  }

  ended(operation: { id: string }): Promise<Operation> {
    return this.managed.application.operations.wait(operation.id, LONG);
  }

  /** The evidence of a drill, whatever it found, and its operation. */
  async drill(
    resourceId: string,
    request: Omit<DrillRequest, 'resourceId' | 'createdBy'> = {},
  ): Promise<{ drill: Drill; operation: Operation }> {
    return drillOf(this.managed, resourceId, request);
  }

  /** Flips a bit in every pack. */
  async damagePacks(): Promise<void> {
    const repository = path.join(this.folder, 'repository');
    for (const name of await readdir(path.join(repository, 'packs'), { recursive: true }))
      if (/[0-9a-f]{64}$/.test(name)) await flip(repository, path.join('packs', name), 300);
  }

  /** Folders of drills that are still there. */
  async leftovers(): Promise<string[]> {
    return (await readdir(this.folder)).filter((name) => name.startsWith('holdfast-drill-'));
  }

  async remove(): Promise<void> {
    await this.managed.application.close();
    // Only root can empty folders that nobody may write to.
    if (process.geteuid?.() !== 0) execFileSync('chmod', ['-R', 'u+rwX', this.folder]);
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** The evidence of a drill of any application, whatever it found, and its operation. */
export async function drillOf(
  { application }: Pick<ManagedApplication, 'application'>,
  resourceId: string,
  request: Omit<DrillRequest, 'resourceId' | 'createdBy'> = {},
): Promise<{ drill: Drill; operation: Operation }> {
  const { drills, operations } = application;
  const { id } = await drills.start({ resourceId, ...request, createdBy: 'test' });
  const operation = await operations.wait(id, LONG);
  return { drill: await drills.get(String(operation.result?.drillId)), operation };
}

export function check(drill: Drill, name: string): DrillCheck | undefined {
  return drill.checks.find((each) => each.name === name);
}

/** Outcomes of all checks, by name. */
export function outcomes({ checks }: Drill): string[] {
  return checks.map(({ name, outcome }) => `${name} ${outcome}`);
}
