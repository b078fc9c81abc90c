import type { Stats } from 'node:fs';
import { lstat, readdir, readlink, realpath, stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { HoldfastError, systemErrorCode } from '../../core/errors.ts';
import type { ByteString } from '../../core/tree-entry.ts';

/** A file or folder that belongs into a base backup. */
export interface DataFolderFile {
  /** In the data folder; files of tablespaces are below `pg_tblspc/OID`. */
  path: ByteString;
  kind: 'file' | 'directory';
  /** Where it lies on this machine. */
  place: Buffer;
}

export interface DataFolderTablespace {
  oid: string;
  location: string;
}

/** What a walk came across besides. */
export interface DataFolderFindings {
  /** Those outside of the data folder. */
  tablespaces: DataFolderTablespace[];
  /** Links, sockets and the like, which are not backed up. */
  special: ByteString[];
}

/**
 * Finds what the server itself would send of a data folder: all but what it makes anew when it starts, what belongs to this run of it, and rows
 * that do not outlive a crash. `global/pg_control` is left to the caller, because it must be read last, and files of `pg_wal` too.
 * Source of the rules: src/backend/backup/basebackup.c of PostgreSQL, and its documentation, 25.3.4.
 */
export async function* dataFolderFiles(
  { folder, tablespaceVersion }: WalkedFolder,
  findings: DataFolderFindings,
): AsyncGenerator<DataFolderFile> {
  const tablespacesWithin = await pathsWithin(folder);
  yield* below(Buffer.from(folder), '', { findings, tablespaceVersion, tablespacesWithin });
}

export interface WalkedFolder {
  folder: string;
  /** `PG_15_202209061`: the folder in a tablespace that is this server's; others are of clusters before an upgrade. */
  tablespaceVersion: string;
}

interface Walk {
  findings: DataFolderFindings;
  tablespaceVersion: string;
  /** Paths of tablespaces that lie in the data folder itself; their files come below `pg_tblspc`. */
  tablespacesWithin: ReadonlySet<ByteString>;
}

async function pathsWithin(folder: string): Promise<ReadonlySet<ByteString>> {
  const links = Buffer.from(path.join(folder, 'pg_tblspc'));
  const bases = [folder, await realpath(folder)].map((base) => `${Buffer.from(base).toString('latin1')}/`);
  const found = new Set<ByteString>();
  for (const name of await namesIn(links)) {
    const location = await readlink(joined(links, name.toString('latin1')), { encoding: 'buffer' }).catch(
      () => undefined,
    );
    const text = location?.toString('latin1') ?? '';
    for (const base of bases) if (text.startsWith(base)) found.add(text.slice(base.length));
  }
  return found;
}

/** Whether a path in a tablespace belongs to another version. */
function isForeign(path: ByteString, { tablespaceVersion }: Walk): boolean {
  return TABLESPACE_CONTENT.test(path) && !path.endsWith(`/${tablespaceVersion}`);
}

async function* below(place: Buffer, prefix: ByteString, walk: Walk): AsyncGenerator<DataFolderFile> {
  const names = (await namesIn(place)).map((name) => name.toString('latin1'));
  const unlogged = isRelationFolder(prefix) ? unloggedRelations(names) : NONE;
  for (const name of names) {
    const inner = `${prefix}${name}`;
    if (isLeftOut(inner) || isForeign(inner, walk) || isUnlogged(name, unlogged)) continue;
    const at = joined(place, name);
    const found = await lstatOf(at);
    // It was removed meanwhile: WAL says so too.
    if (found === undefined) continue;
    if (found.isFile()) yield { path: inner, kind: 'file', place: at };
    else if (EMPTIED.has(inner)) yield* emptied(inner, at);
    else if (found.isDirectory()) {
      yield { path: inner, kind: 'directory', place: at };
      if (!walk.tablespacesWithin.has(inner)) yield* below(at, `${inner}/`, walk);
    } else if (found.isSymbolicLink() && TABLESPACE.test(inner)) yield* tablespace(inner, at, walk);
    else if (found.isSymbolicLink() && NEEDED.test(inner)) throw contentsElsewhere(inner);
    else walk.findings.special.push(inner);
  }
}

/** These folders, which may be links, are there with nothing in them. */
async function* emptied(path: ByteString, place: Buffer): AsyncGenerator<DataFolderFile> {
  yield { path, kind: 'directory', place };
  for (const name of path === 'pg_wal' ? ['archive_status', 'summaries'] : []) {
    const inner = joined(place, name);
    if ((await statOf(inner))?.isDirectory()) yield { path: `${path}/${name}`, kind: 'directory', place: inner };
  }
}

/** Of a tablespace only the folder of this server's version belongs to this cluster. */
async function* tablespace(path: ByteString, place: Buffer, walk: Walk): AsyncGenerator<DataFolderFile> {
  const location = await readlink(place, { encoding: 'buffer' }).catch(absentOr(undefined));
  if (location === undefined || !(await isThere(path, place, location.toString(), walk))) return;
  walk.findings.tablespaces.push({ oid: path.slice(path.indexOf('/') + 1), location: location.toString() });
  yield { path, kind: 'directory', place };
  yield* below(place, `${path}/`, walk);
}

/**
 * Whether a tablespace is there, and not being dropped: the server makes the folder of its version before the link and removes it before the
 * link. A link that stays without that folder leads to another place here than where the server runs.
 */
async function isThere(path: ByteString, place: Buffer, location: string, walk: Walk): Promise<boolean> {
  const inner = joined(place, walk.tablespaceVersion);
  for (let attempt = 0; attempt < MOST_LOOKS; attempt++) {
    if ((await lstatOf(inner))?.isDirectory()) return true;
    if ((await lstatOf(place)) === undefined) return false;
    await delay(PAUSE_MILLISECONDS);
  }
  throw tablespaceMissing(path, location, walk.tablespaceVersion);
}

/** In the order of their bytes. A folder that was removed meanwhile (of a dropped database) has none. */
async function namesIn(place: Buffer): Promise<Buffer[]> {
  const names = await readdir(place, { encoding: 'buffer' }).catch(absentOr([]));
  return names.sort(Buffer.compare);
}

const lstatOf = (place: Buffer): Promise<Stats | undefined> => lstat(place).catch(absentOr(undefined));
const statOf = (place: Buffer): Promise<Stats | undefined> => stat(place).catch(absentOr(undefined));

function absentOr<Value>(value: Value): (error: unknown) => Value {
  return (error) => {
    if (systemErrorCode(error) === 'ENOENT') return value;
    throw error;
  };
}

function joined(place: Buffer, name: ByteString): Buffer {
  return Buffer.concat([place, Buffer.from(path.sep), Buffer.from(name, 'latin1')]);
}

/** Whether a name never belongs into a base backup. */
function isLeftOut(path: ByteString): boolean {
  if (LEFT_OUT.has(path)) return true;
  const name = path.slice(path.lastIndexOf('/') + 1);
  if (name.startsWith('pgsql_tmp') || name.startsWith('pg_internal.init') || name === '.DS_Store') return true;
  return isRelationFolder(path.slice(0, -name.length)) && TEMPORARY.test(name);
}

const LEFT_OUT: ReadonlySet<ByteString> = new Set([
  'postgresql.auto.conf.tmp',
  'current_logfiles.tmp',
  'backup_label',
  'backup_label.old',
  'tablespace_map',
  'tablespace_map.old',
  'backup_manifest',
  'postmaster.pid',
  'postmaster.opts',
  'global/pg_control',
]);

const EMPTIED: ReadonlySet<ByteString> = new Set([
  'pg_dynshmem',
  'pg_notify',
  'pg_replslot',
  'pg_serial',
  'pg_snapshots',
  'pg_stat_tmp',
  'pg_subtrans',
  'pg_wal',
]);

/** Folders without whose contents no cluster is whole. */
const NEEDED = /^(?:base|global|pg_(?:commit_ts|logical|multixact|twophase|xact))(?:\/|$)|^pg_tblspc\/\d+\//;
const TABLESPACE = /^pg_tblspc\/\d+$/;
const TABLESPACE_CONTENT = /^pg_tblspc\/\d+\/[^/]+$/;
const RELATION_FOLDER = /^(?:base\/\d+|pg_tblspc\/\d+\/PG_[^/]+\/\d+)\/$/;
const TEMPORARY = /^t\d+_\d+(?:_(?:fsm|vm|init))?(?:\.\d+)?$/;
const FORK = /^(\d+)(?:_(fsm|vm|init))?(?:\.\d+)?$/;

function isRelationFolder(prefix: ByteString): boolean {
  return RELATION_FOLDER.test(prefix);
}

const NONE: ReadonlySet<string> = new Set();

/** Relations that have an initialisation fork are begun anew from it after a crash. */
function unloggedRelations(names: readonly string[]): ReadonlySet<string> {
  return new Set(names.flatMap((name) => (FORK.exec(name)?.[2] === 'init' ? [FORK.exec(name)?.[1] ?? ''] : [])));
}

function isUnlogged(name: string, unlogged: ReadonlySet<string>): boolean {
  const [, relation = '', fork] = FORK.exec(name) ?? [];
  return fork !== 'init' && unlogged.has(relation);
}

function tablespaceMissing(path: ByteString, location: string, version: string): HoldfastError {
  const message = `The tablespace ${location} (${path}) has no folder ${version} on this machine, so its tables cannot be read: it is not mounted here, or is another folder than the server's. Have it mounted at the same place here, or set \`transfer: replication\`; where SELECT oid FROM pg_tablespace does not name it, the link is a leftover to be removed. Nothing was backed up.`;
  return new HoldfastError('unavailable', 'postgresql-folder-unreadable', message, { details: { path } });
}

function contentsElsewhere(path: ByteString): HoldfastError {
  const name = Buffer.from(path, 'latin1').toString();
  const message = `${name} of the data folder is a link, which no base backup follows (the server's own leaves it out too), so its tables would be missing. Move what it leads to back into the data folder while the server is stopped, or make it a tablespace. Nothing was backed up.`;
  return new HoldfastError('unsupported', 'postgresql-folder-unreadable', message, { details: { path: name } });
}

const MOST_LOOKS = 50;
const PAUSE_MILLISECONDS = 20;
