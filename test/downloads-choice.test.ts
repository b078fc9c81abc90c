import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Principal } from '../src/core/access.ts';
import type { DownloadLimits, Grant } from '../src/core/grant.ts';
import { type DownloadRig, startDownloads } from './download-rig.ts';

const DAY = 86_400_000;

function developer(grants?: readonly Grant[]): Principal {
  return { name: 'fred', role: 'developer', method: 'password', ...(grants === undefined ? {} : { grants }) };
}

async function asked(rig: DownloadRig, route: string, headers: Record<string, string> = {}) {
  const answer = await fetch(`${rig.url}${route}`, {
    headers: { accept: 'application/json', authorization: 'Bearer fred', ...headers },
  });
  const text = await answer.text();
  const code = answer.ok || text === '' ? undefined : (JSON.parse(text) as { code: string }).code;
  return { status: answer.status, text, code, headers: answer.headers };
}

describe('which backup a download is', () => {
  it('is the newest one that was complete by a time, a date, or so long ago', async (t) => {
    const rig = await startDownloads(t);
    const first = await rig.upload('shop', 'first');
    rig.advance(3 * DAY);
    const second = await rig.upload('shop', 'second');
    rig.advance(3 * DAY);
    await rig.upload('shop', 'third');
    const textAt = async (at: string) => (await asked(rig, `/download/shop?at=${encodeURIComponent(at)}`)).text;
    assert.equal(await textAt('latest'), 'third');
    assert.equal(await textAt('-2d'), 'second');
    assert.equal(await textAt('-71h'), 'second');
    assert.equal(await textAt('-4d'), 'first');
    assert.equal(await textAt(first.completedAt), 'first');
    assert.equal(await textAt(`${second.completedAt.slice(0, 19)}Z`), 'second');
    assert.equal(await textAt(second.completedAt.slice(0, 10)), 'second');
    assert.equal((await asked(rig, '/download/shop?at=-30d')).code, 'snapshot-not-found');
    assert.equal((await asked(rig, `/download/shop?backup=${first.id}`)).text, 'first');
    for (const wrong of ['yesterday', '2026-02-30', '2026-02-30T00:00:00Z', '-7x', '20:00'])
      assert.equal((await asked(rig, `/download/shop?at=${wrong}`)).code, 'download-choice-invalid', wrong);
    const both = await asked(rig, `/download/shop?at=-2d&backup=${first.id}`);
    assert.deepEqual([both.status, both.code], [400, 'download-choice-invalid']);
  });

  it('is never one that is damaged, builds on a damaged one, or was mended with something missing', async (t) => {
    const rig = await startDownloads(t);
    await rig.upload('shop', 'whole');
    const damaged = await rig.upload('shop', 'damaged');
    await rig.catalogue.backups.put({ ...damaged, status: 'damaged' });
    const child = await rig.upload('shop', 'child');
    await rig.catalogue.backups.put({ ...child, chainLength: 1, parentId: damaged.id });
    const mended = await rig.upload('shop', 'mended');
    await rig.catalogue.backups.put({ ...mended, derivedFrom: damaged.id });
    assert.equal((await asked(rig, '/download/shop')).text, 'whole');
    for (const { id } of [damaged, child, mended])
      assert.equal((await asked(rig, `/download/shop?backup=${id}`)).code, 'snapshot-not-found');
  });

  it('is of the only resource that the caller may have, or of the configured one', async (t) => {
    const rig = await startDownloads(t);
    assert.equal((await asked(rig, '/download')).code, 'download-not-found');
    await rig.upload('shop', 'of the shop');
    assert.equal((await asked(rig, '/download')).text, 'of the shop');
    await rig.upload('blog', 'of the blog');
    const several = await asked(rig, '/download');
    assert.deepEqual([several.status, several.code], [400, 'resource-needed']);
    assert.match(several.text, /blog, shop/);
    const damaged = await rig.upload('attic', 'damaged');
    await rig.catalogue.backups.put({ ...damaged, status: 'damaged' });
    assert.match((await asked(rig, '/download')).text, /resources: blog, shop\. Name one: \/download\/blog/);
    rig.principals.set('fred', { ...developer(), resources: ['blog', 'attic'] });
    assert.match((await asked(rig, '/download')).text, /only blog has a backup/);
    rig.principals.set('fred', { ...developer(), resources: ['attic', 'attic-2'] });
    assert.equal((await asked(rig, '/download')).code, 'snapshot-not-found');
    rig.principals.set('fred', { ...developer(), resources: ['blog'] });
    assert.equal((await asked(rig, '/download')).text, 'of the blog');

    const configured = await startDownloads(t, { downloads: { defaultResource: 'shop' } });
    await configured.upload('shop', 'of the shop');
    await configured.upload('blog', 'of the blog');
    assert.equal((await asked(configured, '/download')).text, 'of the shop');
    configured.principals.set('fred', { ...developer(), resources: ['blog'] });
    assert.equal((await asked(configured, '/download')).text, 'of the blog');
  });

  it('can be what it is offered as and nothing else', async (t) => {
    const rig = await startDownloads(t);
    const { id } = await rig.upload('shop', 'bytes');
    await rig.upload('blog', 'bytes');
    const refused = await asked(rig, '/download/shop?format=sql');
    assert.deepEqual([refused.status, refused.code], [422, 'format-not-offered']);
    assert.equal((await asked(rig, '/download/shop?format=bytes')).status, 200);
    assert.equal((await asked(rig, '/download/shop?mode=replace')).code, 'download-choice-invalid');
    assert.equal((await asked(rig, '/download/shop?variant=reduced')).code, 'variant-not-available');
    assert.equal((await asked(rig, '/download/shop?variant=reduced.2')).code, 'variant-not-available');
    assert.equal((await asked(rig, `/download/blog?backup=${id}`)).code, 'snapshot-not-found');
    for (const wrong of ['format=exe', 'variant=../x', 'unknown=1', 'path=a%00b', 'at=', 'seal=half', 'tables=,'])
      assert.equal((await asked(rig, `/download/shop?${wrong}`)).code, 'request-invalid', wrong);
    assert.equal((await asked(rig, '/download/a%20b')).code, 'request-invalid');
  });
});

describe('who may download', () => {
  it('cannot tell what does not exist from what is not granted', async (t) => {
    const rig = await startDownloads(t);
    const { id } = await rig.upload('secret', 'bytes');
    await rig.upload('shop', 'bytes');
    const grant = { resources: ['shop'], variants: ['raw'] };
    rig.principals.set('fred', developer([grant]));
    const bodies = new Set<string>();
    for (const [route, name] of [
      ['/download/secret', 'secret'],
      ['/download/absent', 'absent'],
      [`/download/secret?backup=${id}`, 'secret'],
      ['/download/absent?backup=backup-1', 'absent'],
      ['/download/secret?format=bytes&at=-1d', 'secret'],
      ['/download/shop?variant=reduced', 'shop'],
    ] as const) {
      const { status, text } = await asked(rig, route);
      assert.equal(status, 404, route);
      bodies.add(text.replaceAll(name, 'NAME').replace(/"requestId":"[^"]*"/, ''));
    }
    assert.equal(bodies.size, 1);
    assert.equal((await asked(rig, '/snapshots?resource=secret')).text, '[]\n');
    assert.equal((await asked(rig, '/download/shop')).status, 200);
  });

  it('has what any one of the grants gives, and no more', async (t) => {
    const rig = await startDownloads(t);
    const old = await rig.upload('shop', 'old');
    rig.advance(10 * DAY);
    const middle = await rig.upload('shop', 'middle');
    rig.advance(DAY);
    const newest = await rig.upload('shop', 'newest');
    const may = async (grants: readonly Grant[]): Promise<string[]> => {
      rig.principals.set('fred', developer(grants));
      const texts: string[] = [];
      for (const { id } of [old, middle, newest]) {
        const { status, text } = await asked(rig, `/download/shop?backup=${id}`);
        if (status === 200) texts.push(text);
      }
      const listed = JSON.parse((await asked(rig, '/snapshots')).text) as { id: string }[];
      assert.equal(listed.length, texts.length, JSON.stringify(grants));
      return texts;
    };
    const raw = { resources: ['shop'], variants: ['raw'] };
    assert.deepEqual(await may([raw]), ['old', 'middle', 'newest']);
    assert.deepEqual(await may([{ ...raw, resources: ['sh*'] }]), ['old', 'middle', 'newest']);
    assert.deepEqual(await may([]), []);
    assert.deepEqual(await may([{ ...raw, variants: ['reduced'] }]), []);
    assert.deepEqual(await may([{ ...raw, latestOnly: true }]), ['newest']);
    assert.deepEqual(await may([{ ...raw, maxAgeDays: 5 }]), ['middle', 'newest']);
    assert.deepEqual(await may([{ ...raw, expiresAt: '2020-01-01T00:00:00Z' }]), []);
    assert.deepEqual(await may([{ ...raw, expiresAt: 'never' }]), []);
    assert.deepEqual(
      await may([
        { ...raw, latestOnly: true },
        { ...raw, maxAgeDays: 5 },
      ]),
      ['middle', 'newest'],
    );
    rig.principals.set('fred', developer([{ ...raw, latestOnly: true }]));
    assert.equal((await asked(rig, '/download/shop')).text, 'newest');
    assert.equal((await asked(rig, '/download/shop?at=-5d')).code, 'snapshot-not-found');
    rig.principals.set('fred', developer([{ ...raw, variants: ['reduced'] }]));
    assert.deepEqual((await asked(rig, '/download/shop')).code, 'variant-not-available');
  });
});

describe('limits of downloads', () => {
  async function limited(t: Parameters<typeof startDownloads>[0], limits: DownloadLimits): Promise<DownloadRig> {
    const rig = await startDownloads(t);
    await rig.upload('shop', 'twelve bytes');
    rig.principals.set('fred', developer([{ resources: ['*'], variants: ['raw'], limits }]));
    return rig;
  }

  it('hold for an hour', async (t) => {
    const rig = await limited(t, { downloadsPerHour: 2 });
    assert.equal((await asked(rig, '/download/shop')).status, 200);
    // What gives no content does not count.
    assert.equal((await asked(rig, '/download/shop', { range: 'bytes=99-' })).status, 416);
    assert.equal((await asked(rig, '/download/shop', { 'if-none-match': '*' })).status, 304);
    assert.equal((await asked(rig, '/download/shop')).status, 200);
    const refused = await asked(rig, '/download/shop');
    assert.deepEqual([refused.status, refused.code], [429, 'download-limit-reached']);
    assert.match(refused.text, /2 in an hour/);
    const seconds = Number(refused.headers.get('retry-after'));
    assert.ok(seconds > 0 && seconds <= 3600);
    rig.advance(seconds * 1000);
    assert.equal((await asked(rig, '/download/shop')).status, 200);
  });

  it('hold for the bytes of a day, and another grant may have room left', async (t) => {
    const limits = { bytesPerDay: 20 };
    const rig = await limited(t, limits);
    for (const expected of [200, 200, 429, 429]) assert.equal((await asked(rig, '/download/shop')).status, expected);
    const { actor, details } = (await rig.audits()).at(-1)!;
    assert.deepEqual([actor, details.outcome, details.status], ['fred', 'limited', 429]);
    const grant = { resources: ['*'], variants: ['raw'] };
    rig.principals.set('fred', developer([{ ...grant, limits }, grant]));
    assert.equal((await asked(rig, '/download/shop')).status, 200);
    rig.principals.set('fred', developer([{ ...grant, limits }]));
    assert.equal((await asked(rig, '/download/shop')).status, 429);
    rig.advance(DAY);
    assert.equal((await asked(rig, '/download/shop')).status, 200);
  });

  it('are those of a grant that gives the very snapshot, not of another that gives only the newest', async (t) => {
    const rig = await startDownloads(t);
    const old = await rig.upload('shop', 'old');
    rig.advance(DAY);
    const newest = await rig.upload('shop', 'newest');
    const raw = { resources: ['shop'], variants: ['raw'] };
    rig.principals.set(
      'fred',
      developer([
        { ...raw, latestOnly: true },
        { ...raw, limits: { downloadsPerHour: 1 } },
      ]),
    );
    const statusOf = async (route: string) => (await asked(rig, `/download/shop?${route}`)).status;
    assert.equal(await statusOf(`backup=${old.id}`), 200);
    assert.equal(await statusOf(`backup=${old.id}`), 429);
    assert.equal(await statusOf('at=-12h'), 429);
    assert.equal(await statusOf(`backup=${newest.id}`), 200);
    assert.equal(await statusOf('at=latest'), 200);
  });

  it('hold for those under way at once, of one caller and of all', async (t) => {
    const rig = await startDownloads(t, { downloads: { maxConcurrent: 2, limits: { concurrent: 1 } } });
    await rig.upload('shop', 'bytes');
    for (const name of ['fred', 'anna', 'otto']) rig.principals.set(name, { ...developer(), name });
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    rig.controls.onBytes = () => held;
    const as = (name: string) => asked(rig, '/download/shop', { authorization: `Bearer ${name}` });
    const first = as('fred');
    while (rig.controls.reading < 1) await new Promise((resolve) => setTimeout(resolve, 5));
    assert.match((await as('fred')).text, /1 at once/);
    const head = async (name: string) =>
      (await fetch(`${rig.url}/download/shop`, { method: 'HEAD', headers: { authorization: `Bearer ${name}` } }))
        .status;
    assert.equal(await head('fred'), 429);
    // One after the other, each right after the answer before.
    for (let times = 0; times < 5; times++) assert.equal(await head('anna'), 200);
    const second = as('anna');
    while (rig.controls.reading < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    const busy = await as('otto');
    assert.deepEqual([busy.status, busy.code, await head('otto')], [429, 'downloads-busy', 429]);
    release();
    assert.deepEqual([(await first).status, (await second).status, (await as('otto')).status], [200, 200, 200]);
  });
});
