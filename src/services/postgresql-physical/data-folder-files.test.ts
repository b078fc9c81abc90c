import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { type DataFolderFindings, dataFolderFiles } from './data-folder-files.ts';

const FOLDERS = [
  'base/5',
  'global',
  'pg_wal/archive_status',
  'pg_wal/summaries',
  'pg_replslot/one',
  'pg_tblspc',
  'log',
];
const TABLESPACE_VERSION = 'PG_15_202209061';

const SENT = [
  'PG_VERSION',
  'base/5/1000',
  'base/5/1000.1',
  'base/5/1000_fsm',
  'base/5/2000_init',
  'base/5/2000_init.1',
  'base/5/pg_filenode.map',
  'global/1262',
  'log/today.log',
  'postgresql.auto.conf',
  'pg_tblspc/77/PG_15_202209061/5/3000',
];
const LEFT_OUT = [
  'postmaster.pid',
  'postmaster.opts',
  'backup_label.old',
  'tablespace_map',
  'backup_manifest',
  'postgresql.auto.conf.tmp',
  'base/5/2000',
  'base/5/2000.1',
  'base/5/2000_fsm',
  'base/5/t3_4000',
  'base/5/t3_4000_vm',
  'base/5/pg_internal.init',
  'base/pgsql_tmp/one',
  'global/pg_control',
  'global/pg_internal.init.123',
  'pg_wal/000000010000000000000001',
  'pg_replslot/one/state',
];

describe('the files of a data folder', () => {
  let parent: string;
  let folder: string;
  before(async () => {
    parent = await mkdtemp(path.join(tmpdir(), 'holdfast-data-folder-'));
    folder = path.join(parent, 'data');
    for (const each of FOLDERS) await mkdir(path.join(folder, each), { recursive: true });
    const elsewhere = path.join(parent, 'elsewhere');
    for (const each of [TABLESPACE_VERSION, 'PG_14_202107181'])
      await mkdir(path.join(elsewhere, each, '5'), { recursive: true });
    await symlink(elsewhere, path.join(folder, 'pg_tblspc/77'));
    await writeFile(path.join(elsewhere, 'PG_14_202107181/5/3000'), 'of before an upgrade');
    await mkdir(path.join(folder, 'base/pgsql_tmp'));
    for (const each of [...SENT, ...LEFT_OUT]) await writeFile(path.join(folder, each), '');
    await symlink('/etc', path.join(folder, 'linked'));
  });
  after(() => rm(parent, { recursive: true, force: true }));

  const found = async (): Promise<{ files: string[]; folders: string[]; findings: DataFolderFindings }> => {
    const findings: DataFolderFindings = { tablespaces: [], special: [] };
    const files: string[] = [];
    const folders: string[] = [];
    for await (const { path, kind } of dataFolderFiles({ folder, tablespaceVersion: TABLESPACE_VERSION }, findings))
      (kind === 'file' ? files : folders).push(path);
    return { files, folders, findings };
  };

  test('are those that the server sends: without what is of this run of it, temporary, or empty after a crash', async () => {
    const { files, folders } = await found();
    assert.deepEqual(files.sort(), [...SENT].sort());
    for (const each of ['pg_wal', 'pg_wal/archive_status', 'pg_wal/summaries', 'pg_replslot', 'pg_tblspc/77'])
      assert.ok(folders.includes(each), each);
    assert.ok(!folders.includes('pg_replslot/one') && !folders.includes('base/pgsql_tmp'));
  });

  test('include those of tablespaces, where of several versions only the server’s own counts; other links are told', async () => {
    const { folders, findings } = await found();
    assert.deepEqual(findings, {
      tablespaces: [{ oid: '77', location: path.join(parent, 'elsewhere') }],
      special: ['linked'],
    });
    assert.ok(!folders.some((each) => each.includes('PG_14')));
  });

  test('are refused where a tablespace is not on this machine, for its tables would be missing', async () => {
    const lost = path.join(folder, 'pg_tblspc/78');
    await symlink(path.join(parent, 'not mounted'), lost);
    await assert.rejects(found(), { code: 'postgresql-folder-unreadable', message: /not mounted.*transfer/ });
    // A folder of that name, as it may lie outside of the container that the server runs in.
    await mkdir(path.join(parent, 'not mounted'));
    await assert.rejects(found(), { code: 'postgresql-folder-unreadable', message: /no folder PG_15.*another folder/ });
    await rm(lost);
  });

  test('do without a tablespace that is dropped while they are looked for', async () => {
    const dropped = path.join(folder, 'pg_tblspc/79');
    await symlink(path.join(parent, 'dropped'), dropped);
    await mkdir(path.join(parent, 'dropped'));
    const looked = found();
    await setTimeout(100);
    await rm(dropped);
    assert.deepEqual(
      (await looked).findings.tablespaces.map(({ oid }) => oid),
      ['77'],
    );
  });

  test('are once there where a tablespace lies in the data folder, below `pg_tblspc`, as the server sends them', async () => {
    const within = path.join(folder, 'within');
    await mkdir(path.join(within, TABLESPACE_VERSION, '5'), { recursive: true });
    await writeFile(path.join(within, TABLESPACE_VERSION, '5/6000'), '');
    await symlink(within, path.join(folder, 'pg_tblspc/80'));
    const { files, folders } = await found();
    assert.deepEqual(
      files.filter((each) => each.endsWith('/6000')),
      [`pg_tblspc/80/${TABLESPACE_VERSION}/5/6000`],
    );
    assert.deepEqual(
      folders.filter((each) => each.startsWith('within')),
      ['within'],
    );
    await rm(path.join(folder, 'pg_tblspc/80'));
    await rm(within, { recursive: true });
  });

  test('are refused where a database is but a link to another place, which no base backup follows', async () => {
    await symlink('/etc', path.join(folder, 'base/6'));
    await assert.rejects(found(), { code: 'postgresql-folder-unreadable', message: /base\/6 .* is a link/ });
    await rm(path.join(folder, 'base/6'));
  });
});
