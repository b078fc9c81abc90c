import assert from 'node:assert/strict';
import { randomFillSync } from 'node:crypto';
import { mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import type { Storage } from '../../core/ports/storage.ts';
import { openStorage } from './local-storage.ts';

let folder: string;
let storage: Storage;
before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'holdfast-storage-'));
  storage = await openStorage({ folder });
});
after(() => rm(folder, { recursive: true, force: true }));

test('an object is made once and never replaced', async () => {
  assert.equal(await storage.putNew('packs/aa/one', Buffer.from('first')), 'created');
  assert.equal(await storage.putNew('packs/aa/one', Buffer.from('second')), 'exists');
  assert.equal((await storage.get('packs/aa/one')).toString(), 'first');
});

test('of many that make one object at once, exactly one creates it', async () => {
  const outcomes = await Promise.all(
    Array.from({ length: 20 }, (_, n) => storage.putNew('gc/1/condemned', Buffer.from(`${n}`))),
  );
  assert.equal(outcomes.filter((outcome) => outcome === 'created').length, 1);
});

test('a pending object is invisible until its commit and leaves nothing when it is given up', async () => {
  const pending = storage.beginNew();
  pending.write(Buffer.from('hello '));
  pending.write(Buffer.from('world'));
  assert.equal((await storage.list('late/')).length, 0);
  assert.equal(await pending.commit('late/object'), 'created');
  assert.equal((await storage.get('late/object')).toString(), 'hello world');
  const given = storage.beginNew();
  given.write(Buffer.from('x'));
  await given.abort();
  assert.deepEqual(await readdir(path.join(folder, 'tmp')), []);
});

test('blocks that are handed over while others fill come to lie in their order, and each is given back', async () => {
  const pending = storage.beginNew();
  const expected: Buffer[] = [];
  let freed = 0;
  for (const length of [8192, 2_097_152, 4096, 12_288, 4097, 100]) {
    const block = storage.allocate?.(length).subarray(0, length) ?? Buffer.alloc(length);
    randomFillSync(block);
    expected.push(Buffer.from(block));
    pending.write(block, () => {
      // Whoever owns it again may write into it at once.
      block.fill(0);
      freed++;
    });
  }
  const plain = Buffer.from('ordinary memory after it');
  pending.write(plain);
  await pending.commit('direct/object');
  assert.equal(freed, 6);
  const whole = Buffer.concat([...expected, plain]);
  assert.ok((await storage.get('direct/object')).equals(whole));
  for (const [offset, length] of [
    [0, whole.length],
    [5000, 1_000_000],
    [whole.length - 300_000, 300_000],
  ] as const) {
    const buffer = storage.allocate?.(length);
    const read = await storage.getRange('direct/object', offset, length, buffer);
    assert.ok(read.equals(whole.subarray(offset, offset + length)));
  }
  await assert.rejects(
    storage.getRange('direct/object', whole.length - 300_000, 300_001, storage.allocate?.(300_001)),
    { code: 'object-truncated' },
  );
  await assert.rejects(storage.getRange('direct/absent', 0, 300_000, storage.allocate?.(300_000)), {
    code: 'object-missing',
  });
});

test('an object given up while blocks are on their way leaves nothing', async () => {
  const pending = storage.beginNew();
  const block = storage.allocate?.(4_194_304).subarray(0, 4_194_304) ?? Buffer.alloc(4_194_304);
  const freed = new Promise<void>((resolve) => pending.write(block, resolve));
  await pending.abort();
  await freed;
  assert.deepEqual(await readdir(path.join(folder, 'tmp')), []);
});

test('a range is read whole or refused as truncated', async () => {
  await storage.putNew('range', Buffer.from('0123456789'));
  assert.equal((await storage.getRange('range', 3, 4)).toString(), '3456');
  await assert.rejects(storage.getRange('range', 8, 4), { code: 'object-truncated' });
  await assert.rejects(storage.get('absent'), { code: 'object-missing' });
});

test('listings give every object below a folder with its size', async () => {
  await storage.putNew('list/b/2', Buffer.alloc(2));
  await storage.putNew('list/a/1', Buffer.alloc(1));
  const listed = [...(await storage.list('list/'))].sort((a, b) => a.key.localeCompare(b.key));
  assert.deepEqual(listed, [
    { key: 'list/a/1', size: 1 },
    { key: 'list/b/2', size: 2 },
  ]);
  assert.deepEqual(await storage.list('never-written/'), []);
});

test('a listing of a repository that has gone is an error, not emptiness', async () => {
  const gone = await openStorage({ folder: path.join(folder, 'unmounted') });
  await assert.rejects(gone.list('snapshots/'), { code: 'object-missing' });
});

test('objects are readable by their owner only', async () => {
  await storage.putNew('private', Buffer.from('x'));
  assert.equal((await stat(path.join(folder, 'private'))).mode & 0o777, 0o400);
});

test('what a killed process left in tmp a day ago is removed, what is younger is left alone', async () => {
  const [old, young] = ['1-old', '1-young'].map((name) => path.join(folder, 'tmp', name));
  await writeFile(old!, 'x');
  await writeFile(young!, 'x');
  const longAgo = new Date(Date.now() - 25 * 3_600_000);
  await utimes(old!, longAgo, longAgo);
  await openStorage({ folder });
  assert.deepEqual(await readdir(path.join(folder, 'tmp')), ['1-young']);
  await rm(young!);
});
