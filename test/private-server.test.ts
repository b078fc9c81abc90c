import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { DrillChecks } from '../src/core/drill-checks.ts';
import { createDrillFolders } from '../src/process/drill-folders.ts';
import { PrivateServer } from '../src/services/postgresql/private-server.ts';
import { checkPages, checkRelations } from '../src/services/postgresql/server-checks.ts';
import { findServerPrograms } from '../src/services/postgresql/server-programs.ts';
import { Session } from '../src/services/postgresql/session.ts';
import { firstLine } from './first-line.ts';
import { SKIP_REASON } from './postgresql-server.ts';
import { processesIn, untilNoneIn, untilOneIn } from './processes.ts';

describe('a private PostgreSQL server', { skip: SKIP_REASON, timeout: 600_000 }, () => {
  let parent: string;
  const { signal } = new AbortController();
  const prepared: PrivateServer[] = [];
  const prepare = async (name: string, given: AbortSignal = signal): Promise<PrivateServer> => {
    const folder = path.join(parent, name);
    await mkdir(folder, { mode: 0o700 });
    const server = await PrivateServer.prepare({ programs: await findServerPrograms(14), folder, signal: given });
    prepared.push(server);
    return server;
  };
  before(async () => {
    parent = await mkdtemp(path.join(tmpdir(), 'holdfast-private-'));
    await chmod(parent, 0o711);
  });
  after(() => rm(parent, { recursive: true, force: true }));
  afterEach(async () => {
    // A test that failed did not stop its own.
    for (const server of prepared.splice(0)) await server.stop();
    await untilNoneIn(parent);
  });

  test('is reached by its socket alone, and ends when it is told to', async () => {
    const server = await prepare('plain');
    const dataFolder = await server.initialise();
    for (const how of ['fast', 'immediate'] as const) {
      await server.start(dataFolder, { user: server.superuser });
      const session = await Session.open(server.connection, 'postgres');
      const { listens, checksums } = await session.row<{ listens: string; checksums: string }>(
        `SELECT current_setting('listen_addresses') AS listens, current_setting('data_checksums') AS checksums`,
      );
      assert.deepEqual([listens, checksums], ['', 'on']);
      await session.close();
      await server.stop(how);
    }
    await server.stop();
  });

  test('is given up where making its cluster hangs', async () => {
    const program = path.join(parent, 'initdb');
    await writeFile(program, '#!/bin/sh\ntrap "" TERM\nexec sleep 1000\n', { mode: 0o755 });
    const folder = path.join(parent, 'hanging');
    await mkdir(folder, { mode: 0o700 });
    const programs = { ...(await findServerPrograms(14)), program: () => program };
    const server = await PrivateServer.prepare({ programs, folder, signal });
    const failure = { code: 'postgresql-private-server-failed', message: /initdb was not done after 0.2 seconds/ };
    await assert.rejects(server.initialise(0.2), failure);
  });

  test('takes nothing from the configuration of a data folder that reaches out', async () => {
    const server = await prepare('configured');
    const dataFolder = await server.initialise();
    const settings = [
      "archive_mode = on\narchive_command = 'false'\nshared_preload_libraries = 'no_such_library'",
      "listen_addresses = '127.0.0.1'\nport = 5999\nhba_file = '/nonexistent'\n",
    ];
    for (const name of ['postgresql.conf', 'postgresql.auto.conf'])
      await writeFile(path.join(dataFolder, name), settings.join('\n'));
    await server.start(dataFolder, { user: server.superuser, settings: { work_mem: '5MB' } });
    try {
      const session = await Session.open(server.connection, 'postgres');
      const rows = await session.rows<{ name: string; setting: string }>(
        `SELECT name, setting FROM pg_settings WHERE name IN ('archive_mode', 'listen_addresses', 'work_mem') ORDER BY name`,
      );
      await session.close();
      assert.deepEqual(
        rows.map(({ setting }) => setting),
        ['off', '', '5120'],
      );
    } finally {
      await server.stop();
    }
  });

  test('says what its log says where it does not start', async () => {
    const server = await prepare('broken');
    const dataFolder = await server.initialise();
    await rm(path.join(dataFolder, 'global', 'pg_control'));
    const start = server.start(dataFolder, { user: server.superuser });
    await assert.rejects(start, { code: 'postgresql-private-server-failed', message: /pg_control/ });
    await server.stop();
  });

  // At once, and in a pause between two attempts to connect.
  for (const milliseconds of [0, 20])
    test(`ends where the work that it was for is cancelled, ${milliseconds} ms after it began`, async () => {
      const cancelling = new AbortController();
      const server = await prepare(`cancelled-${milliseconds}`, cancelling.signal);
      const dataFolder = await server.initialise();
      const starting = assert.rejects(server.start(dataFolder, { user: server.superuser }), /^Error: cancelled$/);
      await Promise.race([starting, untilOneIn(parent)]);
      await sleep(milliseconds);
      cancelling.abort(new Error('cancelled'));
      await starting;
    });

  test('finds pages and tables that were damaged, and names them', async () => {
    const server = await prepare('damaged');
    const dataFolder = await server.initialise();
    await server.start(dataFolder, { user: server.superuser });
    const session = await Session.open(server.connection, 'postgres');
    await session.run(
      'CREATE TABLE public.items AS SELECT g AS id, md5(g::text) AS text FROM generate_series(1, 10000) g',
    );
    await session.run('CREATE INDEX items_by_id ON public.items (id)');
    const { file } = await session.row<{ file: string }>(`SELECT pg_relation_filepath('public.items') AS file`);
    await session.close();
    const sound = new DrillChecks();
    await checkRelations(server, 'postgres', { checks: sound, signal, report: () => undefined });
    await server.stop('fast');
    await checkPages(server, dataFolder, sound);
    assert.deepEqual(
      sound.made.map(({ outcome }) => outcome),
      ['passed', 'passed'],
    );

    const bytes = await readFile(path.join(dataFolder, file));
    bytes[8192 * 3 + 4000] = bytes[8192 * 3 + 4000]! ^ 1;
    await writeFile(path.join(dataFolder, file), bytes);
    const damaged = new DrillChecks();
    await checkPages(server, dataFolder, damaged);
    await server.start(dataFolder, { user: server.superuser });
    await checkRelations(server, 'postgres', { checks: damaged, signal, report: () => undefined });
    await server.stop();
    const [pages, relations] = damaged.made;
    assert.deepEqual([pages?.outcome, relations?.outcome], ['failed', 'failed']);
    assert.match(pages?.found ?? '', new RegExp(`${file}".*block 3`));
    assert.match(relations?.details?.join(' ') ?? '', /items/);
  });

  test('ends with a process that is killed, and the next one removes what it left', async () => {
    const script = fileURLToPath(new URL('./private-server-owner.ts', import.meta.url));
    const child = spawn(process.execPath, [script, parent], { stdio: ['ignore', 'pipe', 'pipe'] });
    const folder = await firstLine(child);
    assert.ok(processesIn(folder).length > 1);
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
    await untilNoneIn(folder);
    assert.ok(existsSync(folder));
    const folders = createDrillFolders({ owner: 'next', isAlive: () => false, parent });
    assert.deepEqual(await folders.removeLeftovers(), [path.dirname(folder)]);
    assert.deepEqual(
      (await readdir(parent)).filter((name) => name.startsWith('holdfast-drill-')),
      [],
    );
  });
});
