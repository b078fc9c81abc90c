import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, afterEach, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { HoldfastError } from '../src/core/errors.ts';
import type { Service } from '../src/core/ports/service.ts';
import { createDocumentService } from '../src/services/document/document-service.ts';
import { createStreamService } from '../src/services/stream/stream-service.ts';
import { check, DrillRig, outcomes } from './drill-rig.ts';
import { eventually } from './eventually.ts';

describe('restore drills', () => {
  let rig: DrillRig;
  before(async () => {
    const limits = { documentLimitBytes: 1 << 26, documentDepthLimit: 200, maxChainLength: 50 };
    rig = await DrillRig.create([createDocumentService(limits), createStreamService(), ...IDLE_SERVICES]);
  });
  after(() => rig.remove());
  afterEach(async () => assert.deepEqual(await rig.leftovers(), []));

  test('prove a document through its chain and keep the evidence', async () => {
    const state = { filler: 'x'.repeat(2000), users: [{ name: 'Ada' }] };
    await rig.post('chained', state);
    const newest = await rig.post('chained', { ...state, n: 1 }, 'incremental');
    const { drill, operation } = await rig.drill('chained');
    assert.equal(operation.status, 'completed');
    assert.equal(drill.outcome, 'passed');
    assert.deepEqual(outcomes(drill), ['restored passed', 'checksum passed']);
    assert.deepEqual([drill.backup.id, drill.backup.chainLength, drill.which], [newest.id, 2, 'newest']);
    assert.equal(check(drill, 'checksum')?.found, newest.checksum);
    assert.ok((drill.recoveryTimeMilliseconds ?? -1) >= 0);
    assert.equal(drill.recoveryPoint.backupId, newest.id);
    assert.deepEqual(await rig.managed.application.drills.get(drill.id), drill);
    const { lastProven } = await rig.managed.application.drills.standing('chained');
    assert.deepEqual([lastProven?.backupId, lastProven?.at], [newest.id, drill.completedAt]);
    const { items } = await rig.managed.application.audit.page({ subject: drill.id }, { limit: 10 });
    assert.deepEqual([items[0]?.action, items[0]?.outcome], ['drill.complete', 'success']);
  });

  test('leave their evidence once though the audit log has no room for a moment, and say that it does not vouch for it', async (t) => {
    await rig.postStream('crowded', randomBytes(100));
    const full = new HoldfastError('unavailable', 'catalogue-full', 'The disk is full.');
    const append = t.mock.method(rig.managed.catalogue.audit, 'append', () => Promise.reject(full), { times: 1 });
    const { drill, operation } = await rig.drill('crowded');
    assert.equal(append.mock.callCount(), 1);
    assert.deepEqual([operation.status, operation.error?.code], ['failed', 'drill-not-vouched-for']);
    const { items } = await rig.managed.application.drills.list({ resourceId: 'crowded' }, { limit: 10 });
    assert.deepEqual(items, [drill]);
  });

  test('compare the recovery point with the newest backup, whichever one is restored', async () => {
    const old = await rig.postStream('aging', randomBytes(1000));
    rig.managed.advance(60_000);
    const newest = await rig.postStream('aging', randomBytes(1000));
    rig.managed.advance(30_000);
    const { drill } = await rig.drill('aging', { backupId: old.id });
    assert.deepEqual([drill.outcome, drill.which, drill.backup.id], ['passed', 'chosen', old.id]);
    assert.equal(drill.recoveryPoint.backupId, newest.id);
    assert.ok(drill.recoveryPoint.ageMilliseconds >= 30_000 && drill.recoveryPoint.ageMilliseconds < 60_000);
  });

  test('tell the recovery point as it was when they began, though a backup is made meanwhile', async () => {
    await rig.managed.application.resources.put({ id: 'busy', service: 'busy' });
    const { id } = await rig.backUp('busy');
    rig.managed.advance(60_000);
    meanwhile = () => rig.backUp('busy');
    const { drill } = await rig.drill('busy');
    assert.equal(drill.recoveryPoint.backupId, id);
    assert.ok(drill.recoveryPoint.ageMilliseconds >= 60_000);
  });

  test('take any of the backups where a random one is asked for', async () => {
    const ids = new Set<string>();
    for (let n = 0; n < 3; n++) ids.add((await rig.postStream('several', randomBytes(100))).id);
    const drilled = new Set<string>();
    for (let n = 0; n < 200 && drilled.size < 3; n++)
      drilled.add((await rig.drill('several', { which: 'random' })).drill.backup.id);
    assert.deepEqual(drilled, ids);
  });

  test('fail where an assertion does not hold, and say what was expected and found', async () => {
    await rig.post('asserted', { users: [{ name: 'Ada' }, { name: 'Grace' }], total: 12, big: 'x'.repeat(100) });
    const holds = [
      { jsonPath: '$.users[0].name', equals: 'Ada' },
      { jsonPath: '$.total', atLeast: 12, atMost: 20 },
      { jsonPath: '$.users[?@.name != ""]', count: { atLeast: 2, atMost: 2 } },
      { jsonPath: '$.missing', count: { atMost: 0 } },
    ];
    const good = await rig.drill('asserted', { assertions: holds });
    assert.equal(good.drill.error?.message, undefined);
    assert.equal(good.drill.assertions.length, 4);
    const { drill, operation } = await rig.drill('asserted', {
      assertions: [...holds, { name: 'Orders are there', jsonPath: '$.total', atLeast: 13 }],
    });
    assert.deepEqual(
      [drill.outcome, drill.fault, drill.error?.code],
      ['failed', 'assertion', 'drill-assertion-failed'],
    );
    assert.deepEqual([operation.status, operation.error?.kind], ['failed', 'damaged']);
    const failed = drill.checks.at(-1);
    assert.deepEqual(
      [failed?.description, failed?.subject, failed?.expected, failed?.found],
      ['Orders are there', '$.total', 'at least 13', '12'],
    );
    assert.ok(rig.managed.notifications.some(({ type, message }) => type === 'drill-failed' && /13/.test(message)));
  });

  test('look at the assertions of the resource each time', async () => {
    await rig.managed.application.resources.put({
      id: 'guarded',
      service: 'stream',
      assertions: [{ minimumSize: 5000 }],
    });
    await rig.postStream('guarded', randomBytes(100));
    const { drill } = await rig.drill('guarded');
    assert.deepEqual(outcomes(drill), ['checksum passed', 'assertion failed']);
    assert.deepEqual([drill.outcome, drill.fault], ['failed', 'assertion']);
  });

  test('refuse assertions that make no sense before anything is restored', async () => {
    await rig.post('strict', { a: 1 });
    const start = (assertion: object) => rig.drill('strict', { assertions: [assertion] });
    for (const assertion of [
      { jsonPath: '$.a' },
      { jsonPath: '$.a', equals: 1, atLeast: 0 },
      { jsonPath: '$.a', atLeast: 2, atMost: 1 },
      { jsonPath: 'not a path', equals: 1 },
      { jsonPath: '$.a', equals: 1, sql: 'SELECT 1' },
    ])
      await assert.rejects(start(assertion), { code: 'assertions-invalid' });
  });

  test('end an assertion that takes too long and go on with the next', async () => {
    await rig.post('slow', { text: `${'a'.repeat(60)}!` });
    const { drill } = await rig.drill('slow', {
      assertions: [
        { jsonPath: '$[?match(@, "(a|aa)+")]', count: { atLeast: 1 }, timeoutSeconds: 1 },
        { jsonPath: '$.text', count: { atLeast: 1 } },
      ],
    });
    assert.deepEqual(outcomes(drill).slice(2), ['assertion failed', 'assertion passed']);
    assert.match(drill.checks[2]?.found ?? '', /no answer/);
  });

  test('fail where nothing could be compared', async () => {
    await rig.postStream('empty', Buffer.alloc(0));
    const { drill } = await rig.drill('empty');
    assert.deepEqual([drill.outcome, drill.error?.code], ['failed', 'drill-checked-nothing']);
    await rig.managed.application.resources.put({ id: 'idle', service: 'idle' });
    await rig.backUp('idle');
    const idle = await rig.drill('idle');
    assert.deepEqual([idle.drill.outcome, idle.drill.error?.code], ['failed', 'drill-checked-nothing']);
  });

  test('say that the machine is at fault where it is', async () => {
    await rig.managed.application.resources.put({ id: 'roomy', service: 'roomy' });
    await rig.backUp('roomy');
    const { drill, operation } = await rig.drill('roomy');
    assert.deepEqual(
      [drill.outcome, drill.fault, drill.error?.code],
      ['impossible', 'environment', 'drill-space-short'],
    );
    assert.deepEqual([operation.status, operation.error?.kind, operation.attempts], ['failed', 'unavailable', 1]);
    assert.equal(drill.recoveryTimeMilliseconds, undefined);
  });

  test('leave no folder and no evidence when they are cancelled', async () => {
    await rig.managed.application.resources.put({ id: 'waiting', service: 'waiting' });
    await rig.backUp('waiting');
    const { drills, operations } = rig.managed.application;
    const started = await drills.start({ resourceId: 'waiting', createdBy: 'test' });
    await eventually(async () => (await rig.leftovers()).length > 0, 'the drill made no folder');
    await operations.cancel(started.id);
    assert.equal((await rig.ended(started)).status, 'cancelled');
    assert.deepEqual((await drills.list({ resourceId: 'waiting' }, { limit: 10 })).items, []);
  });

  test('need a backup, of the resource itself', async () => {
    const { drills } = rig.managed.application;
    await assert.rejects(drills.start({ resourceId: 'nobody', createdBy: 'test' }), { code: 'drill-without-backup' });
    const { id } = await rig.postStream('one', randomBytes(10));
    const start = drills.start({ resourceId: 'another', backupId: id, createdBy: 'test' });
    await assert.rejects(start, { code: 'backup-of-other-resource' });
  });

  test('that are scheduled and cannot even start are told of', async () => {
    const { resources, schedules } = rig.managed.application;
    await resources.put({ id: 'never-backed-up', service: 'stream' });
    const schedule = { id: 'vain', resourceId: 'never-backed-up', cron: '* * * * * *', kind: 'drill' as const };
    await schedules.put(schedule);
    await rig.managed.application.startBackground();
    const told = () => rig.managed.notifications.find(({ subject }) => subject === 'never-backed-up');
    await eventually(() => told() !== undefined, 'nobody was told of the schedule');
    assert.equal(told()?.type, 'drill-failed');
    assert.match(told()?.message ?? '', /has no completed backup/);
    await schedules.delete('vain');
  });

  test('are forgotten by no deletion, and count for resources that exist', async () => {
    const { resources, drills, backups } = rig.managed.application;
    const { id } = await rig.postStream('gone', randomBytes(10));
    const { drill } = await rig.drill('gone');
    const counts = async () => (await drills.standings()).some(({ resourceId }) => resourceId === 'gone');
    assert.ok(await counts());
    await backups.delete(id, { cascade: true, reason: 'test', by: 'test' });
    await resources.delete('gone', { cascade: true, by: 'test' });
    assert.ok(!(await counts()));
    assert.equal((await drills.get(drill.id)).backup.id, id);
    assert.equal((await drills.standing('gone')).lastProven?.drillId, drill.id);
  });

  test('are listed in pages, by resource and outcome', async () => {
    await rig.postStream('paged', randomBytes(10));
    const ids: string[] = [];
    for (let n = 0; n < 5; n++) ids.unshift((await rig.drill('paged')).drill.id);
    const { drills } = rig.managed.application;
    const first = await drills.list({ resourceId: 'paged' }, { limit: 3 });
    const rest = await drills.list({ resourceId: 'paged' }, { limit: 3, cursor: first.nextCursor ?? '' });
    assert.deepEqual(
      [...first.items, ...rest.items].map(({ id }) => id),
      ids,
    );
    assert.equal(rest.nextCursor, undefined);
    assert.deepEqual((await drills.list({ resourceId: 'paged', outcome: 'failed' }, { limit: 3 })).items, []);
    assert.deepEqual((await drills.list({ resources: ['p*', 'x'] }, { limit: 1 })).items[0]?.resourceId, 'paged');
  });
});

describe('restore drills of damaged backups', () => {
  let rig: DrillRig;
  before(async () => {
    rig = await DrillRig.create();
  });
  after(() => rig.remove());

  test('fail, name the damage, and leave what was proven before', async () => {
    const { id } = await rig.postStream('broken', randomBytes(3 << 20));
    const state = { filler: randomBytes(1 << 19).toString('hex') };
    await rig.post('broken-document', state);
    const proven = await rig.drill('broken');
    assert.equal(proven.drill.outcome, 'passed');
    await rig.damagePacks();
    for (const resourceId of ['broken', 'broken-document']) {
      const { drill, operation } = await rig.drill(resourceId);
      assert.deepEqual([drill.outcome, drill.fault], ['failed', 'backup']);
      assert.equal(operation.status, 'failed');
      assert.match(drill.error?.message ?? '', /pack|chunk/i);
      assert.equal(drill.checks[0]?.outcome, 'failed');
    }
    const standing = await rig.managed.application.drills.standing('broken');
    assert.deepEqual([standing.last?.outcome, standing.lastProven?.drillId], ['failed', proven.drill.id]);
    assert.equal(standing.lastProven?.backupId, id);
    const health = await rig.managed.application.health();
    assert.deepEqual([health.status, health.drills], ['ok', { resources: 2, failing: 2 }]);
  });
});

/** What happens while a resource of the service `busy` is drilled. */
let meanwhile: () => Promise<unknown> = async () => undefined;

/** Services whose drills do what those of real ones should not, or wait. */
const IDLE_SERVICES: readonly Service[] = [
  idleService('idle', {
    drill: async ({ checks, dataReady }) => {
      dataReady();
      await checks.make(
        { name: 'starts', kind: 'integrity', description: 'It starts', expected: 'running' },
        async () => ({ outcome: 'passed', found: 'running' }),
      );
      return { restoredBytes: 0, software: {} };
    },
  }),
  idleService('busy', {
    drill: async ({ dataReady }) => {
      await meanwhile();
      dataReady();
      return { restoredBytes: 0, software: {} };
    },
  }),
  idleService('roomy', {
    drill: async ({ requireRoom }) => {
      await requireRoom(Number.MAX_SAFE_INTEGER);
      throw new Error('there is room for everything');
    },
  }),
  idleService('waiting', {
    drill: async ({ signal }) => {
      await sleep(300_000, undefined, { signal });
      throw new Error('nobody cancelled it');
    },
  }),
];

function idleService(name: string, { drill }: Pick<Required<Service>, 'drill'>): Service {
  return {
    name,
    description: 'One line.',
    contentKind: 'stream',
    backupTypes: ['full'],
    source: 'fetched',
    parseConfiguration: () => ({}),
    async backup({ writer }) {
      async function* line() {
        yield Buffer.from('one line\n');
      }
      const { root, length, sha256 } = await writer.writeStream(line());
      const sizes = { size: length, readBytes: length, sourceBytes: length };
      return { type: 'full', root, ...sizes, checksum: `sha256:${sha256}`, isDelta: false, serviceData: {} };
    },
    restore: async () => ({ report: {} }),
    drill,
  };
}
