import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  ftruncateSync,
  lstatSync,
  mkdtempSync,
  openSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import {
  deviceMajor,
  deviceMinor,
  getAttribute,
  listAttributes,
  makeDevice,
  makeFifo,
  seekData,
  seekHole,
  setAttribute,
  setTime,
  terminated,
} from './system-calls.ts';

describe('the system calls', () => {
  let folder: string;
  let file: string;
  before(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'holdfast-calls-'));
    file = `${folder}/file`;
    writeFileSync(file, 'x');
  });
  after(() => rmSync(folder, { recursive: true }));

  const missing = terminated('/nowhere/at/all');

  test('set, list and get extended attributes, in byte order and of any bytes', () => {
    const place = terminated(file);
    assert.deepEqual(listAttributes(place), []);
    const value = Buffer.from([0, 1, 255, 0]);
    setAttribute(place, 'user.b', value);
    setAttribute(place, 'user.a', Buffer.alloc(0));
    setAttribute(place, 'user.\xff', Buffer.from('x'));
    assert.deepEqual(listAttributes(place), ['user.a', 'user.b', 'user.\xff']);
    assert.deepEqual(getAttribute(place, 'user.b'), value);
    assert.equal(getAttribute(place, 'user.a')?.length, 0);
    assert.equal(getAttribute(place, 'user.none'), undefined);
  });

  test('find no attributes where a file system has none, and say what else is wrong', () => {
    assert.deepEqual(listAttributes(terminated('/proc/version')), []);
    assert.throws(() => listAttributes(missing), { code: 'ENOENT', syscall: 'llistxattr' });
    assert.throws(() => getAttribute(missing, 'user.x'), { code: 'ENOENT', syscall: 'lgetxattr' });
    assert.throws(() => setAttribute(missing, 'user.x', Buffer.alloc(1)), { code: 'ENOENT', syscall: 'lsetxattr' });
    assert.throws(() => setAttribute(terminated(file), 'nonsense', Buffer.alloc(1)), { code: 'EOPNOTSUPP' });
  });

  test('set times to the nanosecond, before 1970 too, and of a link itself', () => {
    const link = `${folder}/link`;
    symlinkSync('nowhere', link);
    for (const place of [file, link])
      for (const time of [0n, 1n, -1n, -999_999_999n, -1_000_000_000n, 1_700_000_000_123_456_789n]) {
        setTime(terminated(place), time);
        assert.equal(lstatSync(place, { bigint: true }).mtimeNs, time);
      }
    assert.throws(() => setTime(missing, 0n), { code: 'ENOENT', syscall: 'utimensat' });
  });

  test('make fifos, and no second time', () => {
    makeFifo(terminated(`${folder}/fifo`), 0o600);
    assert.ok(lstatSync(`${folder}/fifo`).isFIFO());
    assert.throws(() => makeFifo(terminated(`${folder}/fifo`), 0o600), { code: 'EEXIST', syscall: 'mknod' });
  });

  test('make devices of any number', { skip: process.geteuid?.() !== 0 && 'only root may make devices' }, () => {
    for (const [kind, major, minor] of [
      ['character', 1, 3],
      ['block', 0xfff, 0xfffff],
      ['character', 259, 256],
    ] as const) {
      const place = `${folder}/${kind} ${major} ${minor}`;
      makeDevice(terminated(place), kind, 0o600, major, minor);
      const { rdev } = lstatSync(place, { bigint: true });
      assert.deepEqual([deviceMajor(rdev), deviceMinor(rdev)], [major, minor]);
      const seen = execFileSync('stat', ['-c', '%t %T', place], { encoding: 'utf8' }).trim();
      assert.equal(seen, `${major.toString(16)} ${minor.toString(16)}`);
    }
  });

  test('find data and holes', () => {
    const descriptor = openSync(`${folder}/sparse`, 'w+');
    try {
      ftruncateSync(descriptor, 1_048_576);
      writeSync(descriptor, 'data', 524_288);
      assert.equal(seekData(descriptor, 0), 524_288);
      assert.equal(seekData(descriptor, 524_289), 524_289);
      const end = seekHole(descriptor, 524_288);
      assert.ok(end !== undefined && end > 524_288 && end < 1_048_576, 'the data ends before the file');
      assert.equal(seekHole(descriptor, 0), 0);
      assert.equal(seekData(descriptor, end), undefined, 'only a hole follows');
      assert.equal(seekData(descriptor, 1_048_576), undefined);
      assert.equal(seekHole(descriptor, 1_048_576), undefined);
    } finally {
      closeSync(descriptor);
    }
    assert.throws(() => seekData(descriptor, 0), { code: 'EBADF', syscall: 'lseek' });
  });
});
