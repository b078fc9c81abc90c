import assert from 'node:assert/strict';
import { randomFillSync } from 'node:crypto';
import { test } from 'node:test';
import type { Storage } from '../src/core/ports/storage.ts';

/** What the engine relies on, of whatever kind the storage is. @param storageOf asked when a test runs */
export function keepsTheContractOfStorages(storageOf: () => Storage): void {
  test('an object is made once and never replaced', async () => {
    const storage = storageOf();
    assert.equal(await storage.putNew('packs/aa/one', Buffer.from('first')), 'created');
    assert.equal(await storage.putNew('packs/aa/one', Buffer.from('second')), 'exists');
    assert.equal((await storage.get('packs/aa/one')).toString(), 'first');
    assert.equal(
      await storage.putNew('packs/aa/parts', [Buffer.from('of '), Buffer.alloc(0), Buffer.from('two')]),
      'created',
    );
    assert.equal((await storage.get('packs/aa/parts')).toString(), 'of two');
    assert.equal(await storage.putNew('packs/aa/empty', new Uint8Array()), 'created');
    assert.equal((await storage.get('packs/aa/empty')).length, 0);
  });

  test('of many that make one object at once, exactly one creates it', async () => {
    const storage = storageOf();
    const outcomes = await Promise.all(
      Array.from({ length: 20 }, (_, n) => storage.putNew('gc/1/condemned', Buffer.from(`${n}`))),
    );
    assert.equal(outcomes.filter((outcome) => outcome === 'created').length, 1);
    const winner = outcomes.indexOf('created');
    assert.equal((await storage.get('gc/1/condemned')).toString(), `${winner}`);
  });

  test('a pending object is invisible until its commit and never replaces one', async () => {
    const storage = storageOf();
    const pending = storage.beginNew();
    const piece = Buffer.from('hello ');
    pending.write(piece);
    piece.fill(0);
    pending.write(Buffer.from('world'));
    assert.equal((await storage.list('late/')).length, 0);
    assert.equal(await pending.commit('late/object'), 'created');
    assert.equal((await storage.get('late/object')).toString(), 'hello world');
    await assert.rejects(pending.commit('late/again'), { code: 'pending-object-closed' });
    const second = storage.beginNew();
    second.write(Buffer.from('another'));
    assert.equal(await second.commit('late/object'), 'exists');
    assert.equal((await storage.get('late/object')).toString(), 'hello world');
    const given = storage.beginNew();
    given.write(Buffer.from('x'));
    await given.abort();
    assert.throws(() => given.write(Buffer.from('y')), { code: 'pending-object-closed' });
    assert.equal((await storage.list('late/')).length, 1);
  });

  test('blocks that are handed over while others fill come to lie in their order, and each is given back', async () => {
    const storage = storageOf();
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

  test('a range is read whole, into the buffer that is given, or refused as truncated', async () => {
    const storage = storageOf();
    await storage.putNew('range', Buffer.from('0123456789'));
    assert.equal((await storage.getRange('range', 3, 4)).toString(), '3456');
    const buffer = Buffer.alloc(20);
    const read = await storage.getRange('range', 3, 4, buffer);
    assert.deepEqual([read.buffer, read.toString()], [buffer.buffer, '3456']);
    assert.equal((await storage.getRange('range', 0, 0)).length, 0);
    await assert.rejects(storage.getRange('range', 8, 4), { code: 'object-truncated' });
    await assert.rejects(storage.getRange('range', 80, 4), { code: 'object-truncated' });
    await assert.rejects(storage.getRange('absent', 0, 0), { code: 'object-missing' });
    await assert.rejects(storage.get('absent'), { code: 'object-missing' });
  });

  test('listings give every object below a folder with its size', async () => {
    const storage = storageOf();
    await storage.putNew('list/b/2', Buffer.alloc(2));
    await storage.putNew('list/a/1', Buffer.alloc(1));
    await storage.putNew('list-of-another', Buffer.alloc(1));
    const listed = [...(await storage.list('list/'))].sort((a, b) => a.key.localeCompare(b.key));
    assert.deepEqual(listed, [
      { key: 'list/a/1', size: 1 },
      { key: 'list/b/2', size: 2 },
    ]);
    assert.deepEqual(await storage.list('never-written/'), []);
  });

  test('a replaced object has the new bytes alone, and one that is deleted twice is gone', async () => {
    const storage = storageOf();
    await storage.replace('sessions/one', Buffer.from('a longer first text'));
    await storage.replace('sessions/one', Buffer.from('second'));
    assert.equal((await storage.get('sessions/one')).toString(), 'second');
    await storage.delete('sessions/one');
    await storage.delete('sessions/one', { durable: true });
    await assert.rejects(storage.get('sessions/one'), { code: 'object-missing' });
    assert.equal(await storage.putNew('sessions/one', Buffer.from('a new one')), 'created');
  });

  test('another thread opens the same storage by its reference, in which no secret is', async () => {
    const storage = storageOf();
    const { module, options } = structuredClone(storage.reopen);
    const { openStorage } = (await import(module)) as { openStorage(options: unknown): Promise<Storage> };
    const again = await openStorage(options);
    assert.equal(again.location, storage.location);
    assert.equal(await again.putNew('from/another', Buffer.from('x')), 'created');
    assert.equal((await storage.get('from/another')).toString(), 'x');
    await again.close();
  });

  test('the storage tells the time', async () => {
    const difference = Math.abs((await storageOf().serverTime()).getTime() - Date.now());
    assert.ok(difference < 60_000, `${difference} ms`);
  });
}
