import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { HoldfastError } from '../src/core/errors.ts';
import { DAY } from './managed-application.ts';
import {
  type Answered,
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

  it('of which parts are given while they are downloaded is withdrawn where originals are found in one', async (t) => {
    const rig = await startVariants(t);
    await rig.upload('shop', ROWS);
    rig.maker.declare('shop', { masked: { produce: 'ahead' }, small: REDUCED });
    rig.maker.partsAreWhole = true;
    const kept = async () => (await rig.catalogue.backups.allOf('shop~variants')).length;
    assert.equal((await rig.get('/download/shop?tables=people')).text, masked(ROWS));
    assert.equal(await kept(), 0);
    await rig.get('/download/shop');
    assert.equal(await kept(), 1);
    rig.maker.failure = new HoldfastError('damaged', 'variant-leaks', 'Originals of people.phone are in it.');
    await assert.rejects(rig.get('/download/shop?tables=people'));
    rig.maker.failure = undefined;
    for (const asked of ['', '?tables=people'])
      assert.equal((await rig.get(`/download/shop${asked}`)).code, 'variant-blocked');
    assert.equal(await kept(), 0);
  });

  it('of which parts are asked for is made first, unless it has none such, and waited for like the whole', async (t) => {
    const rig = await startVariants(t);
    await rig.upload('shop', DUMP);
    rig.maker.declare('shop', { small: REDUCED, loaded: { verifiesByLoading: true } });
    const route = '/download/shop?format=sql&tables=COPY&seal=none';
    assert.equal((await rig.get(route, {}, 'HEAD')).status, 409);
    assert.deepEqual([rig.maker.plans, rig.maker.productions], [0, 0]);
    for (const variant of ['small', 'loaded']) {
      const absent = await rig.get(`/download/shop?format=sql&variant=${variant}&tables=absent`);
      assert.deepEqual([absent.status, absent.code], [400, 'download-choice-invalid']);
      const path = await rig.get(`/download/shop?format=sql&variant=${variant}&path=x`);
      assert.deepEqual([path.status, path.code], [400, 'download-choice-invalid']);
    }
    rig.maker.hold();
    const refused = await rig.get(route, { prefer: 'wait=1' });
    assert.deepEqual([refused.status, refused.code], [409, 'variant-being-made']);
    rig.maker.release();
    const plain = await rig.get(route, { 'accept-encoding': 'identity' });
    assert.deepEqual([plain.status, plain.text], [200, 'COPY public.people (phone) FROM stdin;\n']);
    assert.equal((await rig.get(route, {}, 'HEAD')).status, 200);
    assert.equal((await rig.get(route, { 'if-none-match': String(plain.headers.get('etag')) })).status, 304);
    const whole = await rig.get('/download/shop?format=sql&seal=none');
    assert.notEqual(whole.headers.get('etag'), plain.headers.get('etag'));
    assert.equal(whole.text, masked(DUMP));
    const { details } = (await rig.application.audit.page({ action: 'download.get' }, { limit: 1 })).items[0] ?? {};
    assert.equal(details?.variant, 'small');
    const productions = rig.maker.productions;
    await rig.get(route);
    assert.equal(rig.maker.productions, productions, 'it is made for each part');
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
