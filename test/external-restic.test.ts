import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { gzipSync } from 'node:zlib';
import { externalResource, externalService, PASSPHRASE, plainDump } from './external-rig.ts';
import { skipWithout } from './installed-programs.ts';
import { gather } from './managed-application.ts';

const { signal } = new AbortController();
const warn = () => undefined;

describe('a restic repository as the backups of another tool', { skip: skipWithout({ restic: 'restic' }) }, () => {
  let place: string;
  let data: string;
  const service = externalService();
  const repository = () => path.join(place, 'repository');

  before(() => {
    place = mkdtempSync(path.join(tmpdir(), 'external-restic-'));
    data = path.join(place, 'data');
    mkdirSync(data);
    const restic = (...args: string[]) =>
      execFileSync('restic', ['--no-cache', '--quiet', '-r', repository(), ...args], {
        env: { ...process.env, RESTIC_PASSWORD: PASSPHRASE },
        stdio: 'pipe',
      });
    restic('init');
    for (const [time, mark] of [
      ['2026-11-19 03:00:00', 'day 19'],
      ['2026-11-20 03:00:00', 'day 20'],
    ] as const) {
      writeFileSync(path.join(data, 'shop.sql.gz'), gzipSync(plainDump(mark)));
      restic('backup', '--time', time, '--tag', 'shop', data);
    }
    restic('backup', '--time', '2026-11-21 03:00:00', '--tag', 'other', data);
  });

  after(() => rmSync(place, { recursive: true, force: true }));

  const shop = (source: Record<string, unknown> = {}, passphrase = 'env:PASSPHRASE') =>
    externalResource({
      source: { kind: 'restic', repository: repository(), tags: ['shop'], path: `${data}/shop.sql.gz`, ...source },
      passphrase,
    });

  it('gives a file of each snapshot, decompressed', async () => {
    const listed = (await service.externalSnapshots?.list(shop(), { limit: 10, signal })) ?? [];
    assert.equal(listed.length, 2);
    assert.ok(listed[0] && listed[1] && service.externalSnapshots);
    assert.ok(listed[0].createdAt > listed[1].createdAt);
    assert.deepEqual(service.externalSnapshots.formats(shop()), { formats: ['sql', 'bytes'], dialect: 'postgresql' });
    for (const [at, mark] of [
      [0, 'day 20'],
      [1, 'day 19'],
    ] as const) {
      const material = await service.externalSnapshots.open(shop(), listed[at]!, { signal, warn });
      assert.deepEqual(await gather(material.bytes()), plainDump(mark));
    }
  });

  it('gives a folder as a tar archive', async () => {
    const resource = shop({ path: '/' });
    const [newest] = (await service.externalSnapshots?.list(resource, { limit: 1, signal })) ?? [];
    assert.ok(newest && service.externalSnapshots);
    const material = await service.externalSnapshots.open(resource, newest, { signal, warn });
    assert.equal(material.format, 'tar');
    const listing = execFileSync('tar', ['-t'], { input: await gather(material.bytes()), encoding: 'utf8' });
    assert.match(listing, /shop\.sql\.gz/);
  });

  it('tells what is wrong, and takes no password in its address', async () => {
    const checksOf = async (resource: ReturnType<typeof shop>, secret: string) =>
      externalService({ 'env:PASSPHRASE': secret }).test?.({ configuration: resource.configuration, resource, signal });
    const names = (checks: Awaited<ReturnType<typeof checksOf>>) =>
      checks?.map(({ name, outcome }) => `${name}: ${outcome}`);
    assert.deepEqual(names(await checksOf(shop(), PASSPHRASE)), ['finding: ok', 'passphrase: ok', 'decryption: ok']);
    const wrong = await checksOf(shop(), 'wrong');
    assert.equal(wrong?.[0]?.outcome, 'failed');
    assert.match(wrong?.[0]?.message ?? '', /password does not open/);
    const nowhere = shop({ repository: path.join(place, 'nowhere') });
    await assert.rejects(async () => service.externalSnapshots?.list(nowhere, { limit: 1, signal }), {
      kind: 'unavailable',
      code: 'external-finding-failed',
    });
    for (const change of [
      { repository: 'rest:https://user:password@backup/' },
      { repository: 'rclone:remote' },
      { credentials: { RESTIC_PASSWORD_COMMAND: 'env:X' } },
      { credentials: { AWS_SECRET_ACCESS_KEY: 'plain' } },
    ])
      assert.throws(() => service.parseConfiguration(shop(change).configuration), { code: 'configuration-invalid' });
  });
});
