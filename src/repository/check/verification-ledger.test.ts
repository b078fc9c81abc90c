import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import type { Storage } from '../../core/ports/storage.ts';
import { openStorage } from '../../storage/local/local-storage.ts';
import { Keyring } from '../keyring.ts';
import { encodeMetadata } from '../metadata-encoding.ts';
import { packKey } from '../pack-format.ts';
import { SEALED_KIND, sealObject } from '../sealed-object.ts';
import { schedulePacks } from './pack-schedule.ts';
import { VerificationLedger } from './verification-ledger.ts';

const keyring = Keyring.create('ab'.repeat(16), new Date());
let folder: string;
let storage: Storage;
before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'holdfast-ledger-'));
});
after(() => rm(folder, { recursive: true, force: true }));

async function emptyLedger(): Promise<VerificationLedger> {
  storage = await openStorage({ folder: await mkdtemp(path.join(folder, 'repository-')) });
  return readAgain();
}

function readAgain(): Promise<VerificationLedger> {
  return VerificationLedger.read(storage, () => keyring);
}

function packId(): string {
  return randomBytes(32).toString('hex');
}

function at(minute: number): Date {
  return new Date(Date.UTC(2026, 0, 1, 0, minute));
}

test('what was noted is there after it was flushed and read again, at its level', async () => {
  const ledger = await emptyLedger();
  const [hashed, decoded] = [packId(), packId()];
  ledger.note(hashed, 3, at(1));
  ledger.note(decoded, 4, at(2));
  await ledger.flush();
  const again = await readAgain();
  assert.equal(again.verifiedAt(hashed, 3), at(1).getTime());
  assert.equal(again.verifiedAt(hashed, 4), undefined);
  assert.equal(again.verifiedAt(decoded, 4), at(2).getTime());
  assert.equal(again.verifiedAt(decoded, 3), at(2).getTime(), 'decoding every chunk is more than hashing');
  assert.equal(again.verifiedAt(packId(), 3), undefined);
});

test('damage takes back that a pack was verified, until it is verified again', async () => {
  const ledger = await emptyLedger();
  const id = packId();
  ledger.note(id, 4, at(1));
  ledger.note(id, 0, at(2));
  await ledger.flush();
  const damaged = await readAgain();
  assert.ok(damaged.isDamaged(id));
  assert.equal(damaged.verifiedAt(id, 3), undefined);
  damaged.note(id, 3, at(3));
  await damaged.flush();
  const healed = await readAgain();
  assert.ok(!healed.isDamaged(id));
  assert.equal(healed.verifiedAt(id, 3), at(3).getTime());
});

test('many segments are folded into one that says the same of all packs that are still there', async () => {
  let ledger = await emptyLedger();
  const ids = Array.from({ length: 40 }, packId);
  const gone = ids[7]!;
  const present = new Set(ids.filter((id) => id !== gone));
  for (const [minute, id] of ids.entries()) {
    ledger.note(id, minute % 2 === 0 ? 3 : 4, at(minute));
    await ledger.flush(present);
    ledger = await readAgain();
  }
  assert.ok((await storage.list('verify/')).length < 20);
  for (const [minute, id] of ids.entries())
    assert.equal(ledger.verifiedAt(id, 3), id === gone ? undefined : at(minute).getTime());
});

test('a damaged segment costs what it said and nothing else; one of a newer version is left alone', async () => {
  const ledger = await emptyLedger();
  const [lost, kept] = [packId(), packId()];
  ledger.note(kept, 4, at(1));
  await ledger.flush();
  const name = `verify/${packId()}`;
  await storage.putNew(name, Buffer.from('not a ledger'));
  const newer = sealObject(keyring, encodeMetadata({ version: 2, rows: 'of another kind' }), {
    kind: SEALED_KIND.verification,
    name: '',
    cipher: 1,
    codec: { name: 'raw', level: 0 },
  });
  const newerName = `verify/${packId()}`;
  await storage.putNew(newerName, newer);
  const again = await readAgain();
  assert.deepEqual(
    again.damaged.map(({ key }) => key),
    [name],
  );
  assert.equal(again.verifiedAt(kept, 4), at(1).getTime());
  assert.equal(again.verifiedAt(lost, 4), undefined);
  for (let minute = 0; minute < 40; minute++) {
    again.note(lost, 3, at(minute));
    await again.flush();
  }
  assert.ok((await storage.list('verify/')).some(({ key }) => key === newerName));
});

test('the state tells how much is verified and since when', async () => {
  const ledger = await emptyLedger();
  const [old, recent, never, damaged] = [packId(), packId(), packId(), packId()];
  ledger.note(old, 3, at(1));
  ledger.note(recent, 3, at(9));
  ledger.note(damaged, 0, at(5));
  const sizes = new Map([
    [old, 100],
    [recent, 200],
    [never, 300],
    [damaged, 400],
  ]);
  assert.deepEqual(ledger.state(3, sizes), {
    level: 3,
    verifiedFraction: 0.3,
    oldestVerification: at(1).toISOString(),
    unverifiedPacks: 2,
    damagedPacks: 1,
  });
  assert.equal(ledger.state(4, sizes).verifiedFraction, 0);
  assert.equal(ledger.state(4, new Map()).verifiedFraction, 1);
});

test('a budget takes packs never verified first, then the oldest, and at least one', async () => {
  const ledger = await emptyLedger();
  const [old, recent, never, future] = [packId(), packId(), packId(), packId()];
  ledger.note(recent, 3, at(50));
  ledger.note(old, 3, at(1));
  ledger.note(future, 3, at(500));
  const sizes = new Map([old, recent, never, future].map((id) => [packKey(id), 100]));
  const chosen = (budget: Parameters<typeof schedulePacks>[3], level: 3 | 4 = 3): string[] =>
    schedulePacks(sizes, level, ledger, budget, at(60)).map((key) => key.slice(-64));
  assert.deepEqual(chosen(undefined), [never, old, recent, future]);
  assert.deepEqual(chosen({ maxBytes: 250 }), [never, old]);
  assert.deepEqual(chosen({ maxFraction: 0.25 }), [never]);
  assert.deepEqual(chosen({ maxBytes: 1 }), [never], 'something is always read');
  assert.deepEqual(
    chosen({ maxAgeMilliseconds: 30 * 60_000 }),
    [never, old, future],
    'a time that is still to come proves nothing',
  );
  assert.equal(chosen({ maxAgeMilliseconds: 30 * 60_000 }, 4).length, 4, 'hashing is not decoding');
});
