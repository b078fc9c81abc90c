import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { TargetFolders, type TargetPlan } from './restore-target.ts';

describe('a data folder that was there before, empty', () => {
  let target: string;
  let plan: TargetPlan;
  beforeEach(async () => {
    target = await mkdtemp(path.join(tmpdir(), 'holdfast-target-'));
    plan = { data: { path: target, exists: true }, tablespaces: new Map(), owner: null };
  });
  afterEach(() => rm(target, { recursive: true, force: true }));

  test('is filled by one restore, and not emptied by another one that came too late', async () => {
    const [first, second] = [new TargetFolders(plan), new TargetFolders(plan)];
    await first.make();
    await writeFile(path.join(target, 'PG_VERSION'), '15');
    await assert.rejects(second.make(), { code: 'target-not-empty' });
    assert.deepEqual(await second.remove(), []);
    await first.finish();
    assert.deepEqual(await readdir(target), ['PG_VERSION']);
  });

  test('keeps what somebody else put there after the restore was planned', async () => {
    const late = new TargetFolders(plan);
    await mkdir(path.join(target, 'mine'));
    await assert.rejects(late.make(), { code: 'target-not-empty' });
    await late.remove();
    assert.deepEqual(await readdir(target), ['mine']);
  });

  test('is empty again after a restore that failed', async () => {
    const failed = new TargetFolders(plan);
    await failed.make();
    await writeFile(path.join(target, 'PG_VERSION'), '15');
    assert.deepEqual(await failed.remove(), []);
    assert.deepEqual(await readdir(target), []);
  });
});
