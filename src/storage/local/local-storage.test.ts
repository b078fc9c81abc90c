import assert from 'node:assert/strict';
import { closeSync, readdirSync, readlinkSync } from 'node:fs';
import { mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { keepsTheContractOfStorages } from '../../../test/storage-contract.ts';
import type { Storage } from '../../core/ports/storage.ts';
import { openStorage } from './local-storage.ts';

let folder: string;
let storage: Storage;
before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'holdfast-storage-'));
  storage = await openStorage({ folder });
});
after(() => rm(folder, { recursive: true, force: true }));

keepsTheContractOfStorages(() => storage);

test('a pending object that is given up leaves nothing', async () => {
  const given = storage.beginNew();
  given.write(Buffer.from('x'));
  await given.abort();
  assert.deepEqual(await readdir(path.join(folder, 'tmp')), []);
});

test('an object given up while blocks are on their way leaves nothing', async () => {
  const pending = storage.beginNew();
  const block = storage.allocate?.(4_194_304).subarray(0, 4_194_304) ?? Buffer.alloc(4_194_304);
  const freed = new Promise<void>((resolve) => pending.write(block, resolve));
  await pending.abort();
  await freed;
  assert.deepEqual(await readdir(path.join(folder, 'tmp')), []);
});

test('an object given up closes all of its files, also where one does not close well', async () => {
  const given = storage.beginNew();
  given.write(Buffer.from('x'));
  const [name = ''] = await readdir(path.join(folder, 'tmp'));
  const opened = descriptorsOf(name);
  assert.ok(opened.length > 0);
  closeSync(opened[0]!);
  await given.abort();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(descriptorsOf(name), []);
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

/** This process's, of a file in `tmp`, in the order in which they were opened. */
function descriptorsOf(name: string): number[] {
  const numbers = readdirSync('/proc/self/fd').map(Number);
  return numbers.sort((a, b) => a - b).filter((number) => placeOf(number).includes(path.join('tmp', name)));
}

function placeOf(descriptor: number): string {
  try {
    return readlinkSync(`/proc/self/fd/${descriptor}`);
  } catch {
    // It was that of the listing.
    return '';
  }
}
