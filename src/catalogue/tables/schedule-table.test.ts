import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import type { Schedule } from '../../core/schedule.ts';
import { openSqliteCatalogue } from '../sqlite/sqlite-catalogue.ts';

test('what a schedule started is noted beside changes, never of an earlier run, and brings no removed one back', async (context) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-schedules-'));
  const file = path.join(folder, 'catalogue.db');
  const [service, command] = [await openSqliteCatalogue({ file }), await openSqliteCatalogue({ file })];
  context.after(async () => {
    await Promise.all([service.close(), command.close()]);
    await rm(folder, { recursive: true });
  });
  const at = (hour: number) => new Date(Date.UTC(2026, 0, 1, hour)).toISOString();
  const schedule: Schedule = {
    id: 'nightly',
    resourceId: 'shop',
    cron: '@daily',
    timeZone: 'UTC',
    enabled: true,
    createdAt: at(0),
    updatedAt: at(0),
  };
  const ran = (hour: number) => ({ lastRunAt: at(hour), lastOperationId: `operation-${hour}` });
  await service.schedules.put(schedule);
  await command.schedules.put({ ...schedule, cron: '@hourly' });
  await service.schedules.recordRun('nightly', ran(3));
  await command.schedules.recordRun('nightly', ran(2));
  assert.deepEqual(await service.schedules.get('nightly'), { ...schedule, cron: '@hourly', ...ran(3) });
  await command.schedules.delete('nightly');
  await service.schedules.recordRun('nightly', ran(4));
  assert.deepEqual(await command.schedules.list(), []);
});
