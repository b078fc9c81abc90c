import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { Kysely, Migrator, SqliteDialect } from 'kysely';
import type { Catalogue } from '../../core/ports/catalogue.ts';
import type { Ticket } from '../../core/ticket.ts';
import { initial } from '../migrations/0001-initial.ts';
import { lookUps } from '../migrations/0002-look-ups.ts';
import { drills } from '../migrations/0003-drills.ts';
import { downloadUsage } from '../migrations/0004-download-usage.ts';
import { NodeSqliteDatabase } from '../sqlite/node-sqlite-database.ts';
import { openSqliteCatalogue } from '../sqlite/sqlite-catalogue.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'holdfast-tickets-'));
});
after(() => rm(folder, { recursive: true, force: true }));

const WITHIN = { open: 2, since: at(-60), sinceThen: 3 };

/** Minutes from a certain moment. */
function at(minutes: number): string {
  return new Date(Date.UTC(2026, 0, 1, 12) + minutes * 60_000).toISOString();
}

function ticket(hash: string, facts: Partial<Ticket> = {}): Ticket {
  return {
    ...{ id: `ticket-${hash}`, hash, createdAt: at(0), expiresAt: at(10), fingerprint: 'f' },
    owner: { name: 'fred', method: 'token', credential: 'token-1' },
    order: {
      ...{ resourceId: 'shop', snapshotId: 'backup-1', variant: 'raw', format: 'sql' },
      ...{ mode: 'create', seal: 'full', reason: 'with "quotes" and \\' },
    },
    ...facts,
  };
}

/** Two processes that use one catalogue. */
async function two(name: string): Promise<{ one: Catalogue; other: Catalogue; close(): Promise<void> }> {
  const file = path.join(folder, `${name}.sqlite`);
  const one = await openSqliteCatalogue({ file });
  const other = await openSqliteCatalogue({ file });
  const close = async () => {
    await one.close();
    await other.close();
  };
  return { one, other, close };
}

test('a ticket is used up once, whichever process tries, and is found afterwards as used', async () => {
  const { one, other, close } = await two('once');
  assert.equal(await one.tickets.insert(ticket('a'), WITHIN), undefined);
  assert.deepEqual(await other.tickets.get('a'), ticket('a'));
  const taken = await Promise.all(
    Array.from({ length: 20 }, (_, count) => (count % 2 === 0 ? one : other).tickets.take('a', at(5))),
  );
  assert.equal(taken.filter(Boolean).length, 1);
  assert.deepEqual(await other.tickets.get('a'), { ...ticket('a'), usedAt: at(5) });
  await close();
});

test('a ticket that has expired, or is not there, cannot be used up', async () => {
  const { one, close } = await two('expired');
  await one.tickets.insert(ticket('a'), WITHIN);
  assert.equal(await one.tickets.take('a', at(10)), false);
  assert.equal(await one.tickets.take('b', at(1)), false);
  assert.equal(await one.tickets.take('a', at(9)), true);
  await close();
});

test('an owner has so many open and so many in an hour, of all processes together', async () => {
  const { one, other, close } = await two('limits');
  const made = await Promise.all(
    ['a', 'b', 'c', 'd'].map((hash, count) =>
      (count % 2 === 0 ? one : other).tickets.insert(ticket(hash, { expiresAt: at(10 + count) }), WITHIN),
    ),
  );
  const refused = made.filter((each) => each !== undefined);
  assert.equal(refused.length, 2);
  assert.equal(refused[0]!.limit, 'open');
  const owner = { name: 'fred', method: 'password' as const };
  assert.equal(await one.tickets.insert(ticket('e', { owner }), WITHIN), undefined, 'somebody else');
  const [open] = (await Promise.all(['a', 'b', 'c', 'd'].map((hash) => one.tickets.get(hash)))).filter(Boolean);
  await one.tickets.take(open!.hash, at(1));
  assert.equal(await other.tickets.insert(ticket('f', { createdAt: at(1) }), WITHIN), undefined);
  await one.tickets.take('f', at(2));
  assert.deepEqual(await one.tickets.insert(ticket('g', { createdAt: at(2) }), { ...WITHIN, since: at(-58) }), {
    ...{ limit: 'sinceThen', retryAt: at(60) },
  });
  const later = ticket('h', { createdAt: at(61), expiresAt: at(71) });
  assert.equal(await one.tickets.insert(later, { ...WITHIN, since: at(1) }), undefined);
  assert.equal(await one.tickets.get(open!.hash), undefined, 'and what is older is forgotten');
  await close();
});

test('a catalogue from before tickets gets their table and keeps all that it has', async () => {
  const file = path.join(folder, 'before.sqlite');
  const sqlite = new NodeSqliteDatabase(file);
  const database = new Kysely<unknown>({ dialect: new SqliteDialect({ database: sqlite }) });
  const before = {
    ...{ '0001-initial': initial, '0002-look-ups': lookUps, '0003-drills': drills },
    '0004-download-usage': downloadUsage,
  };
  const { error } = await new Migrator({
    db: database,
    provider: { getMigrations: async () => before },
  }).migrateToLatest();
  assert.equal(error, undefined);
  await database.destroy();
  const direct = new DatabaseSync(file);
  direct.exec(`INSERT INTO download_usage VALUES ('token:fred', '2026-01-01', 0, 4711)`);
  direct.close();
  const catalogue = await openSqliteCatalogue({ file });
  assert.equal((await catalogue.downloadUsage.get('token:fred', '2026-01-01')).bytes, 4711);
  assert.equal(await catalogue.tickets.insert(ticket('a'), WITHIN), undefined);
  assert.deepEqual(await catalogue.tickets.get('a'), ticket('a'));
  await catalogue.close();
});
