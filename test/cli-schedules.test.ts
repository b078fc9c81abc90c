import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Operation } from '../src/core/operation.ts';
import type { Schedule } from '../src/core/schedule.ts';
import { type CommandLine, commandLine } from './command-line.ts';
import { eventually } from './eventually.ts';

/** A repository with a resource `docs`, which is made by the first command of all. */
async function withDocuments(holdfast: CommandLine): Promise<void> {
  await holdfast.put('tree/file', 'precious');
  const { code, stderr } = await holdfast.run([
    ...['resource', 'add', 'docs', '--service', 'files'],
    ...['--set', `paths+=${join(holdfast.folder, 'tree')}`],
  ]);
  assert.equal(code, 0, stderr);
  assert.match(stderr, /A new key file was made/);
}

async function schedulesOf(holdfast: CommandLine): Promise<Schedule[]> {
  return ((await holdfast.json(['schedule', 'list'])) as unknown as { schedules: Schedule[] }).schedules;
}

test('a running service sees a schedule that was added beside it, runs it, and stops when it is removed', async (context) => {
  const holdfast = await commandLine(context);
  await withDocuments(holdfast);
  const { url } = await holdfast.serve(context);
  await holdfast.json(['schedule', 'add', 'often', '--resource', 'docs', '--cron', '* * * * * *']);
  const get = async <Answer>(path: string) => (await (await fetch(url + path)).json()) as Answer;
  const lastRun = async () => (await get<Schedule>('/schedules/often')).lastOperationId;
  await eventually(async () => (await lastRun()) !== undefined, 'the service did not run the schedule');
  const { kind, createdBy } = await get<Operation>(`/operations/${await lastRun()}`);
  assert.deepEqual([kind, createdBy], ['backup', 'schedule:often']);
  const list = await holdfast.run(['schedule', 'list', '--resource', 'docs']);
  assert.match(
    list.stdout,
    /^often +docs +full backup +\* \* \* \* \* \* \(UTC\) +\d{4}-\S+ \S+ +\d{4}-\S+ \S+, [a-z]+$/m,
  );
  await holdfast.json(['schedule', 'remove', 'often']);
  assert.equal((await fetch(`${url}/schedules/often`)).status, 404);
  const events = await get<{ action: string; subject: string }[]>('/audit');
  const deeds = events.filter(({ subject }) => subject === 'often').map(({ action }) => action);
  assert.deepEqual(deeds.toSorted(), ['schedule.delete', 'schedule.put']);
});

test('a schedule is added, changed part by part, and run at once, as a backup and as a drill', async (context) => {
  const holdfast = await commandLine(context);
  await withDocuments(holdfast);
  const zone = { TZ: 'Asia/Tokyo' };
  const cron = ['--cron', '30 2 * * *', '--time-zone', 'Europe/Berlin'];
  const added = await holdfast.run(['schedule', 'add', 'nightly', '--resource', 'docs', ...cron], '', zone);
  assert.equal(added.code, 0, added.stderr);
  assert.match(
    added.stdout,
    /^Added nightly: full backup of docs, 30 2 \* \* \* \(Europe\/Berlin\)\.\nNext run: \S+ (09|10):30:00 \(Asia\/Tokyo\)\.\n$/,
  );
  assert.match(added.stderr, /The service does not run/);
  assert.match(
    (await holdfast.run(['schedule', 'list'], '', zone)).stdout,
    /Next run \(Asia\/Tokyo\)[\s\S]* (09|10):30:00/,
  );

  await holdfast.json(['schedule', 'set', 'nightly', '--type', 'incremental', '--disable']);
  const [changed] = await schedulesOf(holdfast);
  assert.deepEqual(
    [changed?.type, changed?.cron, changed?.timeZone, changed?.enabled, changed?.nextRunAt],
    ['incremental', '30 2 * * *', 'Europe/Berlin', false, undefined],
  );
  const { backup } = await holdfast.json(['schedule', 'run-now', 'nightly']);
  assert.equal(backup.resourceId, 'docs');
  const resting = await holdfast.run(['schedule', 'show', 'nightly']);
  assert.match(resting.stdout, /^Next run +none, it is disabled\nLast run +\S+ \S+, completed$/m);

  await holdfast.json(['schedule', 'set', 'nightly', '--kind', 'drill', '--enable']);
  const [drills] = await schedulesOf(holdfast);
  assert.deepEqual([drills?.kind, drills?.which, drills?.type, drills?.enabled], ['drill', 'newest', undefined, true]);
  const refused = await holdfast.problem(['schedule', 'set', 'nightly', '--moment', 'random'], 1);
  assert.match(refused.message, /log/);
  const proven = await holdfast.run(['schedule', 'run-now', 'nightly']);
  assert.equal(proven.code, 0, proven.stderr);
  assert.match(proven.stdout, new RegExp(`^PASSED: docs, ${backup.id}`));
  assert.match((await holdfast.run(['resource', 'show', 'docs'])).stdout, /nightly: drill of the newest backup/);
});

test('what cannot be a schedule is refused with a reason, and changes none', async (context) => {
  const holdfast = await commandLine(context);
  await withDocuments(holdfast);
  await holdfast.json(['backup', '-', '--resource', 'posted'], 'x');
  const add = (id: string, cron: string, ...words: string[]) =>
    ['schedule', 'add', id, '--cron', cron, '--resource', 'docs', ...words] as const;
  await holdfast.json(add('nightly', '30 2 * * *'));
  const before = await schedulesOf(holdfast);
  const attempts: [readonly string[], number, string][] = [
    [add('nightly', '@hourly'), 1, 'schedule-exists'],
    [add('bad', '61 2 * * *'), 1, 'cron-invalid'],
    [add('typo', '@daily', '--resource', 'doks'), 1, 'resource-not-found'],
    [add('pushed', '@daily', '--resource', 'posted'), 1, 'resource-is-posted'],
    [add('mixed', '@daily', '--which', 'random'), 1, 'schedule-fields-mixed'],
    [add('claims', '@daily', '--kind', 'drill', '--assertions', '{'), 2, 'usage-assertions-invalid'],
    [['schedule', 'set', 'nightly'], 2, 'usage-settings-missing'],
    [['schedule', 'set', 'nightly', '--time-zone', 'Mars/Olympus'], 1, 'time-zone-unknown'],
    [['schedule', 'set', 'nightly', '--enable', '--disable'], 2, 'usage-conflicting-option'],
    [['schedule', 'remove', 'nightlie'], 1, 'schedule-not-found'],
    [['schedule', 'run-now', 'nightlie'], 1, 'schedule-not-found'],
    [['schedule', 'list', '--resource', 'doks'], 1, 'resource-not-found'],
  ];
  await Promise.all(
    attempts.map(async ([words, code, expected]) => {
      const { stderr, ...ended } = await holdfast.run([...words, '--json']);
      assert.deepEqual([ended.code, JSON.parse(stderr).code], [code, expected], words.join(' '));
    }),
  );
  assert.deepEqual(await schedulesOf(holdfast), before);
});
