import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { HoldfastError } from '../src/core/errors.ts';
import { DAY } from './managed-application.ts';
import { developer, type Listed, listed, masked, ROWS, startVariants, states } from './variants-rig.ts';

const { signal } = new AbortController();

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

  it('of a policy that cannot be used is blocked under each name, and only who runs the service is told why', async (t) => {
    const rig = await startVariants(t);
    await rig.upload('shop', ROWS);
    rig.principals.set('fred', developer([{ resources: ['shop'], variants: ['small', 'raw'] }]));
    const fault = 'The masking policy /etc/holdfast/policies/shop.yaml is not valid. Line 3.';
    rig.maker.declare('shop', { masked: { fault, standsForAll: true } });
    for (const [route, method] of [
      ['/download/shop', 'GET'],
      ['/download/shop', 'HEAD'],
      ['/download/shop?variant=small', 'GET'],
    ] as const) {
      const refused = await rig.get(route, {}, method);
      assert.equal(refused.status, 422, route);
      if (method === 'GET') assert.equal(refused.code, 'variant-blocked', route);
      assert.doesNotMatch(refused.text, /etc|line 3/i);
    }
    assert.equal(await states(rig), 'small:blocked raw:on-demand');
    const told = [
      await rig.get('/snapshots'),
      await rig.get('/download/shop', { accept: '*/*' }),
      await rig.get('/snapshots', { accept: 'text/html' }),
    ];
    for (const { text } of told) assert.doesNotMatch(text, /etc|line 3/i);
    assert.match(told[0]?.text ?? '', /policy of shop cannot be used/);
    const [entry] = (await rig.application.audit.page({ action: 'download.get' }, { limit: 1 })).items;
    assert.equal(
      entry?.details.fault,
      `The variant "small" of shop cannot be made, because its masking policy cannot be used: ${fault}`,
    );
    assert.ok(rig.logged.some((line) => line.includes('shop.yaml')));
    await assert.rejects(
      rig.application.variants.build({ resourceId: 'shop', variant: 'small', createdBy: 'otto' }, signal),
      {
        code: 'masking-policy-unusable',
        message: /shop\.yaml/,
      },
    );

    // What breaks between the look at a policy and its use is told the same way, by operations too.
    rig.maker.declare('shop', { small: { kind: 'reduced' } });
    rig.maker.refusal = new HoldfastError(
      'invalid',
      'secret-missing',
      'The file /etc/holdfast/mask.key cannot be read.',
    );
    const late = await rig.get('/download/shop?variant=small', { prefer: 'wait=60' });
    assert.equal(late.code, 'secret-missing');
    rig.maker.declare('shop', { small: {} });
    const streamed = await rig.get('/download/shop?variant=small');
    assert.equal(streamed.code, 'secret-missing');
    const operations = await rig.get('/operations');
    for (const { text } of [late, streamed, operations]) assert.doesNotMatch(text, /mask\.key/);
    assert.match(operations.text, /secret-missing/);
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
      ['raw', undefined, 'reason-needed', undefined],
      ['raw', undefined, 'reason-needed', undefined],
      ['raw', undefined, 'reason-needed', undefined],
      ['raw', 'ticket 4711', undefined, undefined],
      ['raw', 'ticket 4712', undefined, undefined],
    ]);
    assert.match(String(events.at(-1)?.details.policyHash), /^[0-9a-f]{64}$/);
    rig.principals.set('fred', developer([{ resources: ['*'], variants: ['masked'] }]));
    assert.equal((await rig.get('/download/shop?variant=raw')).code, 'download-not-found');
    const [tried] = (await rig.application.audit.page({ action: 'download.get' }, { limit: 1 })).items;
    assert.deepEqual([tried?.outcome, tried?.details.variant, tried?.details.resource], ['failure', 'raw', 'shop']);
    // What reads any backup as it is would be a way around it.
    const [{ id }] = (await listed(rig)) as [Listed];
    assert.equal((await rig.get(`/backups/${id}/content`)).code, 'content-not-granted');
  });
});
