import assert from 'node:assert/strict';
import { stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { commandLine } from './command-line.ts';

const PASSWORD = 'several words: nobody guesses';
const OTHER = 'entirely other words';

function basic(name: string, password: string) {
  return { headers: { authorization: `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}` } };
}

test('users are added, changed, disabled and removed beside a running service, which knows of it at once', async (context) => {
  const holdfast = await commandLine(context);
  const { url } = await holdfast.serve(context);
  const status = async (name: string, password: string) => (await fetch(`${url}/me`, basic(name, password))).status;
  assert.equal((await fetch(`${url}/me`)).status, 200, 'nobody needs credentials before there are some');

  const file = join(holdfast.folder, 'password');
  await writeFile(file, `${PASSWORD}\n`);
  const narrow = [
    '--resource',
    'shop-*',
    '--variant',
    'reduced',
    '--latest-only',
    '--concurrent',
    '2',
    '--reason-for',
    'raw',
  ];
  const words = ['user', 'add', 'Fred', '--role', 'developer', ...narrow, '--password-from', `file:${file}`];
  const added = await holdfast.run([...words, '--json']);
  assert.equal(added.code, 0, added.stderr);
  assert.ok(!/argon2|several/.test(added.stdout));
  assert.equal((await fetch(`${url}/me`)).status, 401);
  const me = (await (await fetch(`${url}/me`, basic('fred', PASSWORD))).json()) as Record<string, unknown>;
  assert.deepEqual(me, {
    name: 'fred',
    role: 'developer',
    method: 'password',
    resources: ['shop-*'],
    grants: [
      {
        ...{ resources: ['shop-*'], variants: ['reduced'], latestOnly: true },
        ...{ reasonFor: ['raw'], limits: { concurrent: 2 } },
      },
    ],
  });
  assert.equal((await holdfast.problem(words, 1)).code, 'user-exists');

  assert.equal((await holdfast.run(['user', 'password', 'fred'], `${OTHER}\n`)).code, 0);
  assert.deepEqual([await status('fred', PASSWORD), await status('fred', OTHER)], [401, 200]);
  assert.equal((await holdfast.run(['user', 'add', 'fred', '--role', 'viewer', '--replace'])).code, 0);
  const table = (await holdfast.run(['user', 'list'])).stdout;
  assert.match(table, /^fred +viewer +all +all /m);
  assert.equal((await holdfast.run(['user', 'disable', 'FRED'])).code, 0);
  assert.equal(await status('fred', OTHER), 401);
  assert.equal((await holdfast.run(['user', 'enable', 'fred'])).code, 0);
  assert.equal(await status('fred', OTHER), 200);
  assert.equal((await holdfast.run(['user', 'remove', 'fred'])).code, 0);
  assert.equal((await fetch(`${url}/me`)).status, 200);
});

test('a password is taken from no argument, and one that is weak or missing changes nothing', async (context) => {
  const holdfast = await commandLine(context);
  await holdfast.json(['backup', '-', '--resource', 'x'], 'x');
  const add = ['user', 'add', 'fred', '--role', 'viewer'];
  const written = await holdfast.run([...add, '--password-from', PASSWORD]);
  assert.equal(written.code, 2);
  assert.ok(!written.stderr.includes('several'), 'and is not repeated');
  assert.equal((await holdfast.problem(add, 2)).code, 'usage-password-missing');
  const missing = [...add, '--password-from', 'env:NOT_THERE'];
  assert.equal((await holdfast.problem(missing, 1)).code, 'secret-missing');
  assert.match((await holdfast.run(add, 'short\n')).stderr, /at least 8 characters/);
  assert.equal((await holdfast.problem([...add, '--latest-only'], 2)).code, 'usage-variant-missing');
  const several = await holdfast.run([...add, '--resource', 'shop,wiki'], `${PASSWORD}\n`);
  assert.equal(several.code, 2, 'nobody is confined to a resource that there cannot be');
  const listed = await holdfast.run(['user', 'list', '--json']);
  assert.deepEqual(JSON.parse(listed.stdout), { users: [] });
  const token = ['token', 'create', 'ci', '--role', 'developer', '--variant', 'raw', '--max-age-days', '7'];
  const made = (await holdfast.json(token)).record as unknown as { grants: unknown };
  assert.deepEqual(made.grants, [{ resources: ['*'], variants: ['raw'], maxAgeDays: 7 }]);
  assert.match((await holdfast.run(['token', 'list'])).stdout, / raw,7d /);
  const { mode } = await stat(join(holdfast.data, 'catalogue.sqlite'));
  assert.equal(mode & 0o77, 0, 'nobody else reads the hashes');
});
