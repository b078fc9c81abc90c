import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Application } from '../../core/application.ts';
import { HttpMetrics } from './http-metrics.ts';

const NEWEST = new Map([['shop', { id: 'b1', createdAt: '2026-01-01T00:00:00Z' }]]);

/** As much as metrics ask for. @param waits milliseconds before each answer about the newest backups, one reader after the other */
function application(...waits: number[]): Application {
  const asked = {
    onBackupEnd: () => () => undefined,
    totals: async () => ({ backups: 1, resources: 1, bytes: 1, storedBytes: 1 }),
    resources: { list: async () => ({ items: [{ id: 'shop' }] }) },
    backups: {
      newestOf: async () => {
        await sleep(waits.shift() ?? 0);
        return NEWEST;
      },
    },
    drills: {
      standings: async () => {
        await sleep(50);
        return [];
      },
    },
    logs: { captures: () => new Map() },
  };
  return asked as unknown as Application;
}

test('readers at the same time all find the newest backup of each resource', async () => {
  const metrics = new HttpMetrics(application(0, 200));
  const first = metrics.text();
  await sleep(20);
  for (const text of await Promise.all([first, metrics.text()]))
    assert.match(text, /^holdfast_resource_newest_backup_timestamp_seconds\{resource="shop"\} 1767225600$/m);
});

test('no failed backup yet is counted as none, so that the first one is an increase', async () => {
  const text = await new HttpMetrics(application()).text();
  assert.match(text, /^holdfast_backups_total\{type="full",status="failed"\} 0$/m);
});
