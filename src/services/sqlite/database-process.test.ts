import assert from 'node:assert/strict';
import { fork, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { CopyJob } from './database-job.ts';
import { DatabaseProcess } from './database-process.ts';

const WORKER = fileURLToPath(new URL('./database-worker.ts', import.meta.url));

describe('the process that opens databases', () => {
  let folder: string;
  let job: CopyJob;

  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'holdfast-sqlite-test-'));
    const source = path.join(folder, 'source.db');
    const database = new DatabaseSync(source);
    database.exec(
      'CREATE TABLE t (x); WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 5000) INSERT INTO t SELECT randomblob(800) FROM c',
    );
    database.close();
    job = {
      kind: 'copy',
      path: source,
      copy: '',
      busyTimeoutMilliseconds: 1000,
      pagesPerStep: 1,
      checks: 'full',
    };
  });
  after(() => rm(folder, { recursive: true, force: true }));

  async function privateFolder(): Promise<{ folder: string; copy: string }> {
    const made = await mkdtemp(path.join(folder, 'private-'));
    return { folder: made, copy: path.join(made, 'copy.sqlite') };
  }

  test('removes the private copy when the service dies without a word', async () => {
    const place = await privateFolder();
    const child = fork(WORKER, [place.folder], { execArgv: [] });
    child.send({ ...job, copy: place.copy });
    await once(child, 'message');
    await stat(place.copy);
    const ended = once(child, 'exit');
    child.disconnect();
    await ended;
    await assert.rejects(stat(place.folder), { code: 'ENOENT' });
  });

  test('removes the private copy when the service is killed while SQLite checks it', async () => {
    const place = await privateFolder();
    const large = path.join(folder, 'large.db');
    const database = new DatabaseSync(large);
    // Enough for the check to be under way still when the news that the service is gone could arrive.
    database.exec(
      'CREATE TABLE t (x PRIMARY KEY); WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 100000) INSERT INTO t SELECT hex(randomblob(30)) FROM c',
    );
    database.close();
    const service = `
      const { fork } = require('node:child_process');
      const child = fork(process.argv[1], [process.argv[3]], { execArgv: [], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
      child.on('message', ({ phase }) => phase === 'checking' && process.kill(process.pid, 'SIGKILL'));
      child.send(JSON.parse(process.argv[2]));`;
    const task = JSON.stringify({ ...job, copy: place.copy, path: large, pagesPerStep: 1000 });
    const dying = spawn(process.execPath, ['-e', service, WORKER, task, place.folder], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    // Both have this pipe, which ends with the last one.
    assert.equal(await text(dying.stdout), '');
    await assert.rejects(stat(place.folder), { code: 'ENOENT' });
  });

  test('says what a copy holds', async () => {
    const process = new DatabaseProcess(new AbortController().signal);
    try {
      const facts = await process.run<'copy'>({ ...job, copy: (await privateFolder()).copy });
      assert.deepEqual(facts.tables, [{ name: 't', rows: 5000 }]);
      assert.deepEqual(facts.problems, []);
    } finally {
      await process.close();
    }
  });

  test('gives each job its own result, though the next one does not wait for it', async () => {
    const process = new DatabaseProcess(new AbortController().signal);
    try {
      const [facts, nothing, failed, target] = await Promise.all([
        process.run<'copy'>({ ...job, copy: (await privateFolder()).copy }),
        process.run<'let-go'>({ kind: 'let-go' }),
        process.run<'query'>({ kind: 'query', path: job.path, sql: 'SELECT nowhere' }).catch((error: Error) => error),
        process.run<'look'>({ kind: 'look', target: job.path }),
      ]);
      assert.equal(facts.tables.length, 1);
      assert.equal(nothing, null);
      assert.match(String(failed), /no such column/);
      assert.equal(target.exists, true);
    } finally {
      await process.close();
    }
  });

  test('ends with the signal in the midst of a job, which rejects with the reason', async () => {
    const stopped = new AbortController();
    const process = new DatabaseProcess(stopped.signal);
    const running = process.run<'copy'>({ ...job, copy: (await privateFolder()).copy }, () =>
      stopped.abort(new Error('stop')),
    );
    await assert.rejects(running, /^Error: stop$/);
    await process.close();
    await assert.rejects(process.run<'look'>({ kind: 'look', target: job.path }), /stop/);
  });
});
