import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  closeSync,
  ftruncateSync,
  lchownSync,
  linkSync,
  mkdirSync,
  openSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { makeDevice, makeFifo, setAttribute, setTime, terminated } from '../src/services/files/system-calls.ts';

export const IS_ROOT = process.geteuid?.() === 0;
const MEBIBYTE = 1024 * 1024;

/** Paths of byte strings, as Node takes them. */
export function bytePath(folder: string, name: string): Buffer {
  return Buffer.from(`${folder}/${name}`, 'latin1');
}

/** A file with data at some places and holes everywhere else. */
export function writeSparse(file: string, size: number, data: readonly (readonly [offset: number, length: number])[]) {
  const descriptor = openSync(file, 'wx');
  ftruncateSync(descriptor, size);
  for (const [offset, length] of data) writeSync(descriptor, randomBytes(length), 0, length, offset);
  closeSync(descriptor);
}

/** Contents of every size that is treated in its own way, with default sizes. */
export function makeContents(folder: string): void {
  for (const length of [0, 1, 4095, 4096, 4097, 20_000, 300_000, MEBIBYTE - 1, MEBIBYTE, MEBIBYTE + 1, 3 * MEBIBYTE])
    writeFileSync(`${folder}/${length} random bytes`, randomBytes(length));
  for (const length of [100, 5000, 2 * MEBIBYTE]) writeFileSync(`${folder}/${length} zeros`, Buffer.alloc(length));
  writeFileSync(`${folder}/text`, 'All work and no play makes Jack a dull boy.\n'.repeat(10_000));
}

/** Files with holes: at the front, in the middle, at the end, in many places, and nothing else. */
export function makeSparse(folder: string): void {
  for (const [name, unit] of [
    ['small', 64 * 1024],
    ['large', 2 * MEBIBYTE],
  ] as const) {
    writeSparse(`${folder}/${name} front`, unit * 4, [[unit * 3, unit]]);
    writeSparse(`${folder}/${name} middle`, unit * 4, [
      [0, unit],
      [unit * 3, unit],
    ]);
    writeSparse(`${folder}/${name} end`, unit * 4, [[0, unit]]);
    writeSparse(`${folder}/${name} whole`, unit * 4, []);
    writeSparse(`${folder}/${name} odd`, unit * 4 + 777, [[unit * 2 + 4095, 3]]);
    writeSparse(
      `${folder}/${name} many`,
      unit * 8,
      Array.from({ length: 8 }, (_, index) => [index * unit + unit / 2, 8192] as const),
    );
  }
  writeSparse(`${folder}/tiny whole`, 4096, []);
}

/** Names that are hard to carry. */
export function makeNames(folder: string): void {
  for (const name of [
    'plain',
    'spa ce',
    'new\nline',
    'tab\tand \x7f',
    '\xff\xfe not UTF-8 \x80',
    Buffer.from('Grüße 日本語 🗄️').toString('latin1'),
    '.hidden',
    '...',
    '..name',
    '-rf',
    '*',
    '\\',
    '"quoted"',
    ' ',
    'x'.repeat(255),
    '\xe4'.repeat(255),
    '__proto__',
    'C:\\x',
    '#comment',
    '!not',
  ])
    writeFileSync(bytePath(folder, name), `content of ${name}`);
  let deep = folder;
  while (deep.length < 3700) {
    deep += `/${'d'.repeat(200)}`;
    mkdirSync(deep);
  }
  writeFileSync(`${deep}/file`, 'deep');
}

/** Links, special files, modes, owners, times, attributes. */
export function makeMetadata(folder: string): void {
  mkdirSync(`${folder}/folder`);
  writeFileSync(`${folder}/folder/file`, 'in it');
  symlinkSync('folder', `${folder}/link to folder`);
  symlinkSync('folder/file', `${folder}/link to file`);
  symlinkSync('nowhere/at all', `${folder}/dangling`);
  symlinkSync('loop', `${folder}/loop`);
  symlinkSync('/etc', `${folder}/absolute`);
  symlinkSync(Buffer.from('\xff\xfe', 'latin1'), `${folder}/target is not UTF-8`);
  setTime(terminated(`${folder}/dangling`), 1_111_111_111_123_456_789n);

  makeFifo(terminated(`${folder}/fifo`), 0o640);
  if (IS_ROOT) {
    makeDevice(terminated(`${folder}/null`), 'character', 0o666, 1, 3);
    makeDevice(terminated(`${folder}/large numbers`), 'block', 0o600, 4000, 1_000_000);
  }

  for (const mode of [0o000, 0o400, 0o444, 0o600, 0o755, 0o4755, 0o2755, 0o1777, 0o7777]) {
    const name = `${folder}/mode ${mode.toString(8)}`;
    writeFileSync(name, `${mode}`);
    mkdirSync(`${name} folder`);
    writeFileSync(`${name} folder/inside`, 'x');
    if (IS_ROOT) chownSync(name, 12_345, 54_321);
    // Without rights to read, only root can back it up.
    chmodSync(name, mode | (IS_ROOT ? 0 : 0o400));
    chmodSync(`${name} folder`, mode | (IS_ROOT ? 0 : 0o500));
  }
  if (IS_ROOT) lchownSync(`${folder}/dangling`, 4242, 2424);

  for (const [name, time] of [
    ['nanoseconds', 1_600_000_000_123_456_789n],
    ['before 1970', -1_234_567_890_123_456_789n],
    ['the beginning', 0n],
    ['one nanosecond before', -1n],
    ['far future', 7_258_118_400_999_999_999n],
  ] as const) {
    writeFileSync(`${folder}/time ${name}`, name);
    setTime(terminated(`${folder}/time ${name}`), time);
    mkdirSync(`${folder}/time ${name} folder`);
    writeFileSync(`${folder}/time ${name} folder/file`, name);
    setTime(terminated(`${folder}/time ${name} folder`), time);
  }

  writeFileSync(`${folder}/attributes`, 'with attributes');
  for (const [name, value] of [
    ['user.text', Buffer.from('value')],
    ['user.empty', Buffer.alloc(0)],
    ['user.binary', randomBytes(2000)],
    ['user.\xffname', Buffer.from('not UTF-8')],
  ] as const)
    setAttribute(terminated(`${folder}/attributes`), name, value);
  mkdirSync(`${folder}/attributes folder`);
  setAttribute(terminated(`${folder}/attributes folder`), 'user.folder', Buffer.from('yes'));
  if (IS_ROOT) setAttribute(terminated(`${folder}/link to file`), 'trusted.link', Buffer.from('of the link itself'));
  writeFileSync(`${folder}/acl`, 'with a list');
  mkdirSync(`${folder}/acl folder`);
  setAttribute(terminated(`${folder}/acl`), 'system.posix_acl_access', accessList());
  setAttribute(terminated(`${folder}/acl folder`), 'system.posix_acl_access', accessList());
  setAttribute(terminated(`${folder}/acl folder`), 'system.posix_acl_default', accessList());
  if (IS_ROOT) {
    writeFileSync(`${folder}/capability`, 'may bind low ports');
    // cap_net_bind_service+ep, version 2 (linux/capability.h)
    const capability = Buffer.from('0100000200040000000000000000000000000000', 'hex');
    setAttribute(terminated(`${folder}/capability`), 'security.capability', capability);
  }
}

/** Files with several names, small and large, in several folders, and special ones. */
export function makeHardLinks(folder: string): void {
  mkdirSync(`${folder}/a`);
  mkdirSync(`${folder}/z`);
  writeFileSync(`${folder}/m small`, randomBytes(10_000));
  linkSync(`${folder}/m small`, `${folder}/a/small`);
  linkSync(`${folder}/m small`, `${folder}/z/small`);
  writeFileSync(`${folder}/z/large`, randomBytes(2 * MEBIBYTE));
  linkSync(`${folder}/z/large`, `${folder}/a/large`);
  writeFileSync(`${folder}/one`, 'one of two names is outside');
  linkSync(`${folder}/one`, `${folder}.outside`);
  makeFifo(terminated(`${folder}/fifo`), 0o600);
  linkSync(`${folder}/fifo`, `${folder}/a/fifo`);
  symlinkSync('target', `${folder}/symlink`);
  linkSync(`${folder}/symlink`, `${folder}/a/symlink`);
}

/** The bytes of `system.posix_acl_access`: u::rw-, u:1234:r--, g::r--, m::r--, o::--- (linux/posix_acl_xattr.h). */
function accessList(): Buffer {
  const entries = [
    [0x01, 6, 0xffffffff],
    [0x02, 4, 1234],
    [0x04, 4, 0xffffffff],
    [0x10, 4, 0xffffffff],
    [0x20, 0, 0xffffffff],
  ] as const;
  const bytes = Buffer.alloc(4 + entries.length * 8);
  bytes.writeUInt32LE(2, 0);
  for (const [index, [tag, permissions, id]] of entries.entries()) {
    bytes.writeUInt16LE(tag, 4 + index * 8);
    bytes.writeUInt16LE(permissions, 6 + index * 8);
    bytes.writeUInt32LE(id, 8 + index * 8);
  }
  return bytes;
}

/** Whether holes can be made here, as they can nearly everywhere. */
export function blocksOf(file: string): number {
  return Number(execFileSync('stat', ['-c', '%b', file], { encoding: 'utf8' }));
}
