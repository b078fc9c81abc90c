import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import type { Resource } from '../src/core/resource.ts';
import { type CommandLine, commandLine } from './command-line.ts';

/** Runs a command that must succeed. */
async function answer(holdfast: CommandLine, words: readonly string[], input = ''): Promise<Record<string, unknown>> {
  const { code, stdout, stderr } = await holdfast.run([...words, '--json'], input);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

async function newRepository(holdfast: CommandLine): Promise<void> {
  await holdfast.json(['backup', '-', '--resource', 'first'], 'x');
}

test('a resource is added, backed up, changed and removed, and a running service knows of it', async (context) => {
  const holdfast = await commandLine(context);
  const { url } = await holdfast.serve(context);
  const shown = async (id: string) => (await fetch(`${url}/resources/${id}`)).json() as Promise<Resource>;
  const folder = join(holdfast.folder, 'tree');
  await holdfast.put('tree/file', 'precious');
  const add = ['resource', 'add', 'docs', '--service', 'files', '--set', `paths+=${folder}`, '--set', 'exclude+=*.tmp'];
  const added = await holdfast.run(add);
  assert.deepEqual([added.code, added.stdout], [0, 'Added docs (files).\n'], added.stderr);
  assert.match(added.stderr, /"holdfast backup --resource docs" makes its first backup/);
  const { configuration } = await shown('docs');
  assert.deepEqual([configuration.paths, configuration.exclude], [[folder], ['*.tmp']]);
  const { backup } = await holdfast.json(['backup', '--resource', 'docs']);

  const again = await holdfast.problem(add, 1);
  assert.equal(again.code, 'resource-exists');
  assert.match(again.message, /"holdfast resource set docs" .*--replace/);
  await answer(holdfast, ['resource', 'set', 'docs', '--set', 'exclude+=*.log', '--set', 'oneFileSystem=true']);
  const changed = (await shown('docs')).configuration;
  assert.deepEqual([changed.paths, changed.exclude, changed.oneFileSystem], [[folder], ['*.tmp', '*.log'], true]);
  await fetch(`${url}/resources/docs`, {
    method: 'PUT',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...{ service: 'files', type: 'papers', configuration }, metadata: { tags: { a: 'b' } } }),
  });
  const replace = ['resource', 'add', 'docs', '--service', 'files', '--configuration', '-', '--replace'];
  await answer(holdfast, replace, JSON.stringify({ paths: [folder] }));
  const { type, metadata, configuration: replaced } = await shown('docs');
  assert.deepEqual([type, metadata, replaced.exclude], ['papers', { tags: { a: 'b' } }, []]);

  const list = (await holdfast.run(['resource', 'list'])).stdout;
  assert.match(list, /^ID +Service +Newest backup .*\ndocs +files +\d{4}-/);
  assert.match(
    (await holdfast.run(['resource', 'show', 'docs'])).stdout,
    new RegExp(`^docs\n[\\s\\S]*${backup.id} of`),
  );
  const refused = await holdfast.problem(['resource', 'remove', 'docs'], 1);
  assert.equal(refused.code, 'resource-has-backups');
  assert.match(refused.message, /--cascade/);
  await answer(holdfast, ['resource', 'remove', 'docs', '--cascade']);
  assert.equal((await fetch(`${url}/resources/docs`)).status, 404);
  const events = (await (await fetch(`${url}/audit`)).json()) as { action: string; outcome: string; subject: string }[];
  const deeds = events.filter(({ subject }) => subject === 'docs').map(({ action, outcome }) => `${action} ${outcome}`);
  for (const deed of ['resource.put success', 'resource.put failure', 'resource.delete success'])
    assert.ok(deeds.includes(deed), deed);
});

test('a resource that cannot be backed up is not added unless told so', async (context) => {
  const holdfast = await commandLine(context);
  await newRepository(holdfast);
  const file = join(holdfast.folder, 'shop.db');
  const add = ['resource', 'add', 'shop', '--service', 'sqlite', '--set', `path=${file}`];
  const failed = await holdfast.problem(add, 1);
  assert.equal(failed.code, 'resource-test-failed');
  assert.match(failed.message, /^The resource "shop" was not added, because a backup would fail\..*--no-test\.$/);
  assert.equal((await holdfast.problem(['resource', 'show', 'shop'], 1)).code, 'resource-not-found');
  await answer(holdfast, [...add, '--no-test']);
  const database = new DatabaseSync(file);
  database.exec('CREATE TABLE t (x)');
  database.close();
  await answer(holdfast, ['resource', 'test', 'shop']);
  const elsewhere = ['resource', 'set', 'shop', '--set', `path=${file}.gone`];
  assert.equal((await holdfast.problem(elsewhere, 1)).code, 'resource-test-failed');
  const { resource } = (await answer(holdfast, ['resource', 'show', 'shop'])) as { resource: Resource };
  assert.equal(resource.configuration.path, file, 'what was not found good is not kept');
});

test('what cannot be a resource is refused with a reason, and a password is neither taken nor repeated', async (context) => {
  const holdfast = await commandLine(context);
  await newRepository(holdfast);
  const add = (service: string, ...words: string[]) => ['resource', 'add', 'shop', '--service', service, ...words];
  const set = (...settings: string[]) => settings.flatMap((setting) => ['--set', setting]);
  const postgresql = set('connection.host=localhost', 'connection.user=u', 'databases=all');
  const secrets = [
    set('connection.password=hunter2'),
    set('connection.url=postgresql://u:hunter2@db/shop'),
    set('password=hunter2'),
  ];
  const refusals = secrets.map((secret) => holdfast.run([...add('postgresql'), ...postgresql, ...secret]));
  for (const refused of await Promise.all(refusals)) {
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /password|url/);
    assert.doesNotMatch(refused.stderr + refused.stdout, /hunter2/);
  }
  const broken = await holdfast.put('broken.json', '{"connection": {"password": "hunter2" "user": 1}}');
  const unreadable = await holdfast.run(add('postgresql', '--configuration', broken));
  assert.equal(unreadable.code, 2);
  assert.doesNotMatch(unreadable.stderr, /hunter2/);
  const reference = await holdfast.run([
    ...add('postgresql', '--no-test'),
    ...postgresql,
    ...set('connection.password=env:SHOP_PASSWORD'),
  ]);
  assert.equal(reference.code, 0, reference.stderr);
  assert.match((await holdfast.run(['resource', 'show', 'shop'])).stdout, /"password": "env:SHOP_PASSWORD"/);

  await mkdir(join(holdfast.folder, 'tree'));
  const other = (...words: string[]) =>
    add('files', ...words, ...set(`paths+=${holdfast.folder}/tree`)).with(2, 'other');
  const codes = async (...problems: [readonly string[], number][]) =>
    Promise.all(problems.map(async ([words, code]) => (await holdfast.problem(words, code)).code));
  assert.deepEqual(
    await codes(
      [add('nothing').with(2, 'other'), 1],
      [['resource', 'set', 'shop'], 2],
      [other('--set', 'paths'), 2],
      [other('--retention', 'none'), 1],
      [['resource', 'remove', 'other'], 1],
    ),
    ['service-unknown', 'usage-settings-missing', 'usage-invalid-argument', 'policy-not-found', 'resource-not-found'],
  );
});
