import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmod, readdir, readFile, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { commandLine, ended, filesBelow, type Result } from './command-line.ts';

describe('holdfast', { concurrency: 2 }, () => {
  test('files are backed up, listed, shown, found, compared, restored, verified and forgotten', async (context) => {
    const holdfast = await commandLine(context);
    await holdfast.put('shop/readme.txt', 'hello');
    await holdfast.put('shop/etc/app.conf', 'port=1');
    await holdfast.put('shop/cache/junk', 'x');
    const shop = join(holdfast.folder, 'shop');

    const first = (
      await holdfast.json(['backup', shop, '--exclude', 'cache/', '--resource', 'shop', '--tag', 'env=test'])
    ).backup;
    assert.equal(first.type, 'full');
    assert.deepEqual(first.metadata.tags, { env: 'test' });
    await holdfast.put('shop/readme.txt', 'hello again');
    await holdfast.put('shop/new.sql', 'select 1');
    const second = (await holdfast.json(['backup', shop, '--exclude', 'cache/', '--resource', 'shop'])).backup;
    assert.equal(second.type, 'incremental');
    assert.equal(second.parentId, first.id);

    const listed = await holdfast.json(['list', '--resource', 'shop']);
    assert.deepEqual(
      listed.backups.map(({ id }) => id),
      [second.id, first.id],
    );
    const table = (await holdfast.run(['list'])).stdout.split('\n');
    assert.match(table[0] ?? '', /^ID +Created \(.+\) +Resource +Type +Size +Stored +Tags$/);
    assert.match(table[2] ?? '', new RegExp(`^${first.id} .* shop +full .* env=test$`));

    const shown = await holdfast.json(['show', second.id, '--entries']);
    const paths = shown.entries.map(({ path }) => path);
    assert.ok(
      paths.some((path) => path.endsWith('shop/etc/app.conf')),
      paths.join(),
    );
    assert.ok(!paths.some((path) => path.endsWith('junk')), paths.join());

    const found = await holdfast.json(['find', '*.sql']);
    assert.deepEqual(
      found.matches.map(({ backupId }) => backupId),
      [second.id],
    );

    const difference = await holdfast.run(['diff', first.id, second.id]);
    assert.match(difference.stdout, /^\+ .*new\.sql$/m);
    assert.match(difference.stdout, /^M .*readme\.txt {2}\(content, time\)$/m);

    const target = join(holdfast.folder, 'restored');
    await holdfast.json(['restore', first.id, '--target', target]);
    const restored = await filesBelow(target);
    const readme = restored.find((path) => path.endsWith('readme.txt'));
    assert.equal(await readFile(readme ?? '', 'utf8'), 'hello');

    assert.equal((await holdfast.json(['verify', '--level', '4'])).ok, true);

    await holdfast.problem(['forget', first.id, second.id, '--keep-last', '1'], 2);
    const plan = await holdfast.json(['forget', '--keep-last', '1', '--dry-run']);
    assert.equal(plan.kept[0]?.id, second.id);
    assert.equal((await holdfast.json(['list'])).backups.length, 2);
    await holdfast.json(['forget', second.id]);
    assert.deepEqual(
      (await holdfast.json(['list'])).backups.map(({ id }) => id),
      [first.id],
    );
  });

  test('a restore leaves alone what is in its way, and says so', async (context) => {
    const holdfast = await commandLine(context);
    const { backup } = await holdfast.json(['backup', await holdfast.put('a/file', 'old'), '--resource', 'a']);
    const target = join(holdfast.folder, 'target');
    await holdfast.json(['restore', backup.id, '--target', target]);
    const [file] = await filesBelow(target);
    await writeFile(file ?? '', 'mine');
    await holdfast.problem(['restore', backup.id, '--target', target], 1);
    assert.equal(await readFile(file ?? '', 'utf8'), 'mine');
    await holdfast.json(['restore', backup.id, '--target', target, '--conflict', 'overwrite']);
    assert.equal(await readFile(file ?? '', 'utf8'), 'old');
  });

  test('streams and documents go in by stdin and come out at --output, whole or not at all', async (context) => {
    const holdfast = await commandLine(context);
    await holdfast.json(['backup', '--stdin', '--resource', 'dump'], 'create table x;');
    const output = await holdfast.run(['restore', 'latest', '--resource', 'dump', '--output', '-']);
    assert.equal(output.stdout, 'create table x;');

    const first = await holdfast.json(['backup', '-', '--document', '--resource', 'state'], '{"a":1,"b":[1,2]}');
    const second = await holdfast.json(
      ['backup', '-', '--document', '--resource', 'state', '--type', 'incremental'],
      '{"a":2,"b":[1]}',
    );
    const { changes } = await holdfast.json(['diff', first.backup.id, second.backup.id]);
    assert.deepEqual(changes, [
      { kind: 'changed', pointer: '/a' },
      { kind: 'removed', pointer: '/b/1' },
    ]);
    const file = join(holdfast.folder, 'state.json');
    await holdfast.json(['restore', first.backup.id, '--output', file]);
    assert.deepEqual(JSON.parse(await readFile(file, 'utf8')), { a: 1, b: [1, 2] });
    assert.equal((await holdfast.problem(['restore', second.backup.id, '--output', file], 1)).code, 'output-exists');
    const nowhere = await holdfast.problem(['restore', first.backup.id, '--output', 'nowhere/state.json'], 1);
    assert.match(nowhere.message, /there is no folder \S+\/nowhere\. Make it first/);
    const at = first.backup.createdAt;
    const past = await holdfast.run(['restore', 'latest', '--resource', 'state', '--at', at, '--output', '-']);
    assert.deepEqual(JSON.parse(past.stdout), { a: 1, b: [1, 2] });
    assert.ok(!(await readdir(holdfast.folder)).some((name) => name.includes('.holdfast-')));
  });

  test('each failure has its exit code', async (context) => {
    const holdfast = await commandLine(context);
    assert.equal((await holdfast.problem(['list'], 10)).code, 'repository-missing');
    assert.equal((await holdfast.problem(['lst'], 2)).code, 'usage-unknown-command');
    await holdfast.problem(['restore', 'latest'], 10);
    await holdfast.json(['backup', '-', '--resource', 'x'], 'x');
    await holdfast.problem(['show', 'backup-01ARZ3NDEKTSV4RRFFQ69G5FAV'], 1);
    assert.equal((await holdfast.problem(['backup', 'nowhere', '--resource', 'y'], 1)).code, 'path-missing');
    const left = await holdfast.problem(['resource', 'test', 'y'], 1);
    assert.equal(left.code, 'resource-not-found', 'a mistyped path leaves no resource');
    await holdfast.problem(['restore', 'latest', '--resource', 'unknown', '--output', '-'], 1);
    const text = await holdfast.run(['show', 'backup-01ARZ3NDEKTSV4RRFFQ69G5FAV']);
    assert.match(text.stderr, /^holdfast: [^\n]+\n$/);
  });

  test('a file that cannot be read is named in a warning, and the backup of the others ends with 3', async (context) => {
    const holdfast = await commandLine(context);
    const readable = await holdfast.put('readable', 'x');
    // The memory of the first process is closed to everybody, root included.
    const result = await holdfast.run(['backup', readable, '/proc/1/mem', '--resource', 'x']);
    assert.equal(result.code, 3, result.stderr);
    assert.match(result.stderr, /^warning: \/proc\/1\/mem /m);
    assert.match((await holdfast.run(['show', 'latest', '--entries'])).stdout, /readable$/m);
  });

  test('a wrong key is 12 and a damaged pack is 4, which a restore meets as well', async (context) => {
    const holdfast = await commandLine(context);
    await holdfast.json(['backup', '-', '--resource', 'x'], 'some content '.repeat(10_000));
    const wrong = join(holdfast.folder, 'other.key');
    await holdfast.json(['key', 'add', '--new-key-file', wrong]);
    const [slot] = (await holdfast.json(['key', 'list'])).keys.filter(({ current }) => !current);
    await holdfast.json(['key', 'remove', slot!.id]);
    const repository = (await filesBelow(holdfast.data)).find((path) => path.endsWith('/config'));
    const place = join(repository ?? '', '..');
    await holdfast.problem(
      ['recover', '--repository', place, '--key-file', wrong, '--data', join(holdfast.folder, 'new')],
      12,
    );

    const pack = (await filesBelow(holdfast.data)).find((path) => path.includes('/packs/'));
    await truncate(pack ?? '', (await stat(pack ?? '')).size - 1);
    const report = await holdfast.json(['verify', '--level', '4'], '', 4);
    assert.equal(report.ok, false);
    assert.ok(report.reports[0]?.findings.length);
  });

  test('passphrases open a repository too; the last key stays', async (context) => {
    const holdfast = await commandLine(context);
    await holdfast.json(['backup', '-', '--resource', 'x'], 'x');
    await holdfast.problem(['key', 'add'], 2);
    const secret = { SECRET: 'correct horse battery staple' };
    const added = await holdfast.run(['key', 'add', '--passphrase-env', 'SECRET', '--json'], '', secret);
    assert.equal(added.code, 0, added.stderr);
    const { keys } = await holdfast.json(['key', 'list']);
    assert.deepEqual(keys.map(({ kind }) => kind).sort(), ['keyfile', 'passphrase']);
    assert.equal((await holdfast.problem(['key', 'rotate'], 1)).code, 'key-slots-would-be-lost');
    assert.ok((await holdfast.json(['key', 'rotate', '--drop-others'])).epoch > 0);
    const [last] = (await holdfast.json(['key', 'list'])).keys;
    assert.equal((await holdfast.problem(['key', 'remove', last!.id], 1)).code, 'last-key-slot');
    assert.equal((await holdfast.run(['restore', 'latest', '--output', '-'])).stdout, 'x');
  });

  test('tokens are shown once, listed without their secret and revoked', async (context) => {
    const holdfast = await commandLine(context);
    await holdfast.json(['backup', '-', '--resource', 'x'], 'x');
    const { token, record } = await holdfast.json([
      'token',
      'create',
      'ci',
      '--role',
      'viewer',
      '--resource',
      'shop-*',
    ]);
    const listed = await holdfast.run(['token', 'list', '--json']);
    assert.ok(!listed.stdout.includes(token));
    assert.deepEqual(
      (JSON.parse(listed.stdout) as Result).tokens.map(({ id }) => id),
      [record.id],
    );
    await holdfast.json(['token', 'revoke', record.id]);
    assert.deepEqual((await holdfast.json(['token', 'list'])).tokens, []);
  });

  test('commands work while the service runs; a second service is refused; SIGTERM ends it cleanly', async (context) => {
    const holdfast = await commandLine(context);
    const { url, child } = await holdfast.serve(context);
    assert.equal((await fetch(`${url}/health`)).status, 200);
    const { backup } = await holdfast.json(['backup', '-', '--resource', 'x'], 'while it runs');
    const answer = (await (await fetch(`${url}/backups/${backup.id}`)).json()) as { id: string };
    assert.equal(answer.id, backup.id);
    assert.equal((await holdfast.problem(['serve', '--port', '0'], 11)).code, 'data-folder-in-use');
    await holdfast.problem(['recover'], 11);
    const audit = (await (await fetch(`${url}/audit?action=backup.create`)).json()) as { actor: string }[];
    assert.match(audit[0]?.actor ?? '', /^cli:/);
    const doctor = await holdfast.json(['doctor']);
    assert.ok(doctor.checks.some(({ message }) => message.includes(`process ${child.pid}`)));
    child.kill('SIGTERM');
    assert.deepEqual(await once(child, 'exit'), [0, null]);
  });

  test('Ctrl-C in the midst of a backup ends with 130 and leaves none', async (context) => {
    const holdfast = await commandLine(context);
    await holdfast.json(['backup', '-', '--resource', 'before'], 'x');
    const child = holdfast.start(['backup', '-', '--resource', 'broken']);
    child.stdin!.on('error', () => undefined);
    child.stdin!.write(Buffer.alloc(1 << 20, 'a'));
    const result = ended(child);
    // More than a pipe holds: when this is taken, the backup is under way.
    await new Promise((taken) => child.stdin!.write(Buffer.alloc(8 << 20, 'b'), taken));
    child.kill('SIGINT');
    assert.equal((await result).code, 130);
    const { backups } = await holdfast.json(['list']);
    assert.deepEqual(
      backups.map(({ resourceId }) => resourceId),
      ['before'],
    );
    assert.equal((await holdfast.json(['verify', '--level', '4'])).ok, true);
  });

  test('doctor and verify tell of a damaged key that nobody opens, and of one that cannot be verified without failing', async (context) => {
    const holdfast = await commandLine(context);
    await holdfast.run(['backup', '-', '--resource', 'x'], 'x');
    await holdfast.json(['key', 'add', '--new-key-file', join(holdfast.folder, 'kept.key')]);
    const [kept] = (await holdfast.json(['key', 'list'])).keys.filter(({ current }) => !current);
    const file = (await filesBelow(holdfast.data)).find((path) => path.endsWith(`/keys/${kept!.id}`)) ?? '';
    const { authentication, ...old } = JSON.parse(await readFile(file, 'utf8'));
    await chmod(file, 0o600);
    const keySlots = async (): Promise<[boolean, string | undefined]> => {
      const { code, stdout } = await holdfast.run(['doctor', '--json']);
      const { checks } = JSON.parse(stdout);
      return [code === 0, checks.find(({ check }: { check: string }) => check === 'key slots').state];
    };
    assert.deepEqual(await keySlots(), [true, 'ok']);
    await writeFile(file, JSON.stringify(old));
    assert.deepEqual(await keySlots(), [true, 'warn']);
    assert.equal((await holdfast.json(['verify'])).ok, true);
    await writeFile(file, JSON.stringify({ ...old, authentication, label: 'another' }));
    assert.deepEqual(await keySlots(), [false, 'fail']);
    const verified = await holdfast.run(['verify']);
    assert.equal(verified.code, 4, verified.stderr);
    assert.match(verified.stdout, new RegExp(`keys/${kept!.id}: .* is damaged`));
  });

  test('doctor finds a sound installation sound and a key file that others can read not', async (context) => {
    const holdfast = await commandLine(context);
    const made = await holdfast.run(['backup', '-', '--resource', 'x', '--json'], 'x');
    const keyFile = /A new key file was made: (\S+)\. /.exec(made.stderr)?.[1] ?? '';
    const sound = await holdfast.json(['doctor']);
    assert.equal(sound.ok, true, JSON.stringify(sound.checks));
    await chmod(keyFile, 0o644);
    const result = await holdfast.run(['doctor', '--json']);
    assert.equal(result.code, 1, result.stdout + result.stderr);
    assert.match(result.stdout, /chmod 600/);
  });
});
