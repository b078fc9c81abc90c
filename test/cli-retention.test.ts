import assert from 'node:assert/strict';
import { test } from 'node:test';
import { commandLine } from './command-line.ts';

interface Decided {
  forgotten: string[];
  kept: { id: string; reasons: string[] }[];
}

test('a retention policy is tried, made, given to a resource, applied and removed', async (context) => {
  const holdfast = await commandLine(context);
  // The service's own, 15 seconds after its start and once an hour, would forget what the first rules do not keep.
  await holdfast.put('holdfast.yaml', 'cleanup:\n  enabled: false\n');
  const { url } = await holdfast.serve(context);
  const ids: string[] = [];
  for (const content of ['one', 'two', 'three']) {
    const { backup } = await holdfast.json(['backup', '-', '--resource', 'dump'], content);
    ids.push(backup.id);
  }
  const [one = '', two = '', three = ''] = ids;
  const decided = async (...words: string[]) => (await holdfast.json(words)) as unknown as Decided;
  const set = ['retention', 'set', 'standard', '--keep-last', '1', '--keep-daily', '7', '--time-zone', 'Europe/Berlin'];
  const tried = await decided(...set, '--resource', 'dump', '--dry-run');
  assert.deepEqual(tried.forgotten.toSorted(), [one, two].toSorted());
  assert.deepEqual(
    tried.kept.map(({ id, reasons }) => [id, reasons[0], reasons.length]),
    [[three, 'last', 2]],
  );
  assert.deepEqual(await (await fetch(`${url}/policies`)).json(), [], 'a dry run makes nothing');

  const made = await holdfast.run([...set, '--resource', 'dump']);
  assert.equal(made.code, 0, made.stderr);
  assert.equal(made.stdout, 'Made standard: keeps 1 last, 7 daily (Europe/Berlin).\ndump uses it.\n');
  const resource = (await (await fetch(`${url}/resources/dump`)).json()) as { policyId: string };
  assert.equal(resource.policyId, 'standard');
  const changed = await holdfast.run(['retention', 'set', 'standard', '--keep-last', '2', '--name', 'The usual']);
  assert.equal(changed.stdout, 'Changed standard: keeps 2 last (Europe/Berlin).\n', 'its time zone stays');
  assert.match(
    (await holdfast.run(['retention', 'list'])).stdout,
    /^standard +The usual +2 last +Europe\/Berlin +dump$/m,
  );
  assert.match((await holdfast.run(['retention', 'show', 'standard'])).stdout, /keeps 2 last[\s\S]*used by dump\n$/);

  const dry = await holdfast.run(['retention', 'apply', '--dry-run']);
  assert.match(dry.stdout, new RegExp(`^forget +${one}`, 'm'));
  assert.match(dry.stderr, /1 backup would be forgotten, 2 kept/);
  assert.deepEqual((await decided('retention', 'apply', 'dump')).forgotten, [one]);
  const inUse = await holdfast.problem(['retention', 'remove', 'standard'], 1);
  assert.deepEqual([inUse.code, /dump/.test(inUse.message)], ['policy-in-use', true]);
  await holdfast.json(['resource', 'set', 'dump', '--no-retention']);
  assert.equal((await holdfast.run(['retention', 'remove', 'standard'])).stdout, 'Removed standard.\n');
  assert.equal((await fetch(`${url}/policies/standard`)).status, 404);
});

test('rules that keep nothing, and ids that are not there, change nothing', async (context) => {
  const holdfast = await commandLine(context);
  await holdfast.json(['backup', '-', '--resource', 'dump'], 'x');
  const attempts: [readonly string[], number, string][] = [
    [['retention', 'set', 'empty'], 2, 'usage-settings-missing'],
    [['retention', 'set', 'empty', '--resource', 'dump'], 2, 'usage-rules-missing'],
    [['retention', 'set', 'none', '--keep-daily', '0'], 2, 'usage-invalid-argument'],
    [['retention', 'set', 'mars', '--keep-daily', '1', '--time-zone', 'Mars/Olympus'], 1, 'time-zone-unknown'],
    [['retention', 'set', 'typo', '--keep-daily', '1', '--resource', 'dumb'], 1, 'resource-not-found'],
    [['retention', 'show', 'standard'], 1, 'policy-not-found'],
    [['retention', 'apply', 'dump'], 1, 'policy-missing'],
  ];
  await Promise.all(
    attempts.map(async ([words, code, expected]) => {
      const { stderr, ...ended } = await holdfast.run([...words, '--json']);
      assert.deepEqual([ended.code, JSON.parse(stderr).code], [code, expected], words.join(' '));
    }),
  );
  assert.deepEqual(await holdfast.json(['retention', 'list']), { policies: [] });
});
