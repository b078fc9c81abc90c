import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Drill } from '../src/core/drill.ts';
import { eventually } from './eventually.ts';
import { freePort } from './free-port.ts';
import { ClusterServer } from './postgresql-cluster-server.ts';
import { giveToServer, spawnAsServer } from './postgresql-wal-cluster.ts';

const STARTER = fileURLToPath(new URL('../bin/holdfast.js', import.meta.url));

/** A row of the table `rows`, and when it was committed, by the server's clock. */
export interface Commit {
  id: string;
  at: string;
}

/** A cluster with the resource `shop` of it in the real service, in a process of its own with its API, which follows its WAL. */
export class FollowedCluster {
  readonly server: ClusterServer;
  readonly folder: string;
  readonly #service: ReturnType<typeof spawnAsServer>;
  readonly #url: string;
  readonly #restored: ClusterServer[] = [];

  private constructor(server: ClusterServer, folder: string, service: ReturnType<typeof spawnAsServer>, url: string) {
    this.server = server;
    this.folder = folder;
    this.#service = service;
    this.#url = url;
  }

  static async create(programs: string): Promise<FollowedCluster> {
    const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-moment-'));
    giveToServer(folder);
    const server = await ClusterServer.create(programs, {
      settings: ['track_commit_timestamp = on'],
      initdb: ['--wal-segsize=1', '--data-checksums'],
    });
    await server.sql('CREATE TABLE rows (id bigserial, text text)');
    const port = await freePort();
    // Drills look for servers on the PATH.
    const env = { PATH: `${programs}:${process.env.PATH}`, HOME: folder, PORT: String(port) };
    const service = spawnAsServer(process.execPath, [STARTER, '--data', path.join(folder, 'data'), 'serve'], env);
    service.stdout.resume();
    service.stderr.resume();
    const followed = new FollowedCluster(server, folder, service, `http://127.0.0.1:${port}`);
    await followed.#begin();
    return followed;
  }

  async #begin(): Promise<void> {
    await eventually(
      async () => (await fetch(`${this.#url}/health`).catch(() => undefined))?.ok === true,
      'it does not serve',
    );
    const configuration = { connection: this.server.connection(), wal: { flushSeconds: 1 } };
    await this.call('PUT', '/resources/shop', { service: 'postgresql-physical', configuration });
    const log = () => this.call('GET', '/resources/shop/log');
    await eventually(async () => (await log()).capture?.progress !== undefined, 'no capture');
  }

  #ask(method: string, route: string, body?: unknown): Promise<Response> {
    return fetch(this.#url + route, {
      method,
      headers: { 'content-type': 'application/json', prefer: 'wait=300' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  }

  /** The evidence of a drill, whatever it found. */
  async drill(request: object): Promise<Drill> {
    const answer = await this.#ask('POST', '/resources/shop/drills', request);
    const said = (await answer.json()) as { drillId?: string; id: string };
    return this.call('GET', `/drills/${answer.ok ? said.id : said.drillId}`);
  }

  /** @returns what the API answers, which must be success */
  async call(method: string, route: string, body?: unknown) {
    const answer = await this.#ask(method, route, body);
    const said = await answer.text();
    assert.ok(answer.ok, `${method} ${route}: ${answer.status} ${said}`);
    return JSON.parse(said);
  }

  /** Commits row by row for a while, and waits until all is in the log. */
  async commitRows(milliseconds: number): Promise<readonly Commit[]> {
    const { server } = this;
    for (const end = Date.now() + milliseconds; Date.now() < end; await pause(3))
      await server.sql(`INSERT INTO rows (text) VALUES (repeat(md5(random()::text), 100))`);
    const commits = (await server.sql(
      `SELECT id::text, to_char(pg_xact_commit_timestamp(xmin) AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS at
       FROM rows ORDER BY rows.id`,
    )) as unknown as Commit[];
    // A recovery to a moment ends at the first commit after it: PostgreSQL takes WAL without one for incomplete.
    await server.sql(`INSERT INTO rows (text) VALUES ('one more')`);
    const wanted = await server.value('SELECT pg_current_wal_flush_lsn()::text');
    await eventually(async () => {
      const { capture } = await this.call('GET', '/resources/shop/log');
      return (await server.value(`SELECT '${capture.progress.position}'::pg_lsn >= '${wanted}'::pg_lsn`)) === 'true';
    }, 'the log does not come to the end');
    return commits;
  }

  /** Restores to a moment. @returns the ids of the rows that a server of the same version finds there */
  async rowsAt(moment: string): Promise<string[]> {
    const target = path.join(this.folder, `restored-${this.#restored.length}`);
    const options = { target, archiving: 'off' };
    const request = { resourceId: 'shop', timestamp: moment, createdBy: 'test', options };
    const { operation } = await this.call('POST', '/restore/point-in-time', request);
    assert.equal(operation.status, 'completed', JSON.stringify(operation));
    const copy = await ClusterServer.restored(this.server.programs, target);
    this.#restored.push(copy);
    await copy.start();
    await copy.promoted();
    const found = (await copy.sql('SELECT id::text FROM rows ORDER BY rows.id')).map(({ id }) => String(id));
    await copy.stop();
    return found;
  }

  async remove(): Promise<void> {
    if (this.#service.exitCode === null && this.#service.kill('SIGTERM')) await once(this.#service, 'exit');
    for (const each of [...this.#restored, this.server]) await each.remove();
    await rm(this.folder, { recursive: true, force: true });
  }
}
