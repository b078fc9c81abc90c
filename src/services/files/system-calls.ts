import koffi from 'koffi';

/**
 * The system calls that Node.js lacks, by way of koffi (its binaries come inside its package). Paths are byte strings; a
 * failed call throws an error with `code` and `syscall`, as Node's own do.
 */
const libc = koffi.load('libc.so.6');
const llistxattr = libc.func('int64_t llistxattr(const uint8_t *path, void *list, size_t size)');
const lgetxattr = libc.func('int64_t lgetxattr(const uint8_t *path, const uint8_t *name, void *value, size_t size)');
const lsetxattr = libc.func(
  'int lsetxattr(const uint8_t *path, const uint8_t *name, const void *value, size_t size, int flags)',
);
const utimensat = libc.func('int utimensat(int folder, const uint8_t *path, const int64_t *times, int flags)');
const mknod = libc.func('int mknod(const uint8_t *path, uint32_t mode, uint64_t device)');
const lseek = libc.func('int64_t lseek(int descriptor, int64_t offset, int whence)');

const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const SEEK_DATA = 3;
const SEEK_HOLE = 4;
const S_IFIFO = 0o010000;
const S_IFCHR = 0o020000;
const S_IFBLK = 0o060000;

let scratch = Buffer.alloc(65_536);

/** Names of a file's extended attributes, in byte order; none where the file system has none. */
export function listAttributes(path: Buffer): string[] {
  const length = Number(llistxattr(path, scratch, scratch.length));
  if (length < 0) {
    const code = errorCode();
    if (code === 'EOPNOTSUPP') return [];
    if (code !== 'ERANGE') throw systemError(code, 'llistxattr');
    scratch = Buffer.alloc(scratch.length * 2);
    return listAttributes(path);
  }
  if (length === 0) return [];
  return scratch
    .toString('latin1', 0, length - 1)
    .split('\0')
    .sort();
}

/** An attribute's value, or undefined if it has gone or may not be read. */
export function getAttribute(path: Buffer, name: string): Buffer | undefined {
  const length = Number(lgetxattr(path, terminated(name), scratch, scratch.length));
  if (length >= 0) return Buffer.from(scratch.subarray(0, length));
  const code = errorCode();
  if (code === 'ENODATA' || code === 'EACCES' || code === 'EPERM' || code === 'EOPNOTSUPP') return undefined;
  if (code !== 'ERANGE') throw systemError(code, 'lgetxattr');
  scratch = Buffer.alloc(scratch.length * 2);
  return getAttribute(path, name);
}

export function setAttribute(path: Buffer, name: string, value: Uint8Array): void {
  if (lsetxattr(path, terminated(name), value, value.length, 0) !== 0) throw systemError(errorCode(), 'lsetxattr');
}

const times = new BigInt64Array(4);
const SECOND = 1_000_000_000n;

/** Sets access and modification time of a file or of a symbolic link itself; nanoseconds since 1970. */
export function setTime(path: Buffer, nanoseconds: bigint): void {
  let seconds = nanoseconds / SECOND;
  let rest = nanoseconds % SECOND;
  if (rest < 0n) {
    seconds -= 1n;
    rest += SECOND;
  }
  times[0] = seconds;
  times[1] = rest;
  times[2] = seconds;
  times[3] = rest;
  if (utimensat(AT_FDCWD, path, times, AT_SYMLINK_NOFOLLOW) !== 0) throw systemError(errorCode(), 'utimensat');
}

export function makeFifo(path: Buffer, mode: number): void {
  if (mknod(path, S_IFIFO | mode, 0) !== 0) throw systemError(errorCode(), 'mknod');
}

/** Needs the rights of root. */
export function makeDevice(
  path: Buffer,
  kind: 'character' | 'block',
  mode: number,
  major: number,
  minor: number,
): void {
  const type = kind === 'character' ? S_IFCHR : S_IFBLK;
  if (mknod(path, type | mode, deviceNumber(major, minor)) !== 0) throw systemError(errorCode(), 'mknod');
}

/** Where data begins at or after `offset`, or undefined if only a hole follows. */
export function seekData(descriptor: number, offset: number): number | undefined {
  const found = Number(lseek(descriptor, offset, SEEK_DATA));
  if (found >= 0) return found;
  const code = errorCode();
  if (code === 'ENXIO') return undefined;
  // File systems that do not know of holes have none.
  if (code === 'EINVAL' || code === 'EOPNOTSUPP') return offset;
  throw systemError(code, 'lseek');
}

/** Where the next hole begins at or after `offset`; the end of the file counts as one. Undefined beyond the end. */
export function seekHole(descriptor: number, offset: number): number | undefined {
  const found = Number(lseek(descriptor, offset, SEEK_HOLE));
  if (found >= 0) return found;
  const code = errorCode();
  if (code === 'ENXIO' || code === 'EINVAL' || code === 'EOPNOTSUPP') return undefined;
  throw systemError(code, 'lseek');
}

/** Linux's encoding of device numbers (makedev(3)). */
export function deviceMajor(device: bigint): number {
  return Number(((device >> 8n) & 0xfffn) | ((device >> 32n) & ~0xfffn));
}
export function deviceMinor(device: bigint): number {
  return Number((device & 0xffn) | ((device >> 12n) & ~0xffn & 0xffffffffn));
}
function deviceNumber(major: number, minor: number): bigint {
  const high = BigInt(major);
  const low = BigInt(minor);
  return ((high & 0xfffn) << 8n) | ((high & ~0xfffn) << 32n) | (low & 0xffn) | ((low & ~0xffn) << 12n);
}

/** A byte string as the zero-terminated bytes that system calls take. */
export function terminated(byteString: string): Buffer {
  const bytes = Buffer.allocUnsafe(byteString.length + 1);
  bytes.write(byteString, 0, 'latin1');
  bytes[byteString.length] = 0;
  return bytes;
}

/** Of the two names that some numbers have, the one that Node's own errors use. */
const codes = new Map(
  Object.entries(koffi.os.errno)
    .filter(([code]) => code !== 'ENOTSUP' && code !== 'EWOULDBLOCK')
    .map(([code, number]) => [number, code]),
);

function errorCode(): string {
  const number = koffi.errno();
  return codes.get(number) ?? `errno ${number}`;
}

function systemError(code: string, call: string): Error {
  return Object.assign(new Error(`${code}: ${call}`), { code, syscall: call });
}
