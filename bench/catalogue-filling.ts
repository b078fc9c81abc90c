import { closeSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { ulid } from 'ulid';
import { openSqliteCatalogue } from '../src/catalogue/sqlite/sqlite-catalogue.ts';
import type { Backup } from '../src/core/backup.ts';
import type { Catalogue } from '../src/core/ports/catalogue.ts';
import { type Latencies, summarise } from './latencies.ts';

const RESOURCES = 500;
const MILLISECONDS_BETWEEN = 60_000;
const LOOKUPS = 1000;
const PAGE = 50;

export interface LookupLatencies {
  page: Latencies;
  pageOfResource: Latencies;
  latest: Latencies;
  atOrBefore: Latencies;
}

/**
 * Fills the catalogue of a running service and measures look-ups in it, without HTTP. The newest backup is what the new rows
 * look like; they have no snapshots in the repository, which listings and look-ups do not ask for.
 *
 * @param count backups that there are afterwards
 */
export async function fillAndMeasureCatalogue(dataFolder: string, count: number): Promise<LookupLatencies> {
  const catalogue = await openSqliteCatalogue({ file: databaseFile(dataFolder) });
  try {
    await fillCatalogue(catalogue, count);
    return await measureLookups(catalogue);
  } finally {
    await catalogue.close();
  }
}

/** New rows are spread over 500 resources and the minutes before the newest backup. */
async function fillCatalogue(catalogue: Catalogue, count: number): Promise<void> {
  const [template] = (await catalogue.backups.page({}, { limit: 1 })).items;
  const resource = template && (await catalogue.resources.get(template.resourceId));
  if (template === undefined || resource === undefined) throw new Error('The catalogue holds no backup to copy.');
  for (let index = 0; index < RESOURCES; index++) {
    await catalogue.resources.ensure({ ...resource, id: resourceId(index) });
  }
  const missing = count - (await catalogue.backups.count({}));
  for (let index = 0; index < missing; index++) await catalogue.backups.insert(earlierBackup(template, index));
}

function earlierBackup(template: Backup, index: number): Backup {
  const time = Date.parse(template.createdAt) - (index + 1) * MILLISECONDS_BETWEEN;
  const createdAt = new Date(time).toISOString();
  const id = `backup-${ulid(time)}`;
  return { ...template, id, resourceId: resourceId(index % RESOURCES), createdAt, completedAt: createdAt };
}

async function measureLookups(catalogue: Catalogue): Promise<LookupLatencies> {
  const { items } = await catalogue.backups.page({}, { limit: PAGE });
  const newest = Date.parse(items[0]?.createdAt ?? '');
  const total = await catalogue.backups.count({});
  const timeAt = (index: number) =>
    new Date(newest - ((index * 7919) % Math.ceil(total / 2)) * MILLISECONDS_BETWEEN).toISOString();
  return {
    page: await timed(() => catalogue.backups.page({}, { limit: PAGE })),
    pageOfResource: await timed((index) =>
      catalogue.backups.page({ resourceId: resourceId(index % RESOURCES) }, { limit: PAGE }),
    ),
    latest: await timed((index) => catalogue.backups.latest(resourceId(index % RESOURCES))),
    atOrBefore: await timed((index) => catalogue.backups.atOrBefore(resourceId(index % RESOURCES), timeAt(index), 100)),
  };
}

async function timed(action: (index: number) => Promise<unknown>): Promise<Latencies> {
  const milliseconds: number[] = [];
  for (let index = 0; index < LOOKUPS; index++) {
    const began = performance.now();
    await action(index);
    milliseconds.push(performance.now() - began);
  }
  return summarise(milliseconds);
}

function resourceId(index: number): string {
  return `filled-${index}`;
}

/** The one SQLite database in the data folder, whatever its name. */
function databaseFile(dataFolder: string): string {
  const found = readdirSync(dataFolder, { withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(dataFolder, entry.name))
    .find((path) => firstBytes(path).startsWith('SQLite format 3'));
  if (found === undefined) throw new Error(`${dataFolder} holds no SQLite database.`);
  return found;
}

function firstBytes(path: string): string {
  const bytes = Buffer.alloc(16);
  const file = openSync(path, 'r');
  readSync(file, bytes);
  closeSync(file);
  return bytes.toString('latin1');
}
