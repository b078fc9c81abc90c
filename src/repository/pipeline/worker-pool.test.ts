import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { HoldfastError } from '../../core/errors.ts';
import type { Storage } from '../../core/ports/storage.ts';
import { openStorage } from '../../storage/local/local-storage.ts';
import { ChunkTable } from '../chunk-table.ts';
import { ROW_LENGTH } from '../index-row.ts';
import type { IndexedPack } from '../index-segment.ts';
import { Keyring } from '../keyring.ts';
import { newSettings } from '../settings.ts';
import { ChunkClaims } from './chunk-claims.ts';
import type { OpenSession } from './messages.ts';
import type { SessionCallbacks } from './session-callbacks.ts';
import type { PoolSession } from './task-pool.ts';
import { WorkerPool } from './worker-pool.ts';

/** Says that it has begun and waits until it may go on; then asks, reads, stores, ends its thread, or gives back what it was given. */
const MODULE = `data:text/javascript,${encodeURIComponent(`
  import { setTimeout as sleep } from 'node:timers/promises';
  const deeds = {
    give: ({ value }) => value,
    plan: ({ id }, context) => context.plan([{ id, tag: 0 }]),
    read: async ({ id }, context) => {
      for (const range of await context.plan([{ id, tag: 0 }])) await context.source.read(range, () => {});
    },
    readDespiteDamage: ({ id }, context) =>
      context.readDespiteDamage([{ id, tag: 0 }], () => {}, (tag, reason) => { throw new Error('lost: ' + reason.message); }),
    store: ({ bytes }, context) => { context.sink.store(bytes); },
    exit: () => process.exit(1),
  };
  export const createTaskHandler = (context) => ({
    async handle(task) {
      const state = new Int32Array(task.state ?? new SharedArrayBuffer(8));
      Atomics.add(state, 0, 1);
      while (task.state !== undefined && Atomics.load(state, 1) === 0) await sleep(2);
      return deeds[task.deed](task, context);
    },
  });
`)}`;

interface Task {
  deed: 'give' | 'plan' | 'read' | 'readDespiteDamage' | 'store' | 'exit';
  state?: SharedArrayBuffer;
  id?: Uint8Array;
  bytes?: Uint8Array;
  value?: unknown;
}

const ID = Buffer.alloc(32, 7);
const UNKNOWN = Buffer.alloc(32, 8);
const THREADS = 2;
/** More than all threads take on at once. */
const MANY = 12;

describe('the threads of a repository', { timeout: 60_000 }, () => {
  let folder: string;
  let storage: Storage;
  let pool: WorkerPool;
  const settings = newSettings({}, new Date());
  const keyring = Keyring.create(settings.repositoryId, new Date());
  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'holdfast-pool-'));
    storage = await openStorage({ folder });
    pool = new WorkerPool({ storage: storage.reopen, settings }, THREADS);
  });
  afterEach(async () => {
    await pool.close();
    await storage.close();
    await rm(folder, { recursive: true, force: true });
  });

  const openSession = (callbacks: Partial<SessionCallbacks> = {}, isWriter = false): PoolSession => {
    const table = new ChunkTable({ expected: 10 });
    table.insertRows(Buffer.concat([ID, Buffer.alloc(ROW_LENGTH - ID.length)]), [0]);
    const writing = isWriter ? { writing: { claims: new ChunkClaims().shared, encrypt: true } } : {};
    const index = { table: table.shared, packFlags: new SharedArrayBuffer(8) };
    const open: OpenSession = { keyring: keyring.secrets(), index, ...writing };
    return pool.openSession(open, { packOf: () => PACK, placesOf: async () => [], ...callbacks });
  };
  const run = (session: PoolSession, task: Task): Promise<unknown> => {
    const running = session.run(MODULE, {}, task);
    // It is awaited later; until then an error must not count as unhandled.
    running.catch(() => undefined);
    return running;
  };
  /** Tasks that wait in their threads, as many as these take on, and how to let them go on. */
  const waiting = async (session: PoolSession, task: Task): Promise<{ running: Promise<unknown>[]; goOn(): void }> => {
    const state = new SharedArrayBuffer(8);
    const flags = new Int32Array(state);
    const running = Array.from({ length: THREADS * 2 }, () => run(session, { ...task, state }));
    while (Atomics.load(flags, 0) < running.length) await sleep(2);
    return { running, goOn: () => Atomics.store(flags, 1, 1) };
  };
  const assertWorks = async (session: PoolSession): Promise<void> => {
    const values = Array.from({ length: MANY }, (_, value) => value);
    assert.deepEqual(await Promise.all(values.map((value) => run(session, { deed: 'give', value }))), values);
  };

  test('fail tasks that ask for a pack after their session was closed, and work on for others', async () => {
    const other = openSession();
    for (let round = 0; round < 3; round++) {
      const session = openSession();
      const { running, goOn } = await waiting(session, { deed: 'plan', id: ID });
      await session.close(false);
      goOn();
      for (const task of running) await assert.rejects(task, { kind: 'cancelled', code: 'session-closed' });
    }
    await assertWorks(other);
  });

  test('fail tasks that ask where chunks went after their session was closed, and take that for no damage', async () => {
    for (const task of [
      { deed: 'read', id: ID },
      { deed: 'readDespiteDamage', id: UNKNOWN },
    ] as const) {
      const session = openSession();
      const { running, goOn } = await waiting(session, task);
      await session.close(false);
      goOn();
      for (const task of running) await assert.rejects(task, { kind: 'cancelled', code: 'session-closed' });
    }
    await assertWorks(openSession());
  });

  test('fail a task with the reason for which its question has no answer', async () => {
    const session = openSession({
      packOf: () => {
        throw new RangeError('No pack has number 0.');
      },
      placesOf: async () => {
        throw new HoldfastError('unavailable', 'storage-unreachable', 'The bucket cannot be reached.');
      },
    });
    await assert.rejects(run(session, { deed: 'plan', id: ID }), { message: 'No pack has number 0.' });
    // That a bucket cannot be reached does not say that anything in it is lost.
    await assert.rejects(run(session, { deed: 'readDespiteDamage', id: UNKNOWN }), { kind: 'unavailable' });
    await assertWorks(session);
  });

  test('take nothing on for a session that was closed, and drop what it had queued', async () => {
    const session = openSession({}, true);
    const other = openSession();
    const { running, goOn } = await waiting(other, { deed: 'give', value: 'other' });
    const queued = Array.from({ length: MANY }, () => run(session, { deed: 'give' }));
    const kept = Array.from({ length: MANY }, (_, value) => run(other, { deed: 'give', value }));
    await session.close(true);
    for (const task of [...queued, run(session, { deed: 'give' }), session.flush()])
      await assert.rejects(task, { kind: 'cancelled', code: 'session-closed' });
    goOn();
    assert.deepEqual(new Set(await Promise.all(running)), new Set(['other']));
    assert.deepEqual(
      await Promise.all(kept),
      kept.map((_, value) => value),
    );
  });

  test('begin no pack in a session that was given up while a task ran', async () => {
    const session = openSession({ onPack: () => assert.fail('A pack was made.') }, true);
    const { running, goOn } = await waiting(session, { deed: 'store', bytes: randomBytes(3_000_000) });
    await session.close(true);
    goOn();
    const reasons = (await Promise.allSettled(running)).flatMap((each) =>
      each.status === 'rejected' ? [each.reason] : [],
    );
    // The others find that the first one took their chunks on.
    assert.ok(reasons.length > 0);
    for (const { code } of reasons) assert.equal(code, 'session-closed');
    assert.deepEqual(await filesBelow(folder), []);
  });

  test('that die fail the tasks they had, and others do the rest, for readers of before as well', async () => {
    const session = openSession();
    for (let round = 0; round < 3; round++) {
      const { running, goOn } = await waiting(session, { deed: 'exit' });
      const queued = Array.from({ length: MANY }, (_, value) => run(session, { deed: 'give', value }));
      goOn();
      for (const task of running) await assert.rejects(task, { kind: 'internal', code: 'worker-exited' });
      // The threads do not die at once: the one that is left takes some on before it does.
      const outcomes = await Promise.allSettled(queued);
      assert.ok(outcomes.filter(({ status }) => status === 'fulfilled').length >= MANY - THREADS * 2);
      await assertWorks(session);
    }
    await session.close(false);
    await assertWorks(openSession());
  });

  test('that cannot even start fail every task instead of starting for ever', async () => {
    const broken = new WorkerPool(
      { storage: { module: 'data:text/javascript,throw new Error("no disk")', options: {} }, settings },
      THREADS,
    );
    const index = { table: new ChunkTable({ expected: 1 }).shared, packFlags: new SharedArrayBuffer(8) };
    const session = broken.openSession(
      { keyring: keyring.secrets(), index },
      { packOf: () => PACK, placesOf: async () => [] },
    );
    const tasks = Array.from({ length: MANY }, () => run(session, { deed: 'give' }));
    for (const task of tasks) await assert.rejects(task, { message: 'no disk' });
    await session.close(false);
    await broken.close();
  });

  test('that die leave a writer that cannot commit, and whose packs are put away', async () => {
    const session = openSession({}, true);
    await Promise.all(
      Array.from({ length: MANY }, () => run(session, { deed: 'store', bytes: randomBytes(1_000_000) })),
    );
    await assert.rejects(run(session, { deed: 'exit' }), { code: 'worker-exited' });
    await assert.rejects(session.flush(), { code: 'worker-exited' });
    await assert.rejects(run(session, { deed: 'give' }), { code: 'worker-exited' });
    await assertWorks(openSession());
    await session.close(true);
    assert.deepEqual(await readdir(path.join(folder, 'packs')).catch(() => []), []);
  });

  test('of a repository that is closed leave no task waiting, and tell no writer that its packs are durable', async () => {
    const session = openSession({}, true);
    const { running } = await waiting(session, { deed: 'give' });
    const queued = Array.from({ length: MANY }, () => run(session, { deed: 'give' }));
    const closed = pool.close();
    for (const task of [...running, ...queued, run(session, { deed: 'give' }), session.flush()])
      await assert.rejects(task, { kind: 'cancelled', code: 'repository-closed' });
    assert.throws(() => openSession(), { code: 'repository-closed' });
    await closed;
    await session.close(true);
  });

  test('keep no place for a task that cannot be sent to them', async () => {
    const session = openSession();
    for (let round = 0; round < MANY; round++)
      await assert.rejects(run(session, { deed: 'give', value: () => undefined }), { name: 'DataCloneError' });
    await assertWorks(session);
  });
});

const PACK: IndexedPack = { idHex: 'ab'.repeat(32), size: 1000, header: Buffer.alloc(64) };

async function filesBelow(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
}
