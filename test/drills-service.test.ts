import assert from 'node:assert/strict';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { Drill } from '../src/core/drill.ts';
import type { Operation } from '../src/core/operation.ts';
import { eventually } from './eventually.ts';
import { Service, spawnHoldfast } from './service-process.ts';

/** A path whose regular expression takes longer than anybody waits. */
const ENDLESS = {
  jsonPath: '$[?match(@, "(a|aa)+")]',
  count: { atLeast: 1 },
  timeoutSeconds: 3600,
};

const QUIETLY = { throwIfNoEntry: false } as const;

describe('drills of a running service and of the command line', () => {
  let folder: string;
  let data: string;
  let service: Service | undefined;
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'holdfast-drills-'));
    data = path.join(folder, 'data');
    process.env.TMPDIR = path.join(folder, 'tmp');
    await mkdir(process.env.TMPDIR);
    service = await Service.start(data);
    const content = { resourceId: 'shop', data: { text: `${'a'.repeat(60)}!` } };
    await service.call('POST', '/backups', JSON.stringify(content));
  });
  after(async () => {
    await service?.end('SIGTERM');
    delete process.env.TMPDIR;
    await rm(folder, { recursive: true, force: true });
  });
  const folders = async () =>
    (await readdir(path.join(folder, 'tmp'))).filter((name) => name.startsWith('holdfast-drill-'));

  async function run(...words: string[]): Promise<{ code: number; output: string }> {
    const child = spawnHoldfast([...words, '--data', data]);
    let output = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    child.stderr?.resume();
    const [code] = (await once(child, 'close')) as [number];
    return { code, output };
  }

  test('end with 0 where they pass and with 4 where they fail, and show what they found', async () => {
    const passed = await run('drill', 'run', 'shop', '--json');
    const { drill } = JSON.parse(passed.output) as { drill: Drill };
    assert.deepEqual([passed.code, drill.outcome], [0, 'passed']);
    const assertions = JSON.stringify([{ jsonPath: '$.text', equals: 'b' }]);
    const failed = await run('drill', 'run', 'shop', '--random', '--assertions', assertions);
    assert.equal(failed.code, 4);
    assert.match(failed.output, /^FAILED: shop/);
    assert.match(failed.output, /expected "b"; found "aaa/);
    const page = path.join(folder, 'drill.html');
    assert.equal((await run('drill', 'show', drill.id, '--html', page)).code, 0);
    assert.match(await readFile(page, 'utf8'), /<h1>shop<\/h1>/);
    const list = await run('drill', 'list', '--outcome', 'failed', '--json');
    assert.equal((JSON.parse(list.output) as { drills: Drill[] }).drills.length, 1);
    assert.equal((await run('drill', 'run', 'shop', '--backup', 'x', '--random')).code, 2);
    assert.equal((await run('drill', 'run', 'shop', '--assertions', '{}')).code, 2);
    assert.equal((await run('drill', 'run', 'nobody')).code, 1);
    assert.equal((await run('drill', 'run', 'shop', '--moment', 'sometime')).code, 2);
    assert.equal((await run('drill', 'run', 'shop', '--moment', 'random')).code, 1);
    assert.deepEqual(await folders(), []);
  });

  test('start by themselves where a schedule says so', async () => {
    const running = service as Service;
    const schedule = {
      resourceId: 'shop',
      cron: '* * * * * *',
      kind: 'drill',
      assertions: [{ jsonPath: '$.text', count: { atLeast: 1 } }],
    };
    await running.call('PUT', '/schedules/often', JSON.stringify(schedule));
    const scheduled = async () => {
      const drills = (await running.call('GET', '/drills?resourceId=shop')) as unknown as Drill[];
      return drills.find(({ createdBy }) => createdBy === 'schedule:often');
    };
    await eventually(async () => (await scheduled()) !== undefined, 'the schedule started no drill');
    const drill = await scheduled();
    assert.deepEqual([drill?.outcome, drill?.which, drill?.assertions.length], ['passed', 'newest', 1]);
    await running.call('DELETE', '/schedules/often');
    // One that was due a moment before leaves nothing for the next test.
    const areUnderWay = async () => {
      const lists = ['queued', 'running'].map((status) => running.call('GET', `/operations?status=${status}`));
      return ((await Promise.all(lists)) as unknown as Operation[][]).flat().length > 0;
    };
    await eventually(async () => !(await areUnderWay()) && (await folders()).length === 0, 'drills did not end');
  });

  test('are done again after the service was killed, and leave no folder behind', async () => {
    const killed = service as Service;
    const body = JSON.stringify({ assertions: [ENDLESS] });
    const { id } = (await killed.call('POST', '/resources/shop/drills', body)) as unknown as Operation;
    // A folder that does not say yet whose it is may be anybody's, and stays for an hour.
    const named = async () =>
      (await folders()).find((name) => statSync(path.join(tmpdir(), name, 'owner'), QUIETLY)?.size);
    await eventually(async () => (await named()) !== undefined, 'no folder of a drill was made');
    const left = await named();
    await killed.end('SIGKILL');
    assert.deepEqual(await folders(), [left]);

    service = await Service.start(data);
    const again = service;
    const operation = async () => (await again.call('GET', `/operations/${id}`)) as unknown as Operation;
    await eventually(
      async () => (await operation()).attempts >= 2 && (await folders()).length > 0,
      'the drill was not tried again',
    );
    assert.ok(!(await folders()).includes(left ?? ''));
    await again.call('POST', `/operations/${id}/cancel`);
    await eventually(async () => (await operation()).status === 'cancelled', 'the drill was not cancelled');
    assert.deepEqual(await folders(), []);
  });
});
