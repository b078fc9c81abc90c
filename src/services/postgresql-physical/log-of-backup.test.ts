import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { type LogOfBackup, takeLog } from './log-of-backup.ts';

const SEGMENT = 1024 * 1024;
const FIRST = '000000020000000000000FFF';
const SECOND = '000000020000000100000000';
const METADATA = { mode: 0o600, uid: 0, gid: 0, modifiedAt: 0n };

/** Takes files as backups do; what happens at the server meanwhile happens after the opening. */
class Storing {
  readonly received = new Map<string, { size: number; checksum: number }>();
  meanwhile: (name: string) => Promise<void> = async () => undefined;

  async takeOpened(name: string, handle: { close(): Promise<void> }, { size }: { size: number }): Promise<void> {
    this.received.set(name, { size, checksum: 0 });
    await this.meanwhile(path.basename(name));
    await handle.close();
  }

  async takeBytes(name: string): Promise<void> {
    this.received.set(name, { size: 0, checksum: 0 });
  }

  async settleContents(): Promise<void> {
    // Nothing is under way.
  }
}

describe('the WAL of a backup that is read beside the server', () => {
  let parent: string;
  let folder: string;
  let storing: Storing;
  before(async () => {
    parent = await mkdtemp(path.join(tmpdir(), 'holdfast-log-'));
    folder = path.join(parent, 'pg_wal');
  });
  after(() => rm(parent, { recursive: true, force: true }));
  beforeEach(async () => {
    storing = new Storing();
    await rm(folder, { recursive: true, force: true });
    await mkdir(folder);
    for (const name of [FIRST, SECOND]) await writeFile(path.join(folder, name), Buffer.alloc(SEGMENT));
  });

  const taken = async (range: Partial<LogOfBackup> = {}): Promise<string[]> => {
    const end = { lsn: '1/28', timeline: 2 };
    const log = { folder, startLsn: '0/FFF00028', end, walSegmentBytes: SEGMENT, metadata: METADATA, ...range };
    await takeLog(log, storing);
    return [...storing.received.keys()].sort();
  };

  test('is every segment from begin to end, with marks that nothing is to be archived', async () => {
    assert.deepEqual(await taken(), [
      ...[FIRST, SECOND].map((name) => `pg_wal/${name}`),
      ...[FIRST, SECOND].map((name) => `pg_wal/archive_status/${name}.done`),
    ]);
  });

  test('needs nothing of the next segment where it ends with one', async () => {
    await rm(path.join(folder, SECOND));
    assert.deepEqual(await taken({ end: { lsn: '1/0', timeline: 2 } }), [
      `pg_wal/${FIRST}`,
      `pg_wal/archive_status/${FIRST}.done`,
    ]);
  });

  test('takes the histories that there are, and does without one where pg_resetwal chose the timeline', async () => {
    assert.ok(!(await taken()).some((name) => name.includes('history')));
    await writeFile(path.join(folder, '00000002.history'), '1\t0/3000000\tno recovery target specified\n');
    assert.ok((await taken()).includes('pg_wal/00000002.history'));
  });

  test('is refused where a segment is missing, is cut off, or is used again while it is read', async () => {
    const refused = (name: string) => ({ code: 'postgresql-wal-removed', details: { file: name } });
    storing.meanwhile = async (name) => {
      if (name === FIRST) await rename(path.join(folder, FIRST), path.join(folder, '000000020000000100000007'));
    };
    await assert.rejects(taken(), refused(FIRST));
    assert.ok((await readdir(folder)).length === 2);
    storing = new Storing();
    await assert.rejects(taken(), refused(FIRST));
    await writeFile(path.join(folder, FIRST), Buffer.alloc(SEGMENT - 1));
    await assert.rejects(taken(), refused(FIRST));
  });
});
