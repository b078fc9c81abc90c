import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { z } from 'zod';
import { assertionFields, parseAssertionList } from '../../core/assertion.ts';
import type { Assertion } from '../../core/drill.ts';
import { HoldfastError } from '../../core/errors.ts';
import type { DrillFinding } from '../../core/ports/service-drill.ts';
import type { ByteString } from '../../core/tree-entry.ts';
import { toByteString } from './byte-path.ts';
import { typeOf } from './file-metadata.ts';
import { type RestoreTarget, statusAt } from './restore-target.ts';

const schema = z
  .strictObject({
    ...assertionFields,
    /** As `GET /backups/{id}/entries` lists it. */
    path: z.string().min(1).max(4096),
    /** `false`: it must not be there. */
    exists: z.boolean().default(true),
    /** Bytes. */
    minimumSize: z.int().min(0).optional(),
    sha256: z
      .string()
      .regex(/^[0-9a-f]{64}$/, 'must be 64 hexadecimal digits')
      .optional(),
    /** Text, as UTF-8, that the file holds somewhere. */
    contains: z.string().min(1).max(10_000).optional(),
  })
  .refine(
    ({ exists, minimumSize, sha256, contains }) =>
      exists || (minimumSize === undefined && sha256 === undefined && contains === undefined),
    'of a file that must not exist, nothing else can be asserted',
  );

export type FilesAssertion = z.infer<typeof schema>;

/** @throws HoldfastError `assertions-invalid` (invalid) naming the field */
export function parseFilesAssertions(assertions: readonly unknown[]): readonly Assertion[] {
  return parseAssertionList(schema, assertions);
}

/** What an assertion expects, in words. */
export function expectedOfFile({ exists, minimumSize, sha256, contains }: FilesAssertion): string {
  if (!exists) return 'not there';
  return [
    'is there',
    ...(minimumSize === undefined ? [] : [`at least ${minimumSize} bytes`]),
    ...(sha256 === undefined ? [] : [`sha256:${sha256}`]),
    ...(contains === undefined ? [] : [`contains ${JSON.stringify(contains)}`]),
  ].join(', ');
}

/** Looks at one restored file. Neither it nor a folder above it may be a link: those lead out of the drill's folder. */
export async function judgeFile(
  assertion: FilesAssertion,
  target: RestoreTarget,
  signal: AbortSignal,
): Promise<DrillFinding> {
  const place = placeOf(assertion.path, target);
  if (place === undefined || behindLink(place, target)) return finding(!assertion.exists, 'not in the backup');
  const status = statusAt(place);
  if (status === undefined) return finding(!assertion.exists, 'not there');
  const type = typeOf(status);
  if (!assertion.exists) return finding(false, `a ${type}`);
  const { minimumSize, sha256, contains } = assertion;
  if (minimumSize === undefined && sha256 === undefined && contains === undefined) return finding(true, `a ${type}`);
  if (type !== 'file') return finding(false, `a ${type}, not a file`);
  const size = Number(status.size);
  if (minimumSize !== undefined && size < minimumSize) return finding(false, `${size} bytes`);
  if (sha256 === undefined && contains === undefined) return finding(true, `${size} bytes`);
  return judgeContent(place, { size, sha256, contains }, signal);
}

async function judgeContent(
  place: ByteString,
  { size, sha256, contains }: { size: number; sha256: string | undefined; contains: string | undefined },
  signal: AbortSignal,
): Promise<DrillFinding> {
  const file = await open(Buffer.from(place, 'latin1'), constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const content = await readThrough(file, contains, signal);
    const isSame = sha256 === undefined || sha256 === content.sha256;
    const told = [
      `${size} bytes`,
      ...(sha256 === undefined ? [] : [`sha256:${content.sha256}`]),
      ...(contains === undefined ? [] : [content.isContained ? 'contains it' : 'does not contain it']),
    ];
    return finding(isSame && content.isContained, told.join(', '));
  } finally {
    await file.close();
  }
}

async function readThrough(file: FileHandle, contains: string | undefined, signal: AbortSignal) {
  const wanted = Buffer.from(contains ?? '');
  const hash = createHash('sha256');
  let isContained = wanted.length === 0;
  let tail: Buffer = Buffer.alloc(0);
  for await (const piece of file.createReadStream({ autoClose: false, highWaterMark: 1 << 20 })) {
    signal.throwIfAborted();
    const bytes = piece as Buffer;
    hash.update(bytes);
    if (isContained) continue;
    const window = Buffer.concat([tail, bytes]);
    isContained = window.includes(wanted);
    tail = Buffer.from(window.subarray(Math.max(0, window.length - wanted.length + 1)));
  }
  return { sha256: hash.digest('hex'), isContained };
}

/** @returns undefined where the path is none that the backup could have */
function placeOf(path: string, target: RestoreTarget): ByteString | undefined {
  try {
    return target.place(toByteString(path).replace(/^\/+|\/+$/g, ''));
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'path-escapes-target') return undefined;
    throw error;
  }
}

function behindLink(place: ByteString, target: RestoreTarget): boolean {
  for (let end = place.lastIndexOf('/'); end > target.folder.length; end = place.lastIndexOf('/', end - 1))
    if (statusAt(place.slice(0, end))?.isDirectory() !== true) return true;
  return false;
}

function finding(holds: boolean, found: string): DrillFinding {
  return { outcome: holds ? 'passed' : 'failed', found };
}
