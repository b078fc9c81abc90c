import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import type { ManagerContext } from './manager-context.ts';
import type { Operation } from './operation.ts';
import type { Notification } from './ports/notifier.ts';
import type { Schedule } from './schedule.ts';
import { Scheduler } from './scheduler.ts';

const BEGIN = Date.parse('2026-01-31T12:00:30Z');

describe('a scheduler', { timeout: 20_000 }, () => {
  it('looks at the catalogue once at a time, and once more for all who ask meanwhile', async () => {
    const looks: PromiseWithResolvers<readonly Schedule[]>[] = [];
    const { scheduler } = schedulerOver({
      list: () => {
        const look = Promise.withResolvers<readonly Schedule[]>();
        looks.push(look);
        return look.promise;
      },
    });
    const started = scheduler.start();
    await settled();
    const [one, two] = [scheduler.reload(), scheduler.reload()];
    await settled();
    assert.equal(looks.length, 1);
    looks[0]!.resolve([]);
    await started;
    await settled();
    assert.equal(looks.length, 2);
    looks[1]!.resolve([]);
    await Promise.all([one, two]);
    await scheduler.stop();
    assert.equal(looks.length, 2);
  });

  it('starts a schedule once that is due while it is being made up for', async (test) => {
    const schedule = { ...EACH_MINUTE, updatedAt: EACH_MINUTE.createdAt, lastRunAt: '2026-01-31T11:00:00.000Z' };
    const { scheduler, starting } = timed(test, { list: async () => [schedule], get: async () => schedule });
    await scheduler.start();
    await settled();
    assert.equal(starting.length, 1);
    test.mock.timers.tick(60_000);
    await settled();
    assert.equal(starting.length, 1);
    starting[0]!.resolve(OPERATION);
    await settled();
    test.mock.timers.tick(60_000);
    await settled();
    assert.equal(starting.length, 2);
    starting[1]!.resolve(OPERATION);
    await scheduler.stop();
  });

  it('has recorded what it was starting when it has stopped', async (test) => {
    const runs: string[] = [];
    const { scheduler, starting } = timed(test, {
      list: async () => [EACH_MINUTE],
      get: async () => EACH_MINUTE,
      recordRun: async (id) => void runs.push(id),
    });
    await scheduler.start();
    test.mock.timers.tick(60_000);
    await settled();
    assert.equal(starting.length, 1);
    const stopping = scheduler.stop().then(() => runs.push('stopped'));
    await settled();
    assert.deepEqual(runs, []);
    starting[0]!.resolve(OPERATION);
    await stopping;
    assert.deepEqual(runs, [EACH_MINUTE.id, 'stopped']);
  });

  it('tells of the resource whose schedule could not start', async (test) => {
    const { scheduler, starting, told, logger } = timed(test, {
      list: async () => [EACH_MINUTE],
      get: async () => EACH_MINUTE,
    });
    logger.error = () => undefined;
    await scheduler.start();
    test.mock.timers.tick(60_000);
    await settled();
    starting[0]!.reject(new RangeError('no room'));
    await scheduler.stop();
    assert.deepEqual(
      told.map(({ type, subject }) => [type, subject]),
      [['backup-failed', 'shop']],
    );
    assert.match(told[0]!.message, /schedule each-minute could not start its backup: no room/);
  });

  it('has queued what it was queueing when it has stopped, and queues no more', async (test) => {
    const queueing = Promise.withResolvers<Operation>();
    const asked: string[] = [];
    const startPrune = (id: string): Promise<Operation> => {
      asked.push(id);
      return queueing.promise;
    };
    const { scheduler } = timed(test, { list: async () => [] }, { all: ['one', 'two'], startPrune });
    await scheduler.start();
    test.mock.timers.tick(60_000);
    await settled();
    const stopping = scheduler.stop().then(() => asked.push('stopped'));
    await settled();
    assert.deepEqual(asked, ['one']);
    queueing.resolve(OPERATION);
    await stopping;
    assert.deepEqual(asked, ['one', 'stopped']);
  });
});

const EACH_MINUTE: Schedule = {
  ...{ id: 'each-minute', resourceId: 'shop', cron: '* * * * *', timeZone: 'UTC', type: 'full', enabled: true },
  ...{ createdAt: '2026-01-31T10:00:00.000Z', updatedAt: '2026-01-31T12:00:30.000Z' },
};
const OPERATION = { id: 'operation-1', status: 'completed' } as Operation;

type Schedules = Partial<ManagerContext['catalogue']['schedules']>;

/** Repositories that are collected each minute. */
interface Collected {
  all: readonly string[];
  startPrune(id: string): Promise<Operation>;
}

const NOTHING_COLLECTED: Collected = { all: [], startPrune: async (id) => assert.fail(id) };

/** A scheduler of backups that begin when a test says so. */
function schedulerOver(schedules: Schedules, { all, startPrune }: Collected = NOTHING_COLLECTED) {
  const starting: PromiseWithResolvers<Operation>[] = [];
  const told: Notification[] = [];
  const unexpected = (facts: object): void => assert.fail(JSON.stringify(facts));
  const context = {
    catalogue: {
      schedules: { recordRun: async () => undefined, ...schedules },
      operations: { get: async () => OPERATION },
    },
    clock: { now: () => new Date() },
    logger: { debug: unexpected, info: unexpected, warn: () => undefined, error: unexpected },
    notifier: { notify: async (notification: Notification) => void told.push(notification) },
    repositories: { all: () => all.map((id) => ({ id })) },
    configuration: {
      ...{ copies: [], copy: {}, scrub: {}, cleanup: {} },
      prune: { enabled: all.length > 0, cron: '* * * * *', timeZone: 'UTC' },
    },
  };
  const start = (): Promise<Operation> => {
    const begun = Promise.withResolvers<Operation>();
    starting.push(begun);
    return begun.promise;
  };
  const managers = {
    backups: { start },
    policies: {},
    repositories: { startPrune },
    copies: {},
    drills: {},
    variants: {},
  };
  const scheduler = new Scheduler(
    context as unknown as ManagerContext,
    managers as unknown as ConstructorParameters<typeof Scheduler>[1],
  );
  return { scheduler, starting, told, logger: context.logger };
}

/** As above, in a time that the test moves. */
function timed(test: TestContext, schedules: Schedules, collected?: Collected) {
  test.mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'], now: BEGIN });
  return schedulerOver(schedules, collected);
}

/** Until all that can go on has gone on. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
}
