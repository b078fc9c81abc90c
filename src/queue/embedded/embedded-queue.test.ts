import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { openSqliteCatalogue } from '../../catalogue/sqlite/sqlite-catalogue.ts';
import type { Operation } from '../../core/operation.ts';
import type { Catalogue } from '../../core/ports/catalogue.ts';
import { createEmbeddedQueue } from './embedded-queue.ts';

let folder: string;
let catalogue: Catalogue;
before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'holdfast-queue-'));
  catalogue = await openSqliteCatalogue({ file: path.join(folder, 'catalogue.sqlite') });
});
after(async () => {
  await catalogue.close();
  await rm(folder, { recursive: true, force: true });
});

const unexpected = (facts: object): never => assert.fail(JSON.stringify(facts));
const logger = { debug: unexpected, info: unexpected, warn: unexpected, error: unexpected };

/** Each is a second younger than the one before, as their order is by age. */
let made = 0;

function operation(id: string): Operation {
  return {
    id,
    kind: 'backup',
    status: 'queued',
    input: {},
    progress: { percent: 0 },
    warnings: [],
    attempts: 0,
    createdBy: 'test',
    createdAt: new Date(Date.UTC(2026, 0, 1, 0, 0, made++)).toISOString(),
  };
}

function queueOf(concurrency: number, owner = 'this') {
  return createEmbeddedQueue({ operations: catalogue.operations, owner, concurrency, logger, pollMilliseconds: 20 });
}

async function runs(id: string): Promise<void> {
  while ((await catalogue.operations.get(id))?.status !== 'running')
    await new Promise((resolve) => setTimeout(resolve, 2));
}

test('runs everything queued, never more at once than allowed', { timeout: 10_000 }, async () => {
  const queue = queueOf(2);
  let now = 0;
  let most = 0;
  const ran: string[] = [];
  await queue.start(async ({ id }) => {
    most = Math.max(most, ++now);
    await new Promise((resolve) => setTimeout(resolve, 5));
    now--;
    ran.push(id);
    await catalogue.operations.update(id, { status: 'completed' });
  });
  await Promise.all(Array.from({ length: 10 }, (_, index) => queue.enqueue(operation(`a${index}`))));
  while (ran.length < 10) await new Promise((resolve) => setTimeout(resolve, 5));
  await queue.stop(1000);
  assert.equal(most, 2);
  assert.equal((await catalogue.operations.withStatus('queued')).length, 0);
});

test('finds what another process queued', { timeout: 10_000 }, async () => {
  const queue = queueOf(1);
  const ran = new Promise<string>((resolve) => {
    void queue.start(async ({ id }) => {
      await catalogue.operations.update(id, { status: 'completed' });
      resolve(id);
    });
  });
  await catalogue.operations.insert(operation('from-elsewhere'));
  assert.equal(await ran, 'from-elsewhere');
  await queue.stop(1000);
});

test('cancels what runs through its signal and what waits at once', { timeout: 10_000 }, async () => {
  const queue = queueOf(1);
  await queue.start(async ({ id }, signal) => {
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    await catalogue.operations.update(id, { status: 'cancelled' });
  });
  await queue.enqueue(operation('running'));
  await queue.enqueue(operation('waiting'));
  await runs('running');
  assert.equal(await queue.cancel('waiting'), true);
  assert.equal(await queue.cancel('running'), true);
  assert.equal(await queue.cancel('running'), false);
  assert.equal((await catalogue.operations.get('waiting'))?.status, 'cancelled');
  await queue.stop(1000);
});

test('stopping aborts what does not end in time and leaves what waits queued', { timeout: 10_000 }, async () => {
  const queue = queueOf(1);
  await queue.start(async ({ id }, signal) => {
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    await catalogue.operations.update(id, { status: 'cancelled' });
  });
  await queue.enqueue(operation('slow'));
  await queue.enqueue(operation('next'));
  await runs('slow');
  await queue.stop(10);
  assert.equal((await catalogue.operations.get('slow'))?.status, 'cancelled');
  assert.equal((await catalogue.operations.get('next'))?.status, 'queued');
});

test('cancels also what was claimed and is about to begin', { timeout: 10_000 }, async () => {
  const { promise: gate, resolve: release } = Promise.withResolvers<void>();
  const { operations } = catalogue;
  const claim = async (owner: string) => {
    const claimed = await operations.claim(owner);
    if (claimed?.id === 'claimed') await gate;
    return claimed;
  };
  await operations.update('next', { status: 'cancelled' });
  const queue = createEmbeddedQueue({ operations: { ...operations, claim }, owner: 'this', concurrency: 1, logger });
  await queue.start(async ({ id }, signal) => {
    if (!signal.aborted) await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    await operations.update(id, { status: 'cancelled' });
  });
  await queue.enqueue(operation('claimed'));
  await runs('claimed');
  const cancelling = queue.cancel('claimed');
  release();
  assert.equal(await cancelling, true);
  assert.equal((await operations.get('claimed'))?.status, 'cancelled');
  await queue.stop(1000);
});

test('leaves queued what it claims at the moment in which it is stopped', { timeout: 10_000 }, async () => {
  const { promise: gate, resolve: release } = Promise.withResolvers<void>();
  const { operations } = catalogue;
  const claim = async (owner: string) => {
    const claimed = await operations.claim(owner);
    if (claimed?.id === 'late') await gate;
    return claimed;
  };
  const queue = createEmbeddedQueue({ operations: { ...operations, claim }, owner: 'this', concurrency: 1, logger });
  await queue.start(async ({ id }) => assert.fail(`${id} began`));
  await queue.enqueue(operation('late'));
  await runs('late');
  const stopping = queue.stop(1000);
  release();
  await stopping;
  assert.equal((await operations.get('late'))?.status, 'queued');
  assert.deepEqual(await operations.owners(), []);
  await operations.update('late', { status: 'cancelled' });
});
