import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { it } from 'node:test';
import { openSqliteCatalogue } from '../src/catalogue/sqlite/sqlite-catalogue.ts';
import { DEFAULT_DOWNLOADS } from '../src/core/download.ts';
import type { Permission } from '../src/core/download-permissions.ts';
import { DownloadPlaces } from '../src/core/download-places.ts';

const nothing = () => undefined;
const PERMISSION: Permission = { variants: 'all', latestOnly: false, reasonFor: [], limits: {}, account: 'local:fred' };

it('what downloads used of a day and an hour outlives a restart, and is forgotten when nobody asks any more', async (t) => {
  const folder = await mkdtemp(path.join(tmpdir(), 'holdfast-places-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  let now = new Date('2026-11-21T14:59:00Z');
  const reopened = async () => {
    const catalogue = await openSqliteCatalogue({ file: path.join(folder, 'catalogue.sqlite') });
    const places = new DownloadPlaces({
      usage: catalogue.downloadUsage,
      configuration: { ...DEFAULT_DOWNLOADS, limits: { bytesPerDay: 1000, downloadsPerHour: 2 } },
      clock: { now: () => now },
      logger: { debug: nothing, info: nothing, warn: nothing, error: nothing },
    });
    return { catalogue, places };
  };
  const first = await reopened();
  const place = await first.places.enter([PERMISSION]);
  place.begin();
  place.count(999);
  await place.leave();
  await first.catalogue.close();

  const second = await reopened();
  const other = await second.places.enter([PERMISSION]);
  other.begin();
  await assert.rejects(second.places.enter([PERMISSION]), (error: { code: string; details: object }) => {
    assert.deepEqual(error.details, { limit: '2 in an hour', retryAfterSeconds: 60 });
    return error.code === 'download-limit-reached';
  });
  other.count(1);
  now = new Date('2026-11-21T15:00:00Z');
  await assert.rejects(second.places.enter([PERMISSION]), {
    details: { limit: '1000 bytes in a day of UTC', retryAfterSeconds: 32_400 },
  });
  await other.leave();
  assert.deepEqual(await second.catalogue.downloadUsage.get('local:fred', '2026-11-21'), { downloads: 0, bytes: 1000 });
  now = new Date('2026-11-24T00:00:00Z');
  const later = await second.places.enter([PERMISSION]);
  later.begin();
  await later.leave();
  assert.deepEqual(await second.catalogue.downloadUsage.get('local:fred', '2026-11-21'), { downloads: 0, bytes: 0 });
  await second.catalogue.close();
});
