import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import type { Resource } from '../src/core/resource.ts';
import { FolderSource } from '../src/services/external/objects/folder-source.ts';
import { processes } from './decoding-rig.ts';
import { endGpg, externalResource, externalService, finishedFile, gpgOf, plainDump } from './external-rig.ts';
import { skipWithout } from './installed-programs.ts';
import { DAY, gather, openManagedApplication, temporaryFolder } from './managed-application.ts';

function linkOf(file: string): string {
  try {
    return readlinkSync(file);
  } catch {
    return '';
  }
}

const signal = new AbortController().signal;
const warn = () => undefined;

describe('backups of another tool in a folder', { skip: skipWithout({ gpg: 'gnupg' }) }, () => {
  let place: string;
  let folder: string;
  let gnupg: string;

  before(() => {
    place = mkdtempSync(path.join(tmpdir(), 'external-folder-'));
    folder = path.join(place, 'backups');
    gnupg = path.join(place, 'gnupg');
    for (const day of ['18', '19', '20'])
      finishedFile(
        path.join(folder, 'daily', `shop-2026-11-${day}T0300.sql.gz.gpg`),
        gpgOf(gzipSync(plainDump(`day ${day}`)), gnupg),
      );
    const weekly = gpgOf(plainDump('the week'), gnupg);
    finishedFile(path.join(folder, 'weekly', 'shop-2026-11-15T0300.sql.gpg'), weekly);
  });

  after(() => {
    endGpg(gnupg);
    rmSync(place, { recursive: true, force: true });
  });

  function shop(change: Record<string, unknown> = {}, source: Record<string, unknown> = {}): Resource {
    return externalResource({
      source: {
        kind: 'listing',
        patterns: ['*/shop-{yyyy}-{MM}-{dd}T{HH}{mm}.sql.gpg', '*/shop-{yyyy}-{MM}-{dd}T{HH}{mm}.sql.gz.gpg'],
        ...source,
      },
      objects: { kind: 'folder', folder },
      passphrase: 'env:PASSPHRASE',
      ...change,
    });
  }

  it('are listed newest first, retained sets included, and given decrypted and decompressed', async () => {
    const { externalSnapshots } = externalService();
    assert.ok(externalSnapshots);
    const resource = shop();
    const listed = await externalSnapshots.list(resource, { limit: 100, signal });
    assert.deepEqual(
      listed.map(({ createdAt }) => createdAt),
      ['20', '19', '18', '15'].map((day) => `2026-11-${day}T03:00:00.000Z`),
    );
    assert.match(listed[0]?.id ?? '', /^external-20261120T030000Z-[0-9a-f]{16}$/);
    assert.deepEqual(externalSnapshots.formats(resource), { formats: ['sql', 'bytes'], dialect: 'postgresql' });
    const material = await externalSnapshots.open(resource, listed[1]!, { signal, warn });
    assert.equal(material.format, 'sql');
    assert.equal(material.dialect, 'postgresql');
    assert.deepEqual(await gather(material.bytes()), plainDump('day 19'));
  });

  it('that are unfinished, or of a later moment than the minimum age, are left out', async () => {
    const { externalSnapshots } = externalService();
    finishedFile(path.join(folder, 'daily', 'shop-2026-11-21T0300.sql.gpg'), Buffer.from('half'), 10);
    finishedFile(path.join(folder, 'daily', '.shop-2026-11-21T0301.sql.gpg'), Buffer.from('half'));
    finishedFile(path.join(folder, 'daily', 'shop-2026-11-21T0302.sql.gpg.part'), Buffer.from('half'));
    finishedFile(path.join(folder, 'broken', 'shop-2026-11-21T0303.sql.gpg'), Buffer.from('half'));
    finishedFile(path.join(folder, 'lost+found', 'shop-2026-11-21T0304.sql.gpg'), Buffer.from('half'));
    const newest = async (resource: Resource) =>
      (await externalSnapshots?.list(resource, { limit: 1, signal }))?.[0]?.createdAt;
    const patterns = ['*/shop-{yyyy}-{MM}-{dd}T{HH}{mm}.sql*', '*/.shop-{yyyy}-{MM}-{dd}T{HH}{mm}.sql*'];
    assert.equal(await newest(shop({}, { patterns, ignore: ['broken/'] })), '2026-11-20T03:00:00.000Z');
    const eager = shop({}, { patterns, ignore: ['broken/'], minimumAgeSeconds: 0 });
    assert.equal(await newest(eager), '2026-11-21T03:00:00.000Z');
    rmSync(path.join(folder, 'broken'), { recursive: true });
    rmSync(path.join(folder, 'lost+found'), { recursive: true });
    rmSync(path.join(folder, 'daily', 'shop-2026-11-21T0300.sql.gpg'));
  });

  it('cannot lead out of the folder by links or dots', async () => {
    writeFileSync(path.join(place, 'secret.sql'), plainDump('secret'));
    const inside = path.join(folder, 'links');
    mkdirSync(inside);
    symlinkSync(path.join(place, 'secret.sql'), path.join(inside, 'shop-2026-12-01.sql'));
    symlinkSync(place, path.join(inside, 'up'));
    const { externalSnapshots } = externalService();
    const patterns = ['**/shop-{yyyy}-{MM}-{dd}.sql', '**/secret.sql'];
    assert.deepEqual(await externalSnapshots?.list(shop({}, { patterns }), { limit: 10, signal }), []);
    for (const prefix of ['../', 'links/../../', 'links/up/'])
      await assert.rejects(async () => externalSnapshots?.list(shop({}, { prefix, patterns }), { limit: 10, signal }), {
        code: 'external-finding-failed',
      });
    const source = new FolderSource(folder);
    for (const key of ['links/shop-2026-12-01.sql', 'links/up/secret.sql', '../secret.sql', '/etc/passwd'])
      await assert.rejects(source.open(key, { offset: 0, signal }), { code: 'object-not-inside' }, key);
    rmSync(inside, { recursive: true });
  });

  it('tell a developer which step failed, without where and why; the cause has that', async () => {
    const wrong = externalService({ 'env:PASSPHRASE': 'wrong' }).externalSnapshots;
    const [newest] = (await wrong?.list(shop(), { limit: 1, signal })) ?? [];
    assert.ok(newest);
    await assert.rejects(async () => wrong?.open(shop(), newest, { signal, warn }), { code: 'external-key-wrong' });
    const none = externalService({}).externalSnapshots;
    await assert.rejects(
      async () => none?.open(shop(), newest, { signal, warn }),
      (error: Error) => {
        assert.equal((error as { code?: string }).code, 'external-passphrase-failed');
        assert.doesNotMatch(error.message, /PASSPHRASE/);
        assert.match(String((error.cause as Error).message), /env:PASSPHRASE is not set/);
        return true;
      },
    );
    const elsewhere = shop({ objects: { kind: 'folder', folder: path.join(place, 'nowhere') } });
    await assert.rejects(
      async () => none?.list(elsewhere, { limit: 1, signal }),
      (error: Error) => {
        assert.doesNotMatch(error.message, /nowhere/);
        assert.match(String((error.cause as Error).message), /nowhere/);
        return true;
      },
    );
  });

  it('are adopted: the newest by a backup, all by an adoption, none twice, each with its own time', async () => {
    const { folder: data, remove } = await temporaryFolder();
    const managed = await openManagedApplication(data, { services: [externalService()] });
    try {
      const { application } = managed;
      const { configuration } = shop();
      await application.resources.put({ id: 'shop', service: 'external', configuration });
      const wait = async (started: { id: string }) => application.operations.wait(started.id, 60_000);
      const first = await wait(await application.backups.start({ resourceId: 'shop', createdBy: 'test' }));
      assert.equal(first.status, 'completed', JSON.stringify(first.error));
      const newest = await application.backups.get(first.backupId ?? '');
      assert.equal(newest.createdAt, '2026-11-20T03:00:00.000Z');
      assert.equal(newest.external?.content, 'postgresql-sql');
      assert.equal(newest.metadata.tags['external-id'], newest.external?.id);
      const { bytes } = await application.backups.content(newest.id, signal);
      assert.deepEqual(await gather(bytes), plainDump('day 20'));

      const again = await wait(await application.backups.start({ resourceId: 'shop', createdBy: 'test' }));
      assert.deepEqual([again.status, again.backupId, again.result?.alreadyAdopted], ['completed', newest.id, true]);

      const all = await wait(await application.adoptions.start({ resourceId: 'shop', all: true, createdBy: 'test' }));
      assert.equal(all.status, 'completed', JSON.stringify(all));
      assert.deepEqual([all.result?.adopted, all.result?.alreadyThere, all.result?.failed], [3, 1, 0]);
      const { items } = await application.backups.list({ resourceId: 'shop' }, { limit: 10 });
      assert.deepEqual(
        items.map(({ createdAt }) => createdAt.slice(8, 10)),
        ['20', '19', '18', '15'],
      );
      const repeated = await wait(
        await application.adoptions.start({ resourceId: 'shop', all: true, createdBy: 'test' }),
      );
      assert.deepEqual([repeated.result?.adopted, repeated.result?.alreadyThere], [0, 4]);

      const drill = await wait(
        await application.drills.start({ resourceId: 'shop', createdBy: 'test', assertions: [] }),
      );
      assert.equal(drill.status, 'completed', JSON.stringify(drill.error));
      const plan = await application.policies.preview('shop', { keepLast: 2 });
      assert.deepEqual(
        plan.forget.map(({ createdAt }) => createdAt.slice(8, 10)),
        ['18', '15'],
      );
    } finally {
      await managed.application.close();
      await remove();
    }
  });

  it('are adopted once, though two processes do it at the same time', async () => {
    const { folder: data, remove } = await temporaryFolder();
    const one = await openManagedApplication(data, { services: [externalService()] });
    const other = await openManagedApplication(data, { services: [externalService()] });
    try {
      const { configuration } = shop();
      await one.application.resources.put({ id: 'shop', service: 'external', configuration });
      const ended = await Promise.all(
        [one, other].map(async ({ application }) => {
          const started = await application.adoptions.start({ resourceId: 'shop', all: true, createdBy: 'test' });
          return application.operations.wait(started.id, 60_000);
        }),
      );
      for (const { status, result, error } of ended) {
        assert.equal(status, 'completed', JSON.stringify(error));
        assert.equal(Number(result?.adopted) + Number(result?.alreadyThere), 4);
      }
      const { items } = await one.application.backups.list({ resourceId: 'shop' }, { limit: 10 });
      assert.deepEqual(
        items.map(({ createdAt }) => createdAt.slice(8, 10)),
        ['20', '19', '18', '15'],
      );
    } finally {
      await one.application.close();
      await other.application.close();
      await remove();
    }
  });

  it('that are broken do not keep the others from being adopted, and the operation says so', async () => {
    const { folder: data, remove } = await temporaryFolder();
    const managed = await openManagedApplication(data, { services: [externalService()] });
    const broken = path.join(folder, 'daily', 'shop-2026-11-17T0300.sql.gz.gpg');
    const whole = gpgOf(gzipSync(plainDump('day 17', 100_000)), gnupg);
    finishedFile(broken, whole.subarray(0, whole.length - 2000));
    try {
      const { application } = managed;
      const { configuration } = shop();
      await application.resources.put({ id: 'shop', service: 'external', configuration });
      const started = await application.adoptions.start({ resourceId: 'shop', all: true, createdBy: 'test' });
      const ended = await application.operations.wait(started.id, 60_000);
      assert.deepEqual([ended.status, ended.error?.code], ['failed', 'adoption-incomplete']);
      assert.deepEqual([ended.result?.adopted, ended.result?.failed], [4, 1]);
      const { items } = await application.backups.list({ resourceId: 'shop' }, { limit: 10 });
      assert.equal(items.length, 4, 'half a backup is none');
    } finally {
      rmSync(broken);
      await managed.application.close();
      await remove();
    }
  });

  it('that a policy would take away again at once are not adopted', async () => {
    const { folder: data, remove } = await temporaryFolder();
    const managed = await openManagedApplication(data, { services: [externalService()] });
    try {
      const { application } = managed;
      const retentionDays = Math.ceil((managed.now().getTime() - Date.parse('2026-11-19T03:00:00Z')) / DAY);
      const { configuration } = shop();
      await application.resources.put({ id: 'shop', service: 'external', configuration, metadata: { retentionDays } });
      const started = await application.adoptions.start({ resourceId: 'shop', all: true, createdBy: 'test' });
      const ended = await application.operations.wait(started.id, 60_000);
      assert.deepEqual([ended.result?.adopted, ended.result?.expired], [2, 2]);

      const stale = { retentionDays: 1 };
      const source = { patterns: ['weekly/shop-{yyyy}-{MM}-{dd}T{HH}{mm}.sql.gpg'] };
      const { configuration: weekly } = shop({}, source);
      await application.resources.put({ id: 'stale', service: 'external', configuration: weekly, metadata: stale });
      const again = await application.backups.start({ resourceId: 'stale', createdBy: 'test' });
      const refused = await application.operations.wait(again.id, 60_000);
      assert.deepEqual([refused.status, refused.error?.code], ['failed', 'external-snapshot-expired']);
    } finally {
      await managed.application.close();
      await remove();
    }
  });

  it('leave no file open and no process behind, whoever goes away when', async () => {
    const { externalSnapshots } = externalService();
    const [newest] = (await externalSnapshots?.list(shop(), { limit: 1, signal })) ?? [];
    assert.ok(newest && externalSnapshots);
    const unread = new AbortController();
    await externalSnapshots.open(shop(), newest, { signal: unread.signal, warn });
    unread.abort();
    const half = new AbortController();
    const material = await externalSnapshots.open(shop(), newest, { signal: half.signal, warn });
    for await (const _piece of material.bytes()) break;
    assert.deepEqual(getEventListeners(half.signal, 'abort'), [], 'whoever adopts ten thousand has one signal for all');
    const late = new AbortController();
    const begun = (await externalSnapshots.open(shop(), newest, { signal: late.signal, warn })).bytes();
    await begun[Symbol.asyncIterator]().next();
    late.abort();
    await assert.rejects(async () => externalSnapshots.open(shop(), newest, { signal: AbortSignal.abort(), warn }));
    const left = () => [
      ...readdirSync('/proc/self/fd').filter((fd) => linkOf(`/proc/self/fd/${fd}`).startsWith(folder)),
      ...processes().filter(({ parent, text }) => parent === process.pid && text.includes('holdfast-gpg')),
    ];
    while (left().length > 0) await new Promise((resolve) => setTimeout(resolve, 20));
  });

  it('are tested step by step', async () => {
    const { test } = externalService();
    const resource = shop();
    const checks = await test?.({ configuration: resource.configuration, resource, signal });
    assert.deepEqual(
      checks?.map(({ name, outcome }) => [name, outcome]),
      [
        ['finding', 'ok'],
        ['passphrase', 'ok'],
        ['object', 'ok'],
        ['decryption', 'ok'],
      ],
    );
    assert.match(checks?.[3]?.message ?? '', /gpg.*gzip.*postgresql-sql/);
    const wrong = await externalService({ 'env:PASSPHRASE': 'wrong' }).test?.({
      configuration: resource.configuration,
      resource,
      signal,
    });
    assert.equal(wrong?.[3]?.outcome, 'failed');
  });
});
