import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { commandLine, filesBelow } from './command-line.ts';

describe('holdfast, for who makes a mistake or has bad luck', { concurrency: 2 }, () => {
  test('a wrong command line is 2, of every command but the one that must stop a recovery', async (context) => {
    const holdfast = await commandLine(context);
    assert.equal((await holdfast.problem(['completion'], 2)).code, 'usage-missing-argument');
    assert.equal((await holdfast.problem(['help', 'lst'], 2)).code, 'usage-unknown-command');
    // A resource may have the name of another command.
    for (const id of ['x', 'list', 'backup'])
      assert.equal((await holdfast.problem(['wal-get', '--resource', id, '--nope'], 255)).code, 'usage-unknown-option');
    await holdfast.problem(['wal-get', '--resource', 'list', '000000010000000000000001', '-'], 255);
  });

  test('the key that the configuration opens the repository with is not removed by accident', async (context) => {
    const holdfast = await commandLine(context);
    await holdfast.json(['backup', '-', '--resource', 'x'], 'x');
    const spare = join(holdfast.folder, 'spare.key');
    await holdfast.json(['key', 'add', '--new-key-file', spare]);
    const [inUse] = (await holdfast.json(['key', 'list'])).keys.filter(({ current }) => current);
    const refused = await holdfast.problem(['key', 'remove', inUse!.id], 1);
    assert.equal(refused.code, 'key-slot-in-use');
    assert.equal((await holdfast.json(['key', 'list'])).keys.length, 2);
    // As the message says: another one first.
    const removed = await holdfast.run(['key', 'remove', inUse!.id], '', { HOLDFAST_KEY_FILE: spare });
    assert.equal(removed.code, 0, removed.stderr);
  });

  test('a key in use goes where that is said', async (context) => {
    const holdfast = await commandLine(context);
    await holdfast.json(['backup', '-', '--resource', 'x'], 'x');
    await holdfast.json(['key', 'add', '--new-key-file', join(holdfast.folder, 'spare.key')]);
    const [inUse] = (await holdfast.json(['key', 'list'])).keys.filter(({ current }) => current);
    await holdfast.json(['key', 'remove', inUse!.id, '--in-use']);
    await holdfast.problem(['list'], 12);
  });

  test('"latest" is restored and forgotten of a certain resource only, where there are several', async (context) => {
    const holdfast = await commandLine(context);
    await holdfast.json(['backup', '-', '--resource', 'one'], '1');
    assert.equal((await holdfast.run(['restore', 'latest', '--output', '-'])).stdout, '1');
    await holdfast.json(['backup', '-', '--resource', 'two'], '2');
    for (const words of [
      ['restore', 'latest', '--output', '-'],
      ['forget', 'latest'],
    ]) {
      const refused = await holdfast.problem(words, 2);
      assert.equal(refused.code, 'usage-resource-missing');
      assert.match(refused.message, /the newest is of "two"/);
    }
    const forgotten = await holdfast.json(['forget', 'latest', '--resource', 'one', '--dry-run']);
    const [one] = (await holdfast.json(['list', '--resource', 'one'])).backups;
    assert.deepEqual(forgotten.forgotten, [one?.id]);
    const several = ['forget', 'latest', '--resource', 'one', '--resource', 'two'];
    assert.equal((await holdfast.problem(several, 2)).code, 'usage-resource-ambiguous');
    const named = await holdfast.run(['restore', 'latest', '--resource', 'one', '--output', '-']);
    assert.equal(named.stdout, '1');
    assert.match(named.stderr, / to standard output\.$/m);
  });

  test('an empty list of a lost catalogue says that the repository holds backups', async (context) => {
    const holdfast = await commandLine(context);
    await holdfast.json(['backup', '-', '--resource', 'x'], 'x');
    assert.equal((await holdfast.run(['list', '--resource', 'y'])).stderr, 'No backups fit.\n');
    for (const path of await filesBelow(holdfast.data)) if (path.includes('catalogue.sqlite')) await rm(path);
    const listed = await holdfast.run(['list']);
    assert.match(
      listed.stderr,
      /^warning: .*repository holds 1 backup that the catalogue does not know\. "holdfast recover"/,
    );
    await holdfast.json(['recover']);
    assert.equal((await holdfast.json(['list'])).backups.length, 1);
  });

  test('after a recovery files are backed up again by naming their paths, which nobody else knows', async (context) => {
    const holdfast = await commandLine(context);
    const path = await holdfast.put('shop/file', 'x');
    const first = (await holdfast.json(['backup', path, '--resource', 'shop'])).backup;
    await holdfast.json(['backup', '-', '--resource', 'stream'], 'x');
    const recovered = await holdfast.run(['recover']);
    assert.match(recovered.stdout, /^What Holdfast fetches itself has to be set up again, .*: shop\.$/m);
    const again = (await holdfast.json(['backup', path, '--resource', 'shop'])).backup;
    assert.deepEqual([again.type, again.parentId], ['incremental', first.id]);
    assert.equal(
      (await holdfast.problem(['backup', holdfast.folder, '--resource', 'shop'], 1)).code,
      'resource-differs',
    );
  });

  test('a dry run that --options asks for is told as one', async (context) => {
    const holdfast = await commandLine(context);
    const path = await holdfast.put('shop/file', 'x');
    await holdfast.json(['backup', path, '--resource', 'shop']);
    const options = JSON.stringify({ target: join(holdfast.folder, 'there'), dryRun: true });
    const { stdout } = await holdfast.run(['restore', 'latest', '--resource', 'shop', '--options', options]);
    assert.match(stdout, /^Would restore /);
  });

  test('a data folder below a file is told as what it is', async (context) => {
    const holdfast = await commandLine(context);
    const file = await holdfast.put('file', 'x');
    assert.equal((await holdfast.problem(['list', '--data', file], 1)).code, 'not-a-folder');
  });
});
