import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import type { Principal } from '../src/core/access.ts';
import { HoldfastError } from '../src/core/errors.ts';
import type { Grant } from '../src/core/grant.ts';
import type { Service } from '../src/core/ports/service.ts';
import { bytesOf, DAY } from './managed-application.ts';
import { type Answered, masked, startVariants, until, type VariantsRig } from './variants-rig.ts';

const ROWS = 'name,phone\nAnna,0151 23456\nOtto,0170 99887\n';
const DUMP = `--\n-- PostgreSQL database dump\n--\n\nCREATE TABLE public.people (phone text);\nCOPY public.people (phone) FROM stdin;\n0151-23456\n\\.\n\n--\n-- PostgreSQL database dump complete\n--\n\n`;
const REDUCED = { kind: 'reduced' as const };

function developer(grants?: readonly Grant[]): Principal {
  return { name: 'fred', role: 'developer', method: 'password', ...(grants === undefined ? {} : { grants }) };
}

interface Listed {
  id: string;
  variants: { name: string; state: string; reason?: string; size?: number; sha256?: string }[];
  defaultVariant: string | null;
  command: string;
}

async function listed(rig: VariantsRig): Promise<Listed[]> {
  return JSON.parse((await rig.get('/snapshots')).text) as Listed[];
}

async function states(rig: VariantsRig): Promise<string> {
  const [newest] = await listed(rig);
  return (newest?.variants ?? []).map(({ name, state }) => `${name}:${state}`).join(' ');
}

function problem(text: string): { detail: string; problems?: unknown[]; operation?: string; operationId?: string } {
  return JSON.parse(text) as never;
}

describe('which variant a download is', () => {
  it('is the first one of the policy that the caller may have, and never raw by itself', async (t) => {
    const rig = await startVariants(t);
    await rig.upload('shop', ROWS);
    rig.maker.declare('shop', { masked: {}, plain: {} });
    rig.principals.set('fred', developer());
    const answer = await rig.get('/download/shop');
    assert.deepEqual([answer.status, answer.text], [200, masked(ROWS)]);
    assert.equal(answer.headers.get('x-snapshot-variant'), 'masked');
    assert.match(String(answer.headers.get('content-disposition')), /_masked\.bin"|_masked"|_masked\./);
    assert.equal((await rig.get('/download')).text, masked(ROWS));
    assert.equal((await rig.get('/download/shop?variant=plain')).headers.get('x-snapshot-variant'), 'plain');
    assert.equal((await rig.get('/download/shop?variant=raw')).text, ROWS);
    assert.equal((await rig.get('/download/shop', {}, 'HEAD')).headers.get('x-snapshot-variant'), 'masked');
    assert.equal((await rig.get('/download/shop?variant=absent')).code, 'variant-not-available');

    rig.principals.set('fred', developer([{ resources: ['*'], variants: ['plain'] }]));
    assert.equal((await rig.get('/download/shop')).headers.get('x-snapshot-variant'), 'plain');
    for (const variant of ['raw', 'masked', 'absent'])
      assert.equal((await rig.get(`/download/shop?variant=${variant}`)).code, 'download-not-found', variant);
    assert.equal(await states(rig), 'plain:on-demand');
  });

  it('has to be named where only raw is left, and whoever may not have that is told whom to ask', async (t) => {
    const rig = await startVariants(t);
    await rig.upload('shop', ROWS);
    rig.principals.set('fred', developer());
    const needed = await rig.get('/download/shop');
    assert.deepEqual([needed.status, needed.code], [400, 'variant-needed']);
    assert.match(needed.text, /\?variant=raw/);
    const head = await rig.get('/download/shop', {}, 'HEAD');
    assert.equal(head.status, 400);
    const sql = await rig.get('/download/shop', { accept: '*/*' });
    assert.equal(sql.status, 400);
    assert.ok(!sql.text.includes('0151'));
    const [line] = await listed(rig);
    assert.equal(line?.defaultVariant, null);
    assert.match(String(line?.command), /variant=raw/);
    rig.principals.set('fred', developer([{ resources: ['*'], variants: ['small'] }]));
    const refused = await rig.get('/download/shop');
    assert.deepEqual([refused.status, refused.code], [422, 'variant-not-available']);
    assert.match(refused.text, /[Aa]sk whoever runs this service/);
    assert.deepEqual(await listed(rig), []);
    rig.principals.set('fred', developer([]));
    assert.equal((await rig.get('/download/shop')).code, 'download-not-found');
  });

  it('is raw without a name only where the operator said so and there is no other, never in the place of one that is blocked', async (t) => {
    const rig = await startVariants(t, { downloads: { defaultVariant: 'raw' } });
    await rig.upload('shop', ROWS);
    rig.principals.set('fred', developer());
    assert.equal((await rig.get('/download/shop')).text, ROWS);
    rig.maker.declare('shop', { masked: { fault: 'line 3: there is no column "emial".' } });
    const faulty = await rig.get('/download/shop');
    assert.deepEqual([faulty.status, faulty.code], [422, 'variant-blocked']);
    assert.match(faulty.text, /emial/);
    assert.equal(await states(rig), 'masked:blocked raw:on-demand');
    rig.maker.declare('shop', { masked: {} });
    rig.maker.refusal = new HoldfastError('unsupported', 'variant-blocked', 'people.phone has no rule.');
    assert.equal((await rig.get('/download/shop')).code, 'variant-blocked');
    rig.maker.refusal = undefined;
    assert.equal((await rig.get('/download/shop')).text, masked(ROWS));
    rig.principals.set('fred', developer([{ resources: ['shop'], variants: ['raw'] }]));
    assert.equal((await rig.get('/download/shop')).text, ROWS);
    // Of a policy that cannot be read nobody knows that it has a variant of this name.
    rig.principals.set('fred', developer([{ resources: ['shop'], variants: ['small', 'raw'] }]));
    assert.equal((await rig.get('/download/shop')).text, ROWS);
    rig.maker.declare('shop', { masked: { fault: 'line 3: there is no column "emial".' } });
    const unknown = await rig.get('/download/shop');
    assert.deepEqual([unknown.status, unknown.code], [400, 'variant-needed']);
    assert.equal((await rig.get('/download/shop?variant=raw')).text, ROWS);
  });

  it('is one that another grant gives, where the first one does not reach so old a snapshot', async (t) => {
    const rig = await startVariants(t);
    const old = await rig.upload('shop', 'old 1');
    rig.advance(DAY);
    await rig.upload('shop', 'new 1');
    rig.maker.declare('shop', { masked: {}, plain: {} });
    rig.principals.set(
      'fred',
      developer([
        { resources: ['shop'], variants: ['masked'], latestOnly: true },
        { resources: ['shop'], variants: ['plain'] },
      ]),
    );
    assert.equal((await rig.get('/download/shop')).headers.get('x-snapshot-variant'), 'masked');
    const older = await rig.get(`/download/shop?backup=${old.id}`);
    assert.deepEqual([older.headers.get('x-snapshot-variant'), older.text], ['plain', 'old 7']);
    assert.deepEqual(
      (await listed(rig)).map(({ variants }) => variants.map(({ name }) => name)),
      [['masked', 'plain'], ['plain']],
    );
  });

  it('wants a reason where a grant says so, and keeps it with policy and key epoch', async (t) => {
    const rig = await startVariants(t);
    await rig.upload('shop', ROWS);
    rig.maker.declare('shop', { masked: {} });
    rig.principals.set('fred', developer([{ resources: ['*'], variants: ['masked', 'raw'], reasonFor: ['raw'] }]));
    assert.equal((await rig.get('/download/shop')).status, 200);
    for (const headers of [{}, { 'x-reason': '  ' }] as Record<string, string>[]) {
      const refused = await rig.get('/download/shop?variant=raw', headers);
      assert.deepEqual([refused.status, refused.code], [403, 'reason-needed']);
    }
    const sql = await rig.get('/download/shop?variant=raw', { accept: '*/*' });
    assert.equal(sql.status, 403);
    assert.equal((await rig.get('/download/shop?variant=raw', { 'x-reason': 'ticket 4711' })).text, ROWS);
    assert.equal((await rig.get('/download/shop?variant=raw&reason=ticket%204712')).text, ROWS);
    const events = (await rig.application.audit.page({ action: 'download.get' }, { limit: 10 })).items;
    const told = events.map(({ details }) => [details.variant, details.reason, details.code, details.epoch]).reverse();
    assert.deepEqual(told, [
      ['masked', undefined, undefined, '2026'],
      [undefined, undefined, 'reason-needed', undefined],
      [undefined, undefined, 'reason-needed', undefined],
      [undefined, undefined, 'reason-needed', undefined],
      ['raw', 'ticket 4711', undefined, undefined],
      ['raw', 'ticket 4712', undefined, undefined],
    ]);
    assert.match(String(events.at(-1)?.details.policyHash), /^[0-9a-f]{64}$/);
    // What reads any backup as it is would be a way around it.
    const [{ id }] = (await listed(rig)) as [Listed];
    assert.equal((await rig.get(`/backups/${id}/content`)).code, 'content-not-granted');
  });
});

describe('a masked variant', () => {
  it('is sealed, tagged and answered with 304 as raw is, and another one where the policy changed', async (t) => {
    const rig = await startVariants(t);
    await rig.upload('shop', DUMP);
    rig.maker.declare('shop', { masked: {} });
    rig.principals.set('fred', developer());
    const answer = await rig.get('/download/shop?format=sql');
    assert.match(answer.text, /\\if/);
    assert.match(answer.text, /7777-77777/);
    assert.ok(!answer.text.includes('0151'));
    const etag = String(answer.headers.get('etag'));
    assert.match(etag, /^"/);
    assert.equal((await rig.get('/download/shop?format=sql', { 'if-none-match': etag })).status, 304);
    rig.maker.version = 'two';
    const changed = await rig.get('/download/shop?format=sql', { 'if-none-match': etag });
    assert.equal(changed.status, 200);
    assert.notEqual(changed.headers.get('etag'), etag);
    // No date tells the variants of two policies apart.
    assert.equal(changed.headers.get('last-modified'), null);
    const dated = { 'if-modified-since': new Date(Date.now() + DAY).toUTCString() };
    assert.equal((await rig.get('/download/shop?format=sql', dated)).status, 200);
    assert.equal((await rig.get('/download/shop?format=sql&variant=raw', dated)).status, 304);
    const whole = await rig.get('/download/shop?tables=people');
    assert.deepEqual([whole.status, whole.code], [400, 'download-choice-invalid']);
    assert.match(whole.text, /Leave `tables` away/);
    assert.equal((await rig.get('/download/shop?format=zip')).code, 'format-not-offered');
  });

  it('that cannot be made is answered before its first byte: 422 with the problems, or SQL that fails', async (t) => {
    const rig = await startVariants(t);
    await rig.upload('shop', DUMP);
    rig.maker.declare('shop', { masked: {} });
    rig.principals.set('fred', developer());
    const problems = [{ code: 'column-unnamed', table: 'people', column: 'phone' }];
    rig.maker.refusal = new HoldfastError('unsupported', 'variant-blocked', 'people.phone has no rule. Name it.', {
      details: { problems },
    });
    const refused = await rig.get('/download/shop');
    assert.deepEqual(
      [refused.status, refused.code, problem(refused.text).problems],
      [422, 'variant-blocked', problems],
    );
    const sql = await rig.get('/download/shop?format=sql', { accept: '*/*' });
    assert.equal(sql.status, 422);
    assert.match(sql.text, /ON_ERROR_STOP[\s\S]*people\.phone has no rule/);
    assert.match((await listed(rig))[0]?.variants[0]?.reason ?? '', /people\.phone has no rule/);
    assert.equal(rig.notifications.filter(({ type }) => type === 'variant-failed').length, 1);
    rig.maker.refusal = undefined;
    assert.equal((await rig.get('/download/shop')).status, 200);
    assert.equal(await states(rig), 'masked:on-demand raw:on-demand');
    rig.maker.refusal = new HoldfastError('invalid', 'secret-missing', 'The environment has no MASKING_KEY.');
    assert.equal((await rig.get('/download/shop')).code, 'secret-missing');
    assert.equal(await states(rig), 'masked:on-demand raw:on-demand', 'what is of the moment is not remembered');
    assert.equal(rig.notifications.filter(({ type }) => type === 'variant-failed').length, 1);
  });

  it('that leaks breaks off, alerts and is given to nobody until somebody looked at it or the policy changed', async (t) => {
    const rig = await startVariants(t);
    const { id } = await rig.upload('shop', ROWS);
    rig.maker.declare('shop', { masked: {} });
    rig.maker.failure = new HoldfastError('damaged', 'variant-leaks', 'people.note holds values of people.phone.');
    await assert.rejects(rig.get('/download/shop'));
    await until(() => rig.notifications.some(({ type }) => type === 'variant-leaked'));
    rig.maker.failure = undefined;
    const refused = await rig.get('/download/shop');
    assert.deepEqual([refused.status, refused.code], [422, 'variant-blocked']);
    assert.match(refused.text, /original values/);
    assert.equal(await states(rig), 'masked:blocked raw:on-demand');
    const removed = await rig.get(`/resources/shop/snapshots/${id}/variants/masked`, {}, 'DELETE');
    assert.equal(removed.text, '{"deleted":[]}');
    assert.equal((await rig.get('/download/shop')).status, 200);
    assert.match((await rig.get('/metrics')).text, /^holdfast_variants_total\{outcome="leaked"\} 1$/m);
  });

  it('that fails in a way nobody foresaw tells no word of what it stumbled over, in no answer and in no log', async (t) => {
    const rig = await startVariants(t);
    await rig.upload('shop', ROWS);
    rig.maker.declare('shop', { masked: {}, small: REDUCED });
    rig.maker.failure = new TypeError('cannot read "0151 23456"');
    await assert.rejects(rig.get('/download/shop'));
    const kept = await rig.get('/download/shop?variant=small');
    assert.equal(kept.status, 422);
    rig.maker.refusal = new TypeError('cannot read "0151 23456"');
    const refused = await rig.get('/download/shop');
    assert.equal(refused.status, 500);
    await until(() => rig.notifications.length >= 2);
    const operations = (await rig.application.operations.list({ kind: 'variant' }, { limit: 10 })).items;
    const everything = [kept.text, refused.text, ...rig.logged, JSON.stringify([rig.notifications, operations])].join();
    // With the blank: a time in a log may well have these digits.
    assert.ok(!everything.includes('0151 2'), everything.slice(0, 2000));
  });
});

describe('what is opened for a variant', () => {
  it('is closed on every path: all of it, its headers, what the client has, a client that goes, a failure', async (t) => {
    const rig = await startVariants(t);
    await rig.upload('shop', ROWS.repeat(100_000));
    rig.maker.declare('shop', { masked: {}, small: REDUCED });
    const { headers } = await rig.get('/download/shop');
    await rig.get('/download/shop', {}, 'HEAD');
    await rig.get('/download/shop', { 'if-none-match': String(headers.get('etag')) });
    rig.maker.hold();
    const leaving = new AbortController();
    const left = fetch(`${rig.url}/download/shop`, { signal: leaving.signal });
    await (await left).body?.getReader().read();
    leaving.abort();
    await until(() => rig.maker.open === 0);
    rig.maker.release();
    rig.maker.failure = new HoldfastError('invalid', 'variant-failed', 'people.phone, row 2: too long.');
    await assert.rejects(rig.get('/download/shop'));
    assert.equal((await rig.get('/download/shop?variant=small')).code, 'variant-blocked');
    await until(() => rig.maker.open === 0);
  });
});

describe('a variant of what another tool keeps', () => {
  it('is kept here, given as long as the source is there, and goes when it is gone', async (t) => {
    const there = [{ id: 'backup-of-monday.sql', createdAt: '2026-11-16T02:00:00Z' }];
    const refuse = async (): Promise<never> => {
      throw new HoldfastError('unsupported', 'made-elsewhere', 'Another tool makes these backups.');
    };
    const elsewhere: Service = {
      ...{ name: 'elsewhere', description: 'Another tool.', contentKind: 'stream', backupTypes: [], source: 'fetched' },
      ...{ parseConfiguration: () => ({}), backup: refuse, restore: refuse },
      externalSnapshots: {
        list: async () => there,
        formats: () => ({ formats: ['bytes'] }),
        open: async () => ({
          ...{ format: 'bytes', mediaType: 'text/plain', fileExtension: '.txt' },
          ...{ isReproducible: true, acceptsRanges: false, bytes: () => bytesOf(ROWS) },
        }),
      },
    };
    const rig = await startVariants(t, { services: [elsewhere] });
    await rig.application.resources.put({ id: 'legacy', service: 'elsewhere', configuration: {} });
    rig.maker.declare('legacy', { small: REDUCED });
    for (let round = 0; round < 2; round++) assert.equal((await rig.get('/download/legacy')).text, masked(ROWS));
    assert.equal(rig.maker.productions, 1);
    await rig.application.policies.cleanUp('test');
    assert.equal((await rig.catalogue.backups.allOf('legacy~variants')).length, 1);
    rig.maker.declare('legacy', { small: { ...REDUCED, produce: 'ahead' } });
    rig.maker.version = 'two';
    await rig.application.variants.makeNewestAhead();
    await until(async () => (await states(rig)) === 'small:ready raw:on-demand');
    await rig.application.variants.makeNewestAhead();
    assert.equal(rig.maker.productions, 2);
    await rig.application.policies.cleanUp('test');
    assert.equal((await rig.catalogue.backups.allOf('legacy~variants')).length, 1);
    there.pop();
    assert.equal((await rig.get('/download/legacy')).code, 'snapshot-not-found');
    await rig.application.policies.cleanUp('test');
    assert.equal((await rig.catalogue.backups.allOf('legacy~variants')).length, 0);
  });
});

describe('a reduced variant', () => {
  it('is made once for all who ask at the same time, and kept with length, digest and ranges', async (t) => {
    const rig = await startVariants(t);
    const source = await rig.upload('shop', ROWS);
    rig.maker.declare('shop', { small: REDUCED });
    rig.maker.hold();
    const asked = Array.from({ length: 10 }, () => rig.get('/download/shop'));
    await until(() => rig.maker.productions === 1);
    assert.equal(await states(rig), 'small:building raw:on-demand');
    rig.maker.release();
    for (const { status, text } of await Promise.all(asked)) assert.deepEqual([status, text], [200, masked(ROWS)]);
    assert.equal(rig.maker.productions, 1);
    const sha256 = createHash('sha256').update(masked(ROWS)).digest('hex');
    const again = await rig.get('/download/shop', { 'accept-encoding': 'identity' });
    assert.equal(again.headers.get('content-length'), String(ROWS.length));
    assert.equal(again.headers.get('repr-digest'), `sha-256=:${Buffer.from(sha256, 'hex').toString('base64')}:`);
    const part = await rig.get('/download/shop', { range: 'bytes=11-14' });
    assert.deepEqual([part.status, part.text], [206, 'Anna']);
    const rangeOfDate = { range: 'bytes=11-14', 'if-range': new Date(source.completedAt ?? '').toUTCString() };
    assert.equal((await rig.get('/download/shop', rangeOfDate)).status, 200);
    assert.equal((await rig.get('/download/shop', { 'if-none-match': String(again.headers.get('etag')) })).status, 304);
    const [line] = await listed(rig);
    const url = `${rig.url}/download/shop?backup=${source.id}&variant=small`;
    assert.deepEqual(line?.variants[0], { name: 'small', state: 'ready', size: ROWS.length, sha256, url });
    assert.match((await rig.get('/snapshots', { accept: 'text/plain' })).text, /small \(ready\),raw/);

    // It is no backup.
    const backups = JSON.parse((await rig.get('/backups')).text) as { id: string }[];
    assert.deepEqual(
      backups.map(({ id }) => id),
      [source.id],
    );
    const overview = JSON.parse((await rig.get('/resources/shop/variants')).text) as { kept: { id: string }[] };
    const id = String(overview.kept[0]?.id);
    for (const route of [`/backups/${id}`, `/backups/${id}/content`])
      assert.equal((await rig.get(route)).code, 'backup-not-found', route);
    await assert.rejects(rig.application.restores.restore({ backupId: id } as never), { code: 'backup-not-found' });
    assert.equal((await rig.application.totals()).backups, 1);
  });

  it('is given sealed where it is SQL', async (t) => {
    const rig = await startVariants(t);
    await rig.upload('shop', DUMP);
    rig.maker.declare('shop', { small: REDUCED });
    const sealed = await rig.get('/download/shop?format=sql');
    assert.match(sealed.text, /\\if[\s\S]*7777-77777[\s\S]*COMMIT/);
    const plain = await rig.get('/download/shop?format=sql&seal=none', { 'accept-encoding': 'identity' });
    assert.equal(plain.text, masked(DUMP));
    assert.equal(plain.headers.get('accept-ranges'), 'bytes');
    assert.equal(rig.maker.productions, 1, 'bytes and SQL of a stream are two contents');
  });

  it('that takes long is 409 with when to ask again and where to look; HEAD begins nothing; who cancels it leaves nothing', async (t) => {
    const rig = await startVariants(t);
    await rig.upload('shop', DUMP);
    rig.maker.declare('shop', { small: REDUCED });
    assert.equal((await rig.get('/download/shop', {}, 'HEAD')).status, 409);
    assert.equal(rig.maker.plans, 0);
    rig.maker.hold();
    const waiting = { prefer: 'wait=1' };
    const refused = await rig.get('/download/shop', waiting);
    assert.deepEqual([refused.status, refused.code], [409, 'variant-being-made']);
    assert.ok(Number(refused.headers.get('retry-after')) > 0);
    const { operation = '', operationId = '' } = problem(refused.text);
    const shown = JSON.parse((await rig.get(operation)).text) as { kind: string; status: string };
    assert.deepEqual([shown.kind, shown.status], ['variant', 'running']);
    const sql = await rig.get('/download/shop?format=sql', { ...waiting, accept: '*/*' });
    assert.deepEqual([sql.status, /409 variant-being-made/.test(sql.text)], [409, true]);
    let cancelled: Answered | undefined;
    void rig.get('/download/shop').then((answer) => {
      cancelled = answer;
    });
    await until(async () => {
      const { items } = await rig.application.operations.list({ kind: 'variant' }, { limit: 10 });
      for (const { id, status } of items)
        if (status === 'running') await rig.application.operations.cancel(id).catch(() => undefined);
      return cancelled !== undefined;
    });
    assert.ok(cancelled !== undefined);
    assert.deepEqual([cancelled.status, cancelled.code], [409, 'variant-cancelled']);
    assert.equal((await rig.application.operations.get(operationId)).status, 'cancelled');
    assert.equal((await rig.catalogue.backups.allOf('shop~variants')).length, 0);
    rig.maker.release();
    assert.equal((await rig.get('/download/shop')).status, 200);
  });

  it('is not begun for ever more snapshots at once, but one that is being made can be waited for', async (t) => {
    const rig = await startVariants(t);
    const ids: string[] = [];
    for (let at = 0; at < 5; at++) ids.push((await rig.upload('shop', `row ${at}`)).id);
    rig.maker.declare('shop', { small: REDUCED });
    rig.maker.hold();
    const ask = async (id: string) => (await rig.get(`/download/shop?backup=${id}`, { prefer: 'wait=1' })).code;
    const four = await Promise.all(ids.slice(0, 4).map(ask));
    assert.deepEqual(new Set(four), new Set(['variant-being-made']));
    const fifth = await rig.get(`/download/shop?backup=${ids[4]}`);
    assert.deepEqual([fifth.status, fifth.code], [429, 'variants-busy']);
    assert.equal(fifth.headers.get('retry-after'), '60');
    assert.equal(await ask(ids[0] ?? ''), 'variant-being-made');
    rig.maker.release();
    await until(async () => (await rig.get(`/download/shop?backup=${ids[4]}`)).status === 200);
  });

  it('can be made ahead by an operator, and again after it could not be made', async (t) => {
    const rig = await startVariants(t);
    const { id } = await rig.upload('shop', ROWS);
    rig.maker.declare('shop', { masked: {}, small: REDUCED });
    const make = (variant: string, snapshot = 'latest', headers = {}) =>
      rig.get(`/resources/shop/snapshots/${snapshot}/variants/${variant}`, headers, 'POST');
    assert.equal((await make('masked')).code, 'variant-not-kept');
    assert.equal((await make('absent')).code, 'variant-not-available');
    assert.equal((await make('small', 'backup-1')).code, 'snapshot-not-found');
    const refusal = new HoldfastError('unsupported', 'variant-blocked', 'people.phone has no rule.');
    rig.maker.refusal = refusal;
    const failed = await make('small', id, { prefer: 'wait=60' });
    assert.deepEqual([failed.status, failed.code], [422, 'variant-blocked']);
    const plans = rig.maker.plans;
    rig.maker.refusal = undefined;
    assert.equal((await rig.get('/download/shop?variant=small')).code, 'variant-blocked');
    assert.equal(rig.maker.plans, plans, 'what is known to fail is not tried by each download');
    const overview = JSON.parse((await rig.get('/resources/shop/variants')).text) as { blocked: unknown[] };
    assert.equal(overview.blocked.length, 1);
    const started = await make('small');
    assert.equal(started.status, 202);
    assert.match(String(started.headers.get('location')), /^\/operations\/operation-/);
    await until(async () => (await states(rig)).includes('small:ready'));
    assert.equal((await make('small', id, { prefer: 'wait=60' })).status, 200);
    assert.equal(rig.maker.productions, 1, 'what is kept is not made again');
    const removed = await rig.get(`/resources/shop/snapshots/${id}/variants/small`, {}, 'DELETE');
    assert.equal(removed.status, 200);
    assert.equal((await rig.get(`/resources/shop/snapshots/${id}/variants/small`, {}, 'DELETE')).status, 404);
    rig.principals.set('fred', developer());
    assert.equal((await make('small')).status, 403);
  });

  it('that leaks is never published, and alerts', async (t) => {
    const rig = await startVariants(t);
    await rig.upload('shop', ROWS);
    rig.maker.declare('shop', { small: REDUCED });
    rig.maker.failure = new HoldfastError('damaged', 'variant-leaks', 'people.note holds values of people.phone.');
    const refused = await rig.get('/download/shop');
    assert.deepEqual([refused.status, refused.code], [422, 'variant-blocked']);
    assert.equal(rig.notifications.filter(({ type }) => type === 'variant-leaked').length, 1);
    assert.equal((await rig.catalogue.backups.allOf('shop~variants')).length, 0);
    assert.equal((await rig.repository.listSnapshots()).length, 1);
    assert.equal(await states(rig), 'small:blocked raw:on-demand');
  });

  it('of a policy that was changed is given to nobody, and the next clean-up removes it', async (t) => {
    const rig = await startVariants(t);
    await rig.upload('shop', ROWS);
    rig.maker.declare('shop', { small: REDUCED });
    await rig.get('/download/shop');
    rig.maker.version = 'two';
    assert.equal(await states(rig), 'small:on-demand raw:on-demand');
    await rig.get('/download/shop');
    assert.equal(rig.maker.productions, 2);
    assert.equal((await rig.catalogue.backups.allOf('shop~variants')).length, 2);
    await rig.application.policies.cleanUp('test');
    assert.equal((await rig.catalogue.backups.allOf('shop~variants')).length, 1);
    assert.equal(await states(rig), 'small:ready raw:on-demand');
    rig.maker.declare('shop', { small: { ...REDUCED, fault: 'line 1: this is no YAML.' } });
    await rig.application.policies.cleanUp('test');
    assert.equal((await rig.catalogue.backups.allOf('shop~variants')).length, 1, 'a broken policy removes nothing');
    rig.maker.policies.clear();
    await rig.application.policies.cleanUp('test');
    assert.equal((await rig.repository.listSnapshots()).length, 1);
  });

  it('of a policy that is changed while it is made is made by the new one', async (t) => {
    const rig = await startVariants(t);
    await rig.upload('shop', ROWS);
    rig.maker.declare('shop', { small: REDUCED });
    rig.maker.hold();
    const asked = rig.get('/download/shop');
    await until(() => rig.maker.productions === 1);
    rig.maker.version = 'two';
    rig.maker.release();
    const changed = await asked;
    assert.deepEqual([changed.status, changed.code], [503, 'variant-changed']);
    assert.equal((await rig.get('/download/shop')).status, 200);
    assert.equal(rig.maker.productions, 2);
    assert.equal((await rig.catalogue.backups.allOf('shop~variants')).length, 1);
  });

  it('goes with its source: deleted, expired, damaged, with its resource', async (t) => {
    const rig = await startVariants(t);
    rig.maker.hasSidecar = true;
    rig.maker.declare('shop', { small: REDUCED });
    const kept = async () => (await rig.catalogue.backups.allOf('shop~variants')).length;
    const make = async () => {
      const { id } = await rig.upload('shop', ROWS);
      assert.equal((await rig.get(`/download/shop?backup=${id}`)).status, 200);
      return id;
    };
    const first = await make();
    const second = await make();
    assert.equal(await kept(), 4);
    await rig.application.backups.update(first, { held: true });
    await rig.application.backups.delete(second, { cascade: false, reason: 'test', by: 'test' });
    assert.equal(await kept(), 2);
    assert.equal((await rig.application.repositories.trash('default')).filter(({ id }) => id === second).length, 1);
    await rig.application.repositories.undelete('default', second);
    assert.equal((await rig.get(`/download/shop?backup=${second}`)).status, 200);
    assert.equal(rig.maker.productions, 3, 'what came back is masked anew');
    await rig.application.backups.update(second, { retentionDays: 1 });
    rig.advance(2 * DAY);
    await rig.application.policies.cleanUp('test');
    assert.equal(await kept(), 2);
    await rig.catalogue.backups.put({ ...(await rig.application.backups.get(first)), status: 'damaged' });
    assert.equal((await rig.get(`/download/shop?backup=${first}`)).code, 'snapshot-not-found');
    await rig.application.policies.cleanUp('test');
    assert.equal(await kept(), 0);
    const last = await make();
    await rig.application.backups.update(first, { held: false });
    assert.ok(last);
    await rig.application.resources.delete('shop', { cascade: true, by: 'test' });
    assert.deepEqual([await kept(), (await rig.repository.listSnapshots()).length], [0, 0]);
  });

  it('whose source goes while it is made is not kept', async (t) => {
    const rig = await startVariants(t);
    const { id } = await rig.upload('shop', ROWS);
    rig.maker.declare('shop', { small: REDUCED });
    rig.maker.hold();
    const asked = rig.get('/download/shop');
    await until(() => rig.maker.productions === 1);
    await rig.application.backups.delete(id, { cascade: false, reason: 'test', by: 'test' });
    rig.maker.release();
    const refused = await asked;
    assert.ok(refused.status >= 400, refused.text);
    assert.deepEqual(await rig.repository.listSnapshots(), []);
    assert.deepEqual(await rig.catalogue.backups.allOf('shop~variants'), []);
  });

  it('keeps facts of its source for the next production, which nobody sees', async (t) => {
    const rig = await startVariants(t);
    await rig.upload('shop', ROWS);
    rig.maker.hasSidecar = true;
    rig.maker.declare('shop', { small: REDUCED, tiny: REDUCED });
    await rig.get('/download/shop?variant=small');
    await rig.get('/download/shop?variant=tiny');
    assert.deepEqual(rig.maker.sidecars, ['none', 'keys of 1']);
    const rows = (await rig.catalogue.backups.allOf('shop~variants')).filter(({ sidecar }) => sidecar !== undefined);
    assert.equal(rows.length, 1);
    assert.equal((await rig.get(`/backups/${rows[0]?.id}/content`)).code, 'backup-not-found');
  });

  it('is made all the same where facts of its source find no place, which is told', async (t) => {
    const rig = await startVariants(t);
    await rig.upload('shop', ROWS);
    rig.maker.hasSidecar = true;
    rig.maker.declare('shop', { small: REDUCED });
    const { backups } = rig.catalogue;
    const put = backups.put.bind(backups);
    backups.put = async (row) => {
      if (row.sidecar !== undefined) throw new HoldfastError('internal', 'enospc', 'There is no space left.');
      return put(row);
    };
    assert.equal((await rig.get('/download/shop?variant=small')).text, masked(ROWS));
    assert.ok(rig.logged.some((line) => line.includes('no space left')));
  });

  it('is made ahead of each backup where the policy wants that', async (t) => {
    const rig = await startVariants(t);
    rig.maker.declare('shop', {
      small: { ...REDUCED, produce: 'ahead' },
      masked: { produce: 'ahead' },
      other: REDUCED,
    });
    await rig.upload('shop', ROWS);
    await until(async () => (await states(rig)) === 'small:ready masked:ready other:on-demand raw:on-demand');
    assert.equal(rig.maker.productions, 2);
    await rig.get('/download/shop');
    assert.equal(rig.maker.productions, 2);
  });

  it('is known again to a catalogue that is made of the repository', async (t) => {
    const rig = await startVariants(t);
    await rig.upload('shop', ROWS);
    rig.maker.declare('shop', { small: REDUCED });
    await rig.get('/download/shop');
    const [row] = await rig.catalogue.backups.allOf('shop~variants');
    for (const id of await rig.catalogue.backups.idsOf('default')) await rig.catalogue.backups.delete(id);
    await rig.application.repositories.reconcile('default');
    assert.deepEqual(await rig.catalogue.backups.allOf('shop~variants'), [row]);
    assert.equal((await rig.get('/download/shop')).text, masked(ROWS));
    assert.equal(rig.maker.productions, 1);
    assert.deepEqual(
      (await rig.catalogue.resources.list()).map(({ id }) => id),
      ['shop'],
    );
  });
});

describe('a kept variant that is lost', () => {
  it('is made again', async (t) => {
    const rig = await startVariants(t);
    await rig.upload('shop', ROWS);
    rig.maker.declare('shop', { small: REDUCED, raw: {} });
    await rig.get('/download/shop');
    const [row] = await rig.catalogue.backups.allOf('shop~variants');
    await rig.repository.forgetSnapshot(row?.id ?? '', { trashDays: 0, reason: 'test' });
    assert.equal((await rig.get('/download/shop')).text, masked(ROWS));
    assert.equal(rig.maker.productions, 2);
    assert.equal((await rig.get('/download/shop?variant=raw')).text, ROWS, 'no policy can call anything raw');
  });
});

describe('a variant that is to be loaded first', () => {
  it('is given when it loaded, is kept though it is whole, and is blocked where it does not load', async (t) => {
    let loaded = '';
    let refusal: HoldfastError | undefined;
    const verifier = {
      async verify(_material: unknown, bytes: AsyncIterable<Uint8Array>) {
        loaded = Buffer.concat(await Array.fromAsync(bytes)).toString();
        if (refusal !== undefined) throw refusal;
      },
    };
    const rig = await startVariants(t, { verifier });
    await rig.upload('shop', ROWS);
    rig.maker.declare('shop', { masked: { verifiesByLoading: true } });
    refusal = new HoldfastError('invalid', 'variant-not-loadable', 'The constraint people_phone_key does not hold.');
    const refused = await rig.get('/download/shop');
    assert.deepEqual([refused.status, refused.code], [422, 'variant-blocked']);
    assert.match(refused.text, /people_phone_key/);
    assert.equal((await rig.repository.listSnapshots()).length, 1);
    refusal = undefined;
    await rig.get('/resources/shop/snapshots/latest/variants/masked', { prefer: 'wait=60' }, 'POST');
    assert.equal((await rig.get('/download/shop')).text, masked(ROWS));
    assert.equal(loaded, masked(ROWS));

    rig.maker.version = 'two';
    rig.maker.failure = new HoldfastError('invalid', 'variant-failed', 'people.phone, row 2: too long.');
    const failed = await rig.get('/download/shop');
    assert.match(failed.text, /row 2: too long/, 'what ended the bytes is told, not that their loading was cut off');
  });

  it('is given to the loader as fast as that takes it, whole, and not at all where the loader leaves early and fails', async (t) => {
    const text = `${ROWS.repeat(100_000)}`;
    let taken = 0;
    let leavesEarly = false;
    const verifier = {
      async verify(_material: unknown, bytes: AsyncIterable<Uint8Array>) {
        for await (const piece of bytes) {
          await new Promise((resolve) => setImmediate(resolve));
          taken += piece.length;
          if (leavesEarly) throw new HoldfastError('invalid', 'variant-not-loadable', 'The server went away.');
        }
      },
    };
    const rig = await startVariants(t, { verifier });
    await rig.upload('shop', text);
    rig.maker.declare('shop', { small: { ...REDUCED, verifiesByLoading: true } });
    assert.equal((await rig.get('/download/shop')).text.length, text.length);
    assert.equal(taken, text.length);
    leavesEarly = true;
    rig.maker.version = 'two';
    assert.match((await rig.get('/download/shop')).text, /The server went away/);
  });

  it('cannot be had where nothing can load it, and says so', async (t) => {
    const rig = await startVariants(t);
    await rig.upload('shop', ROWS);
    rig.maker.declare('shop', { small: { ...REDUCED, verifiesByLoading: true } });
    const refused = await rig.get('/download/shop');
    assert.deepEqual([refused.status, refused.code], [422, 'variant-verifier-missing']);
    assert.match(refused.text, /verify: load/);
  });
});
