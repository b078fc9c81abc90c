import { createHash } from 'node:crypto';
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { z } from 'zod';
import { HoldfastError, systemErrorCode } from '../../../core/errors.ts';

/** Which file of the folder a rule uses. The checksum stands in the policy, so that another content makes another policy. */
export interface FolderFile {
  folder: string;
  name: string;
  /** Hex. */
  sha256: string;
}

/** A name within the folder: no separators, and no dot at its begin. */
export const fileName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$/, 'must be the name of a file in the folder of transformers');

export const checksum = z
  .string()
  .regex(/^[0-9a-f]{64}$/, 'must be the SHA-256 of the file in hexadecimal digits (sha256sum)');

/**
 * Reads a file of the folder that only the operator writes to. Follows no symbolic link out of it.
 * @throws HoldfastError `transformer-file-invalid` (invalid): absent, no file, too large, or another than the policy means
 */
export function readFolderFile({ folder, name, sha256 }: FolderFile): Buffer {
  const bytes = readPlainFile(path.join(folder, name), name);
  const found = createHash('sha256').update(bytes).digest('hex');
  if (found === sha256) return bytes;
  throw fault(name, `has another content than the policy means. Review it, then write sha256: ${found}`);
}

/** Adds the folder to options, and finds out at once whether the file is there. */
export function withFolder<Options extends { sha256: string }>(
  folder: string | undefined,
  nameOf: (options: Options) => string,
) {
  return (options: Options, context: z.RefinementCtx): Options & { folder: string } => {
    if (folder === undefined) {
      context.addIssue({
        code: 'custom',
        message: 'No folder is named for files of transformers: set downloads.transformers.',
      });
      return z.NEVER;
    }
    try {
      readFolderFile({ folder, name: nameOf(options), sha256: options.sha256 });
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      context.addIssue({ code: 'custom', message: error.message });
      return z.NEVER;
    }
    return { ...options, folder };
  };
}

function readPlainFile(file: string, name: string): Buffer {
  let descriptor: number;
  try {
    descriptor = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const code = systemErrorCode(error) ?? 'unknown error';
    throw fault(name, code === 'ELOOP' ? 'is a symbolic link, and must be a file' : `cannot be opened (${code})`);
  }
  try {
    const status = fstatSync(descriptor);
    if (!status.isFile()) throw fault(name, 'is no file');
    if (status.size > LARGEST_FILE) throw fault(name, `is larger than ${LARGEST_FILE >> 20} MiB`);
    return readFileSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function fault(name: string, what: string): HoldfastError {
  return new HoldfastError(
    'invalid',
    'transformer-file-invalid',
    `The file ${name} of the folder of transformers ${what}.`,
  );
}

const LARGEST_FILE = 64 << 20;
