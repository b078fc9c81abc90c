import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { chromium } from 'playwright-core';
import { snapshotSchema } from '../src/adapters/http/schemas/download-schema.ts';
import type { Drill } from '../src/core/drill.ts';
import { HoldfastError } from '../src/core/errors.ts';
import type { ExternalSnapshot } from '../src/core/ports/external-snapshots.ts';
import type { Service } from '../src/core/ports/service.ts';
import { type DownloadRig, startDownloads } from './download-rig.ts';
import { findProgram, skipUnless } from './installed-programs.ts';

const BROWSER = findProgram('chromium') ?? findProgram('google-chrome');
const DAY = 86_400_000;

interface Listed {
  id: string;
  resource: string;
  command: string;
  proven: unknown;
  size: number | null;
}

async function listed(rig: DownloadRig, query = '', headers: Record<string, string> = {}): Promise<Listed[]> {
  const answer = await fetch(`${rig.url}/snapshots${query}`, { headers: { accept: 'application/json', ...headers } });
  assert.equal(answer.status, 200);
  const body = (await answer.json()) as Listed[];
  for (const each of body) assert.deepEqual(each, snapshotSchema.parse(each));
  return body;
}

/** A service whose backups another tool makes: each is its own name. */
function elsewhere(snapshots: ExternalSnapshot[]): Service {
  const refuse = async (): Promise<never> => {
    throw new HoldfastError('unsupported', 'made-elsewhere', 'Another tool makes these backups.');
  };
  return {
    name: 'elsewhere',
    description: 'What another tool backs up.',
    contentKind: 'stream',
    backupTypes: [],
    source: 'fetched',
    parseConfiguration: () => ({}),
    backup: refuse,
    restore: refuse,
    externalSnapshots: {
      list: async (_resource, { limit }) => snapshots.slice(0, limit),
      formats: () => ({ formats: ['sql'], dialect: 'postgresql' }),
      open: async (_resource, { id }) => ({
        format: 'sql',
        dialect: 'postgresql',
        mediaType: 'application/sql; charset=utf-8',
        fileExtension: '.sql',
        isReproducible: false,
        acceptsRanges: false,
        async *bytes() {
          yield Buffer.from(`SELECT setval('${id}', 1);\n-- PostgreSQL database dump complete\n`);
        },
      }),
    },
  };
}

describe('GET /snapshots', () => {
  it('lists what the caller may have, newest first, in pages, with what to type', async (t) => {
    const rig = await startDownloads(t);
    const made: string[] = [];
    for (let round = 0; round < 3; round++) {
      for (const resource of ['shop', 'blog']) made.unshift((await rig.upload(resource, `${resource}-${round}`)).id);
      rig.advance(1000);
    }
    assert.deepEqual(
      (await listed(rig)).map(({ id }) => id),
      made,
    );
    assert.equal((await listed(rig, '?resource=shop')).length, 3);
    const paged: string[] = [];
    for (let route: string | null = '?limit=2'; route !== null; ) {
      const answer: Response = await fetch(`${rig.url}/snapshots${route}`, { headers: { accept: 'application/json' } });
      paged.push(...((await answer.json()) as Listed[]).map(({ id }) => id));
      const cursor = answer.headers.get('x-next-cursor');
      route = cursor === null ? null : `?limit=2&cursor=${cursor}`;
    }
    assert.deepEqual(paged, made);
    const wrong = await fetch(`${rig.url}/snapshots?cursor=abc`, { headers: { accept: 'application/json' } });
    assert.equal(((await wrong.json()) as { code: string }).code, 'cursor-invalid');

    const [newest] = await listed(rig);
    const [, ...words] = newest!.command.replaceAll("'", '').split(' ');
    const { stdout } = await promisify(execFile)(
      'curl',
      words.map((word) => (word === '-OJ' ? '-sS' : word)),
    );
    assert.equal(stdout, 'blog-2');
  });

  it('names the user in what to type, and no host that could be a command', async (t) => {
    const rig = await startDownloads(t, { downloads: { publicUrl: 'https://backups.example.org' } });
    await rig.backUpSql('shop', 1);
    rig.principals.set('anna', { name: "anna o'neil", role: 'developer', method: 'password' });
    const [named] = await listed(rig, '', { authorization: 'Bearer anna' });
    assert.equal(
      named!.command,
      `curl -fsS -u 'anna o'\\''neil' 'https://backups.example.org/download/shop?backup=${named!.id}' | psql DATABASE`,
    );
    assert.equal(named!.size !== null, true);
  });

  it('tells which ones a drill has proven to restore', async (t) => {
    const rig = await startDownloads(t);
    const proven = await rig.upload('shop', 'one');
    const failed = await rig.upload('shop', 'two');
    const drill = (id: string, backup: typeof proven, outcome: Drill['outcome']) =>
      rig.catalogue.drills.insert({
        id,
        resourceId: 'shop',
        outcome,
        backup: { id: backup.id, createdAt: backup.createdAt },
        createdAt: '2026-01-01T00:00:00.000Z',
        completedAt: `2026-01-01T00:00:0${id.at(-1)}.000Z`,
      } as Drill);
    await drill('drill-1', proven, 'passed');
    await drill('drill-2', proven, 'passed');
    await drill('drill-3', proven, 'failed');
    await drill('drill-4', failed, 'failed');
    assert.deepEqual(
      (await listed(rig)).map((each) => each.proven),
      [null, { drillId: 'drill-2', at: '2026-01-01T00:00:02.000Z' }],
    );
  });

  it('does not read all backups to find out how little somebody may have', async (t) => {
    const rig = await startDownloads(t);
    const { backups } = rig.catalogue;
    const first = await rig.upload('shop', 'one');
    const other = await rig.upload('stock', 'two');
    for (let n = 1; n <= 300; n++) {
      const createdAt = new Date(Date.parse(first.createdAt) - n * DAY).toISOString();
      await backups.put({ ...first, id: `backup-${n}`, createdAt, completedAt: createdAt });
    }
    let pages = 0;
    const { page } = backups;
    Object.assign(backups, {
      page: (...asked: Parameters<typeof page>) => {
        pages++;
        return page(...asked);
      },
    });
    const may = { variants: ['raw'], resources: ['*'] };
    const listedAs = async (grants: object[]) => {
      pages = 0;
      const person = { name: 'fred', role: 'developer', method: 'local', grants };
      rig.principals.set('fred', person as never);
      const ids = (await listed(rig, '?limit=10', { authorization: 'Bearer fred' })).map(({ id }) => id);
      return { ids, pages };
    };
    const both = [other.id, first.id];
    assert.deepEqual(await listedAs([{ ...may, maxAgeDays: 1 }]), { ids: both, pages: 1 });
    const newest = { ...may, latestOnly: true };
    // One page for the list, and one for each newest.
    assert.deepEqual(await listedAs([{ ...newest, resources: ['shop', 'stock'] }]), { ids: both, pages: 3 });
    assert.deepEqual(await listedAs([{ ...newest, resources: ['shop'] }]), { ids: [first.id], pages: 2 });
    assert.deepEqual(await listedAs([{ ...may, variants: ['masked'] }]), { ids: [], pages: 0 });
    assert.deepEqual(await listedAs([{ ...may, expiresAt: '2020-01-01T00:00:00Z' }]), { ids: [], pages: 0 });
    // The wider one of several counts.
    const { ids } = await listedAs([
      { ...may, maxAgeDays: 1 },
      { ...newest, resources: ['shop'] },
      { ...may, maxAgeDays: 3 },
    ]);
    assert.deepEqual(ids, [...both, 'backup-1', 'backup-2']);
  });

  it('is an aligned table of text for curl', async (t) => {
    const rig = await startDownloads(t);
    assert.equal(await (await fetch(`${rig.url}/snapshots`)).text(), 'There is nothing that you may download.\n');
    await rig.upload('shop', 'x'.repeat(5000));
    await rig.upload('a-long-name', 'y');
    const answer = await fetch(`${rig.url}/snapshots`);
    assert.equal(answer.headers.get('content-type'), 'text/plain; charset=utf-8');
    const [heading, first, second, empty, line] = (await answer.text()).split('\n');
    assert.match(String(heading), /^RESOURCE {5}CREATED +SIZE {2}FORMATS {2}VARIANTS {2}PROVEN RESTORABLE {2}BACKUP$/);
    assert.equal(first!.indexOf('backup-'), second!.indexOf('backup-'));
    assert.equal(empty, '');
    assert.match(String(line), /curl -fsS -OJ 'http:\/\/127\.0\.0\.1:\d+\/download\/a-long-name\?backup=/);
  });

  it("has what other tools keep between a repository's own, and gives it sealed", async (t) => {
    const snapshots: ExternalSnapshot[] = [];
    const rig = await startDownloads(t, { services: [elsewhere(snapshots)] });
    await rig.application.resources.put({ id: 'legacy', service: 'elsewhere', configuration: {} });
    const own = await rig.upload('shop', 'own');
    const at = (days: number) => new Date(Date.parse(own.createdAt) + days * DAY).toISOString();
    snapshots.push({ id: 's3://bucket/a b?&', createdAt: at(1) }, { id: 'older', createdAt: at(-1) });
    assert.deepEqual(
      (await listed(rig)).map(({ id }) => id),
      ['s3://bucket/a b?&', own.id, 'older'],
    );
    assert.match(
      await (await fetch(`${rig.url}/download/legacy`)).text(),
      /\n-- legacy .*setval\('s3:\/\/bucket\/a b\?&'/s,
    );
    const [newest] = await listed(rig, '?resource=legacy');
    const url = /'(http[^']+)'/.exec(newest!.command)?.[1];
    assert.match(await (await fetch(String(url))).text(), /setval\('s3:/);
    assert.match(await (await fetch(`${rig.url}/download/legacy?backup=older`)).text(), /setval\('older'/);
    assert.match(await (await fetch(`${rig.url}/download/legacy?at=${at(0)}`)).text(), /setval\('older'/);
    rig.principals.set('fred', {
      ...{ name: 'fred', role: 'developer' },
      grants: [{ resources: ['legacy'], variants: ['raw'], latestOnly: true }],
    });
    const granted = await listed(rig, '', { authorization: 'Bearer fred' });
    assert.deepEqual(
      granted.map(({ id }) => id),
      ['s3://bucket/a b?&'],
    );
  });

  it('has what other tools keep of the last of more than a thousand resources', async (t) => {
    const rig = await startDownloads(t, {
      services: [elsewhere([{ id: 'only', createdAt: '2026-11-20T02:00:00Z' }])],
    });
    const last = await rig.application.resources.put({ id: 'zoo', service: 'elsewhere', configuration: {} });
    for (let at = 0; at < 1000; at++) await rig.catalogue.resources.put({ ...last, id: `a${at}`, service: 'stream' });
    assert.deepEqual(
      (await listed(rig)).map(({ resource }) => resource),
      ['zoo'],
    );
  });

  it('is a page for a browser, which shows what strangers named and runs nothing of it', {
    skip: skipUnless(BROWSER !== undefined, 'chromium', 'apt-get install chromium'),
  }, async (t) => {
    const snapshots = [{ id: '<img src=x onerror=alert(1)>', createdAt: new Date(Date.now() + DAY).toISOString() }];
    const rig = await startDownloads(t, { services: [elsewhere(snapshots)] });
    await rig.application.resources.put({ id: 'legacy', service: 'elsewhere', configuration: {} });
    await rig.upload('shop', 'x'.repeat(5000));
    const browser = await chromium.launch({
      ...(BROWSER === undefined ? {} : { executablePath: BROWSER }),
      args: ['--no-sandbox'],
    });
    t.after(() => browser.close());
    const page = await browser.newPage({ viewport: { width: 1100, height: 760 } });
    const said: string[] = [];
    page.on('dialog', (dialog) => said.push(dialog.message()));
    await page.goto(`${rig.url}/snapshots`);
    const commands = await page.locator('pre').allTextContents();
    assert.equal(commands.length, 2);
    assert.match(String(commands[0]), /%3Cimg%20src%3Dx%20onerror%3Dalert\(1\)%3E' \| psql DATABASE$/);
    assert.ok(String(await page.locator('article').first().textContent()).includes('<img src=x onerror=alert(1)>'));
    assert.equal(await page.locator('img').count(), 0);
    const { HOLDFAST_SCREENSHOTS } = process.env;
    if (HOLDFAST_SCREENSHOTS !== undefined)
      await page.screenshot({ path: `${HOLDFAST_SCREENSHOTS}/snapshots.png`, fullPage: true });
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.locator('h2 a', { hasText: 'shop' }).click(),
    ]);
    assert.match(download.suggestedFilename(), /^shop_.*\.bin$/);
    assert.deepEqual(said, []);
  });
});
