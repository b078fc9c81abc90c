import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, chown, lstat, mkdir, readdir, realpath, rename, rm, stat, statfs, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { HoldfastError, systemErrorCode } from '../../core/errors.ts';
import { syncFolder } from '../../process/sync-folder.ts';
import type { RecordedCluster } from './recorded-cluster.ts';
import { exchange, nameAside, requireReplaceable, requireStopped } from './replaced-folder.ts';
import type { RestoreOptions } from './restore-options.ts';
import type { FileOwner } from './restore-task.ts';

/** A folder that a restore fills: absent, or there and empty. */
interface FreeFolder {
  path: string;
  exists: boolean;
}

export interface TargetPlan {
  data: FreeFolder & {
    /** Another data folder is there, which gets this name when the restored one is complete. */
    aside?: string;
  };
  /** By OID. */
  tablespaces: ReadonlyMap<string, FreeFolder>;
  /** null: this process's own account */
  owner: FileOwner | null;
}

/**
 * Decides where all goes and makes sure that nothing is in the way; touches nothing.
 *
 * @throws HoldfastError `restore-target-in-use` (locked), `target-not-empty`, `target-not-a-folder`, `target-folder-missing`,
 * `targets-overlap`, `target-not-a-data-folder`, `target-is-mount-point` (conflict), `options-invalid`, `owner-unknown` (invalid)
 */
export async function planTarget(options: RestoreOptions, cluster: RecordedCluster): Promise<TargetPlan> {
  const data = await dataFolder(options);
  const tablespaces = new Map<string, FreeFolder>();
  for (const [oid, location] of tablespaceFolders(options, cluster))
    tablespaces.set(oid, await freeFolder(location, `tablespaces.${oid}`));
  refuseOverlap([data, ...tablespaces.values()].map((each) => each.path));
  return { data, tablespaces, owner: await ownerFor(options, data) };
}

function tablespaceFolders({ tablespaces }: RestoreOptions, cluster: RecordedCluster): Map<string, string> {
  const known = new Set(cluster.tablespaces.flatMap(({ oid, location }) => [oid, location]));
  const unknown = Object.keys(tablespaces).find((each) => !known.has(each));
  if (unknown !== undefined) {
    const have = cluster.tablespaces.map(({ oid, location }) => `${oid} (${location})`).join(', ') || 'none';
    const message = `\`tablespaces\` names "${unknown}", which this backup does not have. It has: ${have}.`;
    throw new HoldfastError('invalid', 'options-invalid', message);
  }
  return new Map(
    cluster.tablespaces.map(({ oid, location }) => [
      oid,
      path.resolve(tablespaces[oid] ?? tablespaces[location] ?? location),
    ]),
  );
}

/** The one to be made, and what becomes of another one that is there. */
async function dataFolder({ target, conflict }: RestoreOptions): Promise<TargetPlan['data']> {
  const { folder, names } = await lookAt(target, 'target');
  if (conflict === 'fail' || names === undefined || names.length === 0) return freeFolder(target, 'target');
  await requireReplaceable(folder);
  return { path: folder, exists: false, aside: await nameAside(folder, new Date()) };
}

async function freeFolder(given: string, option: string): Promise<FreeFolder> {
  const { folder, names } = await lookAt(given, option);
  if (names === undefined) return { path: folder, exists: false };
  if (names.length === 0) return { path: folder, exists: true };
  if (option === 'target') await requireStopped(folder);
  const advice =
    option === 'target'
      ? `name another place by \`target\`, or replace it by \`conflict: "replace"\``
      : `name another place by \`${option}\``;
  throw notEmpty(folder, `or ${advice}`);
}

/** @returns the folder behind symbolic links of its parent, and the names in it, if it is there */
async function lookAt(given: string, option: string): Promise<{ folder: string; names?: readonly string[] }> {
  const parent = await realpath(path.dirname(path.resolve(given))).catch(() => undefined);
  if (parent === undefined) {
    const message = `The folder ${path.dirname(given)}, in which ${given} would be made, does not exist. Make it, or name another place by \`${option}\`.`;
    throw new HoldfastError('conflict', 'target-folder-missing', message, { details: { path: given } });
  }
  const folder = path.join(parent, path.basename(path.resolve(given)));
  const status = await lstat(folder).catch(absent);
  if (status === undefined) return { folder };
  if (!status.isDirectory()) {
    const message = `${folder} exists and is no folder. Name another place by \`${option}\`; nothing was changed.`;
    throw new HoldfastError('conflict', 'target-not-a-folder', message, { details: { path: folder } });
  }
  return { folder, names: await readdir(folder) };
}

function notEmpty(folder: string, otherwise: string): HoldfastError {
  const message = `${folder} is not empty. Move it away (keep it until the restored server is proven to be good), ${otherwise}.`;
  return new HoldfastError('conflict', 'target-not-empty', message, { details: { path: folder } });
}

function refuseOverlap(folders: readonly string[]): void {
  for (const [index, inner] of folders.entries())
    for (const [other, outer] of folders.entries())
      if (index !== other && (inner === outer || inner.startsWith(`${outer}/`))) {
        const message = `${inner} lies in ${outer}, and both are to be made by this restore. Name places beside each other.`;
        throw new HoldfastError('conflict', 'targets-overlap', message);
      }
}

/** A server does not start as root, so files that root restores go to another account. */
async function ownerFor(
  { owner }: RestoreOptions,
  { path: target, aside }: TargetPlan['data'],
): Promise<FileOwner | null> {
  if (process.geteuid?.() !== 0) {
    if (owner === undefined) return null;
    const message = 'Only root can give files to another account. Leave `owner` away, or run Holdfast as root.';
    throw new HoldfastError('invalid', 'options-invalid', message);
  }
  if (owner !== undefined) return accountOf(String(owner));
  const { uid, gid } = await stat(aside === undefined ? path.dirname(target) : target);
  return uid === 0 ? accountOf('postgres') : { uid, gid };
}

async function accountOf(name: string): Promise<FileOwner> {
  const id = async (option: string): Promise<number> =>
    Number((await promisify(execFile)('id', [option, name])).stdout);
  try {
    const [uid, gid] = await Promise.all([id('-u'), id('-g')]);
    if (uid !== 0) return { uid, gid };
  } catch (cause) {
    const message = `There is no account "${name}" on this machine that could own the data folder. Name one by \`owner\`.`;
    throw new HoldfastError('invalid', 'owner-unknown', message, { cause });
  }
  const message = 'A PostgreSQL server does not run as root. Name another account by `owner`.';
  throw new HoldfastError('invalid', 'owner-unknown', message);
}

/** In a folder that was there before, tells other restores that it is taken. */
const CLAIM = 'holdfast-restore';

/** The folders of a restore while they are filled. */
export class TargetFolders {
  /** Where the data folder is written: beside the target until all is there, or in it where it exists. */
  readonly working: string;
  readonly #plan: TargetPlan;
  readonly #begun: FreeFolder[] = [];

  constructor(plan: TargetPlan) {
    const { path: target, exists } = plan.data;
    this.#plan = plan;
    this.working = exists ? target : `${target}.holdfast-${randomBytes(6).toString('hex')}`;
  }

  /** @throws HoldfastError `target-not-empty` (conflict): somebody else was faster */
  async make(): Promise<void> {
    for (const each of this.#folders()) {
      if (each.exists) await claim(each.path);
      else await mkdir(each.path, { mode: 0o700 });
      this.#begun.push(each);
      await this.#own(each.path);
    }
  }

  /**
   * Gives the data folder its name and makes that durable; one that is replaced is moved aside at this moment, and not before.
   * @throws HoldfastError `target-not-empty` (conflict), `restore-target-in-use` (locked)
   */
  async finish(): Promise<void> {
    const { data, tablespaces } = this.#plan;
    for (const each of this.#folders()) if (each.exists) await rm(path.join(each.path, CLAIM));
    for (const each of tablespaces.values()) await syncFolder(path.dirname(each.path));
    if (data.aside !== undefined) return exchange(this.working, data.path, data.aside);
    if (!data.exists) {
      const status = await lstat(data.path).catch(absent);
      if (status !== undefined) {
        const message = `${data.path} came while the restore ran. Move it away and restore again.`;
        throw new HoldfastError('conflict', 'target-not-empty', message);
      }
      await rename(this.working, data.path);
    }
    await syncFolder(path.dirname(data.path));
  }

  /** Removes what was written, after a failure; folders that were there stay, empty again. @returns those that resist */
  async remove(): Promise<string[]> {
    const left: string[] = [];
    for (const { path: folder, exists } of this.#begun) {
      try {
        if (!exists) await rm(folder, { recursive: true, force: true });
        else
          for (const name of await readdir(folder)) await rm(path.join(folder, name), { recursive: true, force: true });
      } catch {
        left.push(folder);
      }
    }
    return left;
  }

  #folders(): FreeFolder[] {
    const { data, tablespaces } = this.#plan;
    return [{ ...data, path: this.working }, ...tablespaces.values()];
  }

  async #own(folder: string): Promise<void> {
    await chmod(folder, 0o700);
    const { owner } = this.#plan;
    if (owner !== null) await chown(folder, owner.uid, owner.gid);
  }
}

/** A folder was empty when the restore was planned; what came since belongs to others, who would lose it if this one failed. */
async function claim(folder: string): Promise<void> {
  const file = path.join(folder, CLAIM);
  await writeFile(file, '', { flag: 'wx', mode: 0o600 }).catch((error: unknown) => {
    throw systemErrorCode(error) === 'EEXIST' ? notEmpty(folder, 'and restore again') : error;
  });
  if ((await readdir(folder)).length === 1) return;
  await rm(file);
  throw notEmpty(folder, 'and restore again');
}

/** @throws HoldfastError `target-space-short` (unavailable) */
export async function requireRoom({ data }: TargetPlan, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(path.dirname(data.path));
  const free = bavail * bsize;
  if (free >= bytes) return;
  const message = `The disk of ${data.path} has ${free} bytes left, and the restore needs ${bytes}. Make room, or restore to another place.`;
  throw new HoldfastError('unavailable', 'target-space-short', message, { details: { free, needed: bytes } });
}

function absent(error: unknown): undefined {
  if (systemErrorCode(error) === 'ENOENT') return undefined;
  throw error;
}
