import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HoldfastError } from '../src/core/errors.ts';
import type { ManagerContext } from '../src/core/manager-context.ts';
import type { Service } from '../src/core/ports/service.ts';
import { VariantOutcomes } from '../src/core/variant-outcomes.ts';
import { bytesOf, DAY } from './managed-application.ts';
import {
  DUMP,
  developer,
  listed,
  masked,
  problem,
  REDUCED,
  ROWS,
  startVariants,
  states,
  until,
} from './variants-rig.ts';

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
    assert.equal(removed.text, '{"deleted":[]}\n');
    assert.equal((await rig.get('/download/shop')).status, 200);
    assert.match((await rig.get('/metrics')).text, /^holdfast_variants_total\{outcome="leaked"\} 1$/m);
  });

  it('that leaks stays blocked whatever other downloads of it, begun before, come to', async (t) => {
    const rig = await startVariants(t);
    await rig.upload('shop', ROWS);
    const notified: string[] = [];
    const outcomes = new VariantOutcomes({
      ...{ catalogue: rig.catalogue, clock: { now: () => new Date() } },
      notifier: { notify: async ({ type }: { type: string }) => void notified.push(type) },
    } as unknown as ManagerContext);
    const subject = { resourceId: 'shop', snapshotId: 'backup-1', variant: 'masked', fingerprint: 'one' };
    const unfit = new HoldfastError('unsupported', 'variant-blocked', 'people.phone has no rule.');
    await outcomes.failed(subject, unfit);
    await outcomes.failed(subject, new HoldfastError('damaged', 'variant-leaks', 'people.note holds values.'));
    await outcomes.failed(subject, unfit);
    await outcomes.mended(subject);
    await outcomes.made(subject);
    assert.equal((await outcomes.blockOf(subject))?.code, 'variant-leaks');
    assert.deepEqual(notified.slice(0, 2), ['variant-failed', 'variant-leaked']);
    await outcomes.made({ ...subject, fingerprint: 'two' });
    assert.deepEqual(await rig.catalogue.variantBlocks.list(), []);
    await outcomes.failed(subject, unfit);
    await rig.application.resources.delete('shop', { cascade: true, by: 'test' });
    assert.deepEqual(await rig.catalogue.variantBlocks.list(), []);
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
