import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { extract } from 'tar-stream';
import { ResticRepository } from '../src/services/external/decoding/restic-repository.ts';
import { contentOf, outputOf, processes } from './decoding-rig.ts';
import { flip } from './flipped-bytes.ts';
import { skipWithout } from './installed-programs.ts';

const PASSWORD = 'restic-p4ssword-of-tests';
const CONTENT = randomBytes(3_000_000);

describe('a restic repository', { skip: skipWithout({ restic: 'restic' }) }, () => {
  let folder: string;
  let repository: string;
  const never = new AbortController().signal;
  const restic = (...args: string[]) =>
    outputOf('restic', ['--no-cache', '--quiet', '-r', repository, ...args], Buffer.alloc(0), {
      ...process.env,
      RESTIC_PASSWORD: PASSWORD,
    });
  const opened = (password = PASSWORD) => new ResticRepository({ repository, password });
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'holdfast-restic-'));
    repository = path.join(folder, 'repository');
    await mkdir(path.join(folder, 'data', 'deep'), { recursive: true });
    await writeFile(path.join(folder, 'data', 'shop.sql'), CONTENT);
    await writeFile(path.join(folder, 'data', 'deep', 'note.txt'), 'first');
    await restic('init');
    await restic('backup', '--host', 'db1', '--tag', 'shop', '--tag', 'nightly', path.join(folder, 'data'));
    await writeFile(path.join(folder, 'data', 'deep', 'note.txt'), 'second');
    await restic('backup', '--host', 'db1', '--tag', 'shop', path.join(folder, 'data'));
    await restic('backup', '--host', 'db2', path.join(folder, 'data', 'deep'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  test('lists its snapshots newest first, filtered by host, tags and paths, and is not written to', async () => {
    const before = await readdir(repository, { recursive: true });
    const all = await opened().snapshots({}, never);
    assert.deepEqual(
      all.map(({ host, tags }) => [host, ...tags]),
      [['db2'], ['db1', 'shop'], ['db1', 'shop', 'nightly']],
    );
    assert.match(all[0]?.createdAt ?? '', /^\d{4}-.*Z$/);
    const ids = async (filter: object) => (await opened().snapshots(filter, never)).map(({ id }) => id);
    assert.deepEqual(await ids({ host: 'db2' }), [all[0]?.id]);
    assert.deepEqual(await ids({ tags: ['shop', 'nightly'] }), [all[2]?.id]);
    assert.deepEqual(await ids({ paths: [path.join(folder, 'data')], host: 'db1' }), [all[1]?.id, all[2]?.id]);
    assert.deepEqual(await ids({ host: 'nobody' }), []);
    assert.deepEqual(await readdir(repository, { recursive: true }), before);
  });

  test('gives a file as its bytes, and a folder as a tar archive', async () => {
    const [, , first] = await opened().snapshots({}, never);
    const bytes = await contentOf(opened().dump(first?.id ?? '', path.join(folder, 'data', 'shop.sql'), never));
    assert.ok(bytes.equals(CONTENT));
    const archive = extract();
    archive.end(await contentOf(opened().dump(first?.id ?? '', path.join(folder, 'data', 'deep'), never)));
    const files = new Map<string, string>();
    for await (const entry of archive) {
      const content = await contentOf(entry as AsyncIterable<Uint8Array>);
      if (entry.header.type === 'file') files.set(path.basename(entry.header.name), content.toString());
    }
    assert.deepEqual([...files], [['note.txt', 'first']]);
  });

  test('says what is wrong: password, place, snapshot and path', async () => {
    await assert.rejects(opened('wrong').snapshots({}, never), { kind: 'wrong-key', code: 'external-key-wrong' });
    const nowhere = new ResticRepository({ repository: path.join(folder, 'nowhere'), password: PASSWORD });
    await assert.rejects(nowhere.snapshots({}, never), { kind: 'not-found', code: 'restic-repository-missing' });
    const [newest] = await opened().snapshots({}, never);
    for (const [id, place] of [
      [newest?.id ?? '', '/no/such/file'],
      ['0123456789abcdef', '/'],
      ['--help', '/'],
    ] as const)
      await assert.rejects(async () => contentOf(opened().dump(id, place, never)), { code: 'restic-path-missing' });
  });

  test('takes neither a repository nor credentials that would start another program', () => {
    const options = ['', 'a@', 'a@b@', '//', '//a@', '//a@b@'].map((before) => `sftp:${before}-oProxyCommand=id:/x`);
    for (const place of ['rclone:x', ...options, 'sftp://a@-oProxyCommand=id/x', 'relative', '-x'])
      assert.throws(
        () => new ResticRepository({ repository: place, password: 'x' }),
        { code: 'configuration-invalid' },
        place,
      );
    for (const place of ['sftp:db1:/x', 'sftp:me@db1:x', 'sftp:me@corp@db1:/x', 'sftp://me@[::1]:2222//x'])
      new ResticRepository({ repository: place, password: 'x' });
    for (const name of ['RESTIC_PASSWORD_COMMAND', 'AZURE_FORCE_CLI_CREDENTIAL', 'AWS_SHARED_CREDENTIALS_FILE'])
      assert.throws(() => new ResticRepository({ repository: '/x', password: 'x', credentials: { [name]: 'id' } }), {
        code: 'configuration-invalid',
      });
    new ResticRepository({
      repository: '/x',
      password: 'x',
      credentials: { AWS_ACCESS_KEY_ID: 'id', OS_USERNAME: 'me' },
    });
  });

  test('an unreachable server is told without the password in its address', async () => {
    const place = 'rest:http://reader:s3cret-in-address@127.0.0.1:1/shop';
    const stopping = new AbortController();
    const unreachable = new ResticRepository({ repository: place, password: PASSWORD });
    await assert.rejects(unreachable.snapshots({}, stopping.signal), (error: Error) => {
      const cause = error.cause instanceof Error ? error.cause.message : '';
      return !`${error.stack}${cause}`.includes('s3cret-in-address') && 'kind' in error && error.kind === 'unavailable';
    });
  });

  test('an abort in the middle leaves no process, and its command line never had a secret', async () => {
    const [, newest] = await opened().snapshots({}, never);
    const stopping = new AbortController();
    await assert.rejects(async () => {
      for await (const _ of opened().dump(newest?.id ?? '', path.join(folder, 'data', 'shop.sql'), stopping.signal)) {
        for (const { text } of processes()) assert.ok(!text.includes(PASSWORD));
        stopping.abort(new Error('enough'));
      }
    }, /enough/);
    assert.deepEqual(
      processes().filter(({ parent }) => parent === process.pid),
      [],
    );
  });

  test('damage never ends as if the file were whole', async () => {
    const [, newest] = await opened().snapshots({}, never);
    const packs = await readdir(path.join(repository, 'data'), { recursive: true, withFileTypes: true });
    for (const pack of packs) if (pack.isFile()) await flip(pack.parentPath, pack.name, 500);
    const stream = opened().dump(newest?.id ?? '', path.join(folder, 'data', 'shop.sql'), never);
    await assert.rejects(contentOf(stream), { kind: 'damaged' });
  });
});
