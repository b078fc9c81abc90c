import assert from 'node:assert/strict';
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
