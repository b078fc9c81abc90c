import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as pause } from 'node:timers/promises';
import type { ObjectSource } from '../src/core/ports/object-source.ts';
import { startDownloads } from './download-rig.ts';
import { externalService } from './external-rig.ts';

const COUNT = 60;

test('many places of other tools are listed a few at a time, and all of them', async (t) => {
  let [running, most] = [0, 0];
  const bucket: ObjectSource = {
    location: 'a bucket of tests',
    async *list() {
      most = Math.max(most, ++running);
      for (let turn = 0; turn < 20; turn++) await pause();
      yield { key: 'shop-2026-11-19.sql', size: 1, modifiedAt: new Date(0) };
      running--;
    },
    open: () => assert.fail('Only lists are asked for.'),
    close: async () => undefined,
  };
  const { url, application } = await startDownloads(t, {
    services: [externalService({}, { openBucket: async () => bucket })],
  });
  const configuration = {
    source: { kind: 'listing', patterns: ['shop-{yyyy}-{MM}-{dd}.sql'] },
    ...{ objects: { kind: 's3', bucket: 'tests' }, content: 'bytes' },
  };
  for (let number = 0; number < COUNT; number++)
    await application.resources.put({ id: `shop-${number}`, service: 'external', configuration });
  const answer = await fetch(`${url}/snapshots?limit=1000`, { headers: { accept: 'application/json' } });
  const listed = (await answer.json()) as { resource: string }[];
  assert.equal(new Set(listed.map(({ resource }) => resource)).size, COUNT);
  assert.ok(most > 1 && most <= 16, `${most} at once`);
});
