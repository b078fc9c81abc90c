import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Service, spawnHoldfast } from './service-process.ts';

/** `.ci/run` kills two hundred times. */
const KILLS = Number(process.env.HOLDFAST_KILLS ?? 16);

/** Until a service that acknowledges nothing is killed all the same. */
const PATIENCE = 10_000;

interface Acknowledged {
  sha256: string;
  kind: 'stream' | 'document';
}

/** One data folder whose service is killed again and again, and what it acknowledged. */
class Victim {
  readonly folder: string;
  readonly acknowledged = new Map<string, Acknowledged>();
  kills = 0;
  readonly #data: string;
  readonly #words: readonly string[];
  readonly #shared = randomBytes(400_000);
  #turn = 0;
  #acknowledgements = 0;

  constructor(folder: string) {
    this.folder = folder;
    this.#data = path.join(folder, 'data');
    this.#words = ['--config', path.join(folder, 'holdfast.yaml')];
  }

  /** Backups, deletions and collections at once, until a SIGKILL at a random moment. */
  async killService(): Promise<void> {
    const service = await Service.start(this.#data, this.#words);
    const work = [this.#upload(service), this.#post(service), this.#collect(service)];
    // However slow the machine is, half of the kills come after something was acknowledged.
    if (this.kills % 2 === 0) await this.#nextAcknowledgement();
    await sleep(Math.random() * 300);
    await service.end('SIGKILL');
    this.kills++;
    await Promise.all(work);
  }

  async killRotation(): Promise<void> {
    const child = spawnHoldfast(['key', 'rotate', '--data', this.#data, ...this.#words]);
    child.stdout?.resume();
    child.stderr?.resume();
    const ended = once(child, 'exit');
    await sleep(150 + Math.random() * 350);
    child.kill('SIGKILL');
    await ended;
    this.kills++;
  }

  async assertWhole(): Promise<void> {
    const service = await Service.start(this.#data, this.#words);
    try {
      await this.#assertEach(service);
      const pruned = await settled(service, await service.call('POST', '/repositories/default/prune', '{}'));
      assert.equal(pruned.status, 'completed', JSON.stringify(pruned.error));
      const checked = await settled(service, await service.call('POST', '/repositories/default/verify', '{"level":4}'));
      assert.equal(checked.status, 'completed', JSON.stringify(checked.error));
      await this.#assertEach(service);
    } finally {
      await service.end('SIGTERM');
    }
  }

  async #assertEach(service: Service): Promise<void> {
    for (const [id, { sha256, kind }] of this.acknowledged) {
      if (kind === 'stream') assert.equal(hashOf(await service.content(id)), sha256, id);
      else {
        const { data } = await service.call('POST', '/restore', JSON.stringify({ backupId: id, createdBy: 'test' }));
        assert.equal(hashOf(Buffer.from(JSON.stringify(data))), sha256, id);
      }
    }
  }

  async #nextAcknowledgement(): Promise<void> {
    const before = this.#acknowledgements;
    for (const until = performance.now() + PATIENCE; this.#acknowledgements === before; await sleep(2))
      if (performance.now() > until) return;
  }

  #acknowledge(id: unknown, what: Acknowledged): void {
    this.acknowledged.set(String(id), what);
    this.#acknowledgements++;
  }

  async #upload(service: Service): Promise<void> {
    for (;;) {
      const bytes = Buffer.concat([
        this.#shared.subarray(0, 100_000 + (this.#turn++ % 3) * 100_000),
        randomBytes(50_000),
      ]);
      const answer = await service.upload('stream', bytes).catch(ignored);
      if (answer === undefined) return;
      this.#acknowledge(answer.id, { sha256: hashOf(bytes), kind: 'stream' });
    }
  }

  async #post(service: Service): Promise<void> {
    for (let n = 0; ; n++) {
      const data = { filler: randomBytes(1500).toString('hex'), n };
      const type = n % 4 === 0 ? 'full' : 'incremental';
      const body = JSON.stringify({ resourceId: 'document', type, data });
      const answer = await service.call('POST', '/backups', body).catch(ignored);
      if (answer === undefined) return;
      this.#acknowledge(answer.id, { sha256: hashOf(Buffer.from(JSON.stringify(data))), kind: 'document' });
    }
  }

  /** Forgets streams, with a trash that keeps nothing, and collects. */
  async #collect(service: Service): Promise<void> {
    for (;;) {
      const streams = [...this.acknowledged].filter(([, { kind }]) => kind === 'stream');
      for (const [id] of streams.slice(0, Math.max(0, streams.length - 3))) {
        this.acknowledged.delete(id);
        if ((await service.call('DELETE', `/backups/${id}`).catch(ignored)) === undefined) return;
      }
      const started = await service.call('POST', '/repositories/default/prune', '{}').catch(ignored);
      if (started === undefined || (await settled(service, started).catch(ignored)) === undefined) return;
    }
  }
}

describe('a service and a rotation of keys that are killed at random moments', () => {
  test('lose nothing that was acknowledged', async (context) => {
    const folders = await Promise.all([0, 1].map(() => mkdtemp(path.join(tmpdir(), 'holdfast-kills-'))));
    try {
      const victims = folders.map((folder) => new Victim(folder));
      await Promise.all(
        victims.map(async (victim) => {
          await writeFile(path.join(victim.folder, 'holdfast.yaml'), 'trashDays: 0\n');
          for (let turn = 1; victim.kills < KILLS / 2; turn++) {
            await victim.killService();
            if (turn % 5 === 0) await victim.killRotation();
            // Looked at now and then, so that a loss is met near its cause.
            if (turn % 25 === 0) await victim.assertWhole();
          }
          await victim.assertWhole();
        }),
      );
      const sum = (count: (victim: Victim) => number): number =>
        victims.reduce((total, victim) => total + count(victim), 0);
      const backups = sum((victim) => victim.acknowledged.size);
      context.diagnostic(`${sum(({ kills }) => kills)} kills; all ${backups} backups that were to be there restored`);
      assert.ok(backups > KILLS / 4);
    } finally {
      for (const folder of folders) await rm(folder, { recursive: true, force: true });
    }
  });
});

/** An operation when it has ended. */
async function settled(service: Service, started: Record<string, unknown>): Promise<Record<string, unknown>> {
  for (;;) {
    const operation = await service.call('GET', `/operations/${started.id}`);
    if (!['queued', 'running'].includes(String(operation.status))) return operation;
    await sleep(20);
  }
}

function hashOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** The service is gone, or answers that it is going. */
function ignored(): undefined {
  return undefined;
}
