import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Drill } from '../src/core/drill.ts';
import { type RunningService, startService } from './api-service.ts';
import { type Answer, documentedCall } from './documented-call.ts';

describe('drills over HTTP', () => {
  let service: RunningService;
  let stop = async (): Promise<unknown> => undefined;
  before(async () => {
    service = await startService({
      after: (cleanup) => {
        stop = async () => (cleanup as () => Promise<void>)();
      },
    });
    await call('POST', '/backups', {
      resourceId: 'shop',
      data: { orders: [1, 2, 3], note: '<script>alert(1)</script>' },
    });
  });
  after(() => stop());

  const call = (method: string, route: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> =>
    documentedCall(service.url, method, route, { body, headers });

  const wait = { prefer: 'wait=60' };

  it('start one and answer with its operation, or with the evidence to whoever waits', async () => {
    const started = await call('POST', '/resources/shop/drills', {});
    assert.equal(started.status, 202);
    assert.equal(started.headers.get('location'), `/operations/${started.body.id}`);
    assert.equal(started.body.kind, 'drill');
    await service.application.operations.wait(started.body.id, 60_000);
    const waited = await call('POST', '/resources/shop/drills', { which: 'random' }, wait);
    assert.equal(waited.status, 201);
    assert.equal(waited.headers.get('location'), `/drills/${waited.body.id}`);
    assert.equal(waited.body.outcome, 'passed');
    assert.deepEqual((await call('GET', `/drills/${waited.body.id}`)).body, waited.body);
    const { body } = await call('GET', '/resources/shop/drills/summary');
    assert.deepEqual([body.lastProven.drillId, body.last.outcome], [waited.body.id, 'passed']);
  });

  it('answer a drill that does not pass as an error that names the evidence', async () => {
    const assertions = [{ jsonPath: '$.orders[*]', count: { atLeast: 4 } }];
    const { status, body } = await call('POST', '/resources/shop/drills', { assertions }, wait);
    assert.deepEqual([status, body.code], [500, 'drill-assertion-failed']);
    assert.match(body.detail, /expected at least 4 values, found 3 values/);
    const evidence: Drill = (await call('GET', `/drills/${body.drillId}`)).body;
    assert.deepEqual([evidence.outcome, evidence.fault], ['failed', 'assertion']);
    const failed: Drill[] = (await call('GET', '/drills?resourceId=shop&outcome=failed')).body;
    assert.deepEqual(
      failed.map(({ id }) => id),
      [evidence.id],
    );
  });

  it('refuse what makes no sense', async () => {
    const codes = async (route: string, body: object) => {
      const answer = await call('POST', route, body);
      return [answer.status, answer.body.code];
    };
    assert.deepEqual(await codes('/resources/nobody/drills', {}), [404, 'resource-not-found']);
    assert.deepEqual(await codes('/resources/shop/drills', { backupId: 'backup-x' }), [404, 'backup-not-found']);
    const assertions = [{ jsonPath: '$[', equals: 1 }];
    assert.deepEqual(await codes('/resources/shop/drills', { assertions }), [400, 'assertions-invalid']);
    assert.equal((await call('POST', '/resources/shop/drills', { backupId: 'a', which: 'newest' })).status, 400);
    assert.equal((await codes('/resources/shop/drills', { moment: 'random' }))[1], 'drill-moment-not-offered');
    assert.equal(
      (await codes('/resources/shop/drills', { moment: 'random', which: 'newest' }))[1],
      'drill-choice-mixed',
    );
    assert.equal((await call('POST', '/resources/shop/drills', { moment: 'yesterday' })).status, 400);
    assert.equal((await call('GET', '/drills/drill-x')).body.code, 'drill-not-found');
  });

  it('look at what the resource asserts, which is kept and shown with it', async () => {
    const assertions = [{ name: 'Enough orders', jsonPath: '$.orders[*]', count: { atLeast: 3 } }];
    const put = await call('PUT', '/resources/asserted', { service: 'document', assertions });
    assert.deepEqual([put.status, put.body.assertions], [201, [{ ...assertions[0], timeoutSeconds: 60 }]]);
    assert.deepEqual((await call('GET', '/resources/asserted')).body.assertions, put.body.assertions);
    await call('POST', '/backups', { resourceId: 'asserted', data: { orders: [1, 2, 3] } });
    const { body } = await call('POST', '/resources/asserted/drills', undefined, wait);
    assert.deepEqual([body.outcome, body.checks.at(-1).description], ['passed', 'Enough orders']);
    const wrong = [{ jsonPath: '$.orders', equals: 1, atLeast: 1 }];
    const refused = await call('PUT', '/resources/asserted', { service: 'document', assertions: wrong });
    assert.deepEqual([refused.status, refused.body.code], [400, 'assertions-invalid']);
  });

  it('give a report that shows hostile content as text and runs nothing', async () => {
    const assertions = [{ name: '<img src=x onerror=alert(1)>', jsonPath: '$.note', equals: '"><script>' }];
    const { body } = await call('POST', '/resources/shop/drills', { assertions }, wait);
    const answer = await fetch(`${service.url}/drills/${body.drillId}/report`);
    assert.equal(answer.headers.get('content-type'), 'text/html; charset=utf-8');
    const policy = answer.headers.get('content-security-policy') ?? '';
    assert.match(policy, /default-src 'none'; style-src 'sha256-/);
    assert.doesNotMatch(policy, /unsafe|script-src/);
    const page = await answer.text();
    assert.doesNotMatch(page, /<script|<img|onerror=alert\(1\)>(?!&)/);
    assert.match(page, /&lt;script&gt;alert\(1\)&lt;\/script&gt;/);
    const same = await fetch(`${service.url}/drills/${body.drillId}`, { headers: { accept: 'text/html,*/*' } });
    assert.equal(await same.text(), page);
  });

  it('can be scheduled, of posted resources too', async () => {
    const schedule = { resourceId: 'shop', cron: '@daily', kind: 'drill', which: 'random' };
    const { status, body } = await call('PUT', '/schedules/prove-shop', schedule);
    assert.deepEqual([status, body.kind, body.which, body.type], [200, 'drill', 'random', undefined]);
    const mixed = await call('PUT', '/schedules/mixed', { ...schedule, type: 'full' });
    assert.deepEqual([mixed.status, mixed.body.code], [400, 'schedule-fields-mixed']);
    const both = await call('PUT', '/schedules/both', { ...schedule, moment: 'random' });
    assert.equal(both.body.code, 'drill-choice-mixed');
    const ofBackups = await call('PUT', '/schedules/mixed', { resourceId: 'shop', cron: '@daily', moment: 'random' });
    assert.deepEqual([ofBackups.status, ofBackups.body.code], [400, 'schedule-fields-mixed']);
    const invalid = await call('PUT', '/schedules/invalid', { ...schedule, assertions: [{ sql: 'SELECT 1' }] });
    assert.equal(invalid.body.code, 'assertions-invalid');
  });

  it('are seen in metrics and health', async () => {
    await call('POST', '/resources/shop/drills', {}, wait);
    const metrics = await (await fetch(`${service.url}/metrics`)).text();
    assert.match(metrics, /^holdfast_drill_last_success_timestamp_seconds\{resource="shop"\} \d+/m);
    assert.match(metrics, /^holdfast_drill_last_passed\{resource="shop"\} 1$/m);
    const { status, body } = await call('GET', '/health');
    assert.deepEqual([status, body.drills], [200, { resources: 2, failing: 0 }]);
  });

  it('are for those alone who may use the resource', async () => {
    const { token: admin } = await service.application.access.createToken({ name: 'admin', role: 'admin' });
    const { token } = await service.application.access.createToken({
      name: 'other',
      role: 'operator',
      resources: ['other*'],
    });
    const { token: viewer } = await service.application.access.createToken({ name: 'viewer', role: 'viewer' });
    const as = (bearer: string) => ({ authorization: `Bearer ${bearer}` });
    const [drill]: Drill[] = (await call('GET', '/drills', undefined, as(admin))).body;
    assert.deepEqual((await call('GET', '/drills', undefined, as(token))).body, []);
    assert.equal((await call('GET', `/drills/${drill?.id}`, undefined, as(token))).status, 404);
    assert.equal((await call('GET', '/resources/shop/drills/summary', undefined, as(token))).status, 404);
    assert.equal((await call('POST', '/resources/shop/drills', {}, as(token))).status, 404);
    assert.equal((await call('POST', '/resources/shop/drills', {}, as(viewer))).status, 403);
    assert.equal((await call('GET', `/drills/${drill?.id}`, undefined, as(viewer))).status, 200);
  });
});
