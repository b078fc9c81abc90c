import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { ChunkClaims } from './chunk-claims.ts';

function idOf(number: number): Buffer {
  return createHash('sha256').update(`chunk ${number}`).digest();
}

describe('claims on chunks', () => {
  test('the first to ask gets a chunk, nobody after, however much the table grows', () => {
    const claims = new ChunkClaims();
    const before = claims.shared.byteLength;
    const other = new ChunkClaims(claims.shared);
    for (let chunk = 0; chunk < 40_000; chunk++)
      assert.ok((chunk % 2 === 0 ? claims : other).claim(idOf(chunk)), `${chunk}`);
    assert.ok(claims.shared.byteLength > before * 2);
    for (let chunk = 0; chunk < 40_000; chunk++)
      assert.ok(!(chunk % 3 === 0 ? claims : other).claim(idOf(chunk)), `${chunk}`);
    assert.ok(claims.claim(idOf(40_000)));
  });

  test('of ids that all fall into one place none is lost: at worst some are claimed twice', () => {
    const claims = new ChunkClaims();
    const crowded = Array.from({ length: 400 }, (_, number) => {
      const id = idOf(number);
      id.fill(0, 0, 4);
      return id;
    });
    for (const id of crowded) assert.ok(claims.claim(id));
  });

  test('threads that claim the same chunks at the same time share them out, with hardly one claimed twice', async () => {
    const claims = new ChunkClaims();
    const gate = new Int32Array(new SharedArrayBuffer(8));
    const total = 30_000;
    const module = new URL('./chunk-claims.ts', import.meta.url).href;
    const source = `const { workerData, parentPort } = require('node:worker_threads');
      const { createHash } = require('node:crypto');
      import(workerData.module).then(({ ChunkClaims }) => {
        const claims = new ChunkClaims(workerData.shared);
        const ids = Array.from({ length: workerData.total }, (_, n) => createHash('sha256').update('chunk ' + n).digest());
        Atomics.add(workerData.gate, 0, 1);
        while (Atomics.load(workerData.gate, 0) < 2);
        const mine = [];
        for (const [n, id] of ids.entries()) if (claims.claim(id)) mine.push(n);
        parentPort.postMessage(mine);
      });`;
    const workers = [0, 1].map(
      () => new Worker(source, { eval: true, workerData: { module, shared: claims.shared, gate, total } }),
    );
    try {
      const taken = await Promise.all(
        workers.map(
          (worker) =>
            new Promise<number[]>((resolve, reject) => {
              worker.on('message', resolve);
              worker.on('error', reject);
            }),
        ),
      );
      const all = taken.flat();
      assert.equal(new Set(all).size, total, 'a chunk was claimed by nobody');
      assert.ok(all.length - total < total / 100, `${all.length - total} chunks were claimed twice`);
    } finally {
      for (const worker of workers) await worker.terminate();
    }
  });
});
