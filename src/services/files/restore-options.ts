import path from 'node:path';
import { z } from 'zod';
import { HoldfastError } from '../../core/errors.ts';
import { parseRestoreFields } from '../../core/service-settings.ts';
import type { ByteString } from '../../core/tree-entry.ts';
import { toByteString } from './byte-path.ts';

export type Conflict = 'fail' | 'skip' | 'overwrite' | 'newer';

const schema = z.strictObject({
  /** Absolute path of the folder to restore into. */
  target: z
    .string()
    .refine((value) => path.isAbsolute(value), 'must be an absolute path')
    .optional(),
  /** Restore to where the files came from. */
  inPlace: z.boolean().default(false),
  /** Only these, and what is below them: as listed, or absolute. */
  paths: z.array(z.string().min(1)).min(1).optional(),
  conflict: z.enum(['fail', 'skip', 'overwrite', 'newer']).default('fail'),
  dryRun: z.boolean().default(false),
  /** Give files their owners again; default: if this process may (root). */
  owner: z.boolean().optional(),
  /** Leave holes for bytes that are lost, and list them, instead of refusing. */
  allowDamaged: z.boolean().default(false),
});

export interface RestoreOptions {
  /** Absolute, without a trailing slash; `''` is the root. */
  target: string;
  inPlace: boolean;
  paths: readonly ByteString[] | undefined;
  conflict: Conflict;
  dryRun: boolean;
  owner: boolean;
  allowDamaged: boolean;
}

/**
 * @param into another resource that says where to restore to
 * @throws HoldfastError `options-invalid` naming the option
 */
export function parseRestoreOptions(options: unknown, into?: string): RestoreOptions {
  const data = parseRestoreFields(
    schema,
    options,
    'There are `target`, `inPlace`, `paths`, `conflict`, `dryRun`, `owner` and `allowDamaged`.',
  );
  const { target, inPlace, paths, conflict, dryRun, owner, allowDamaged } = data;
  if (into !== undefined && (target !== undefined || inPlace)) {
    const message = `The restore goes into the resource "${into}", whose \`paths\` say where that is: leave \`target\` and \`inPlace\` away.`;
    throw new HoldfastError('invalid', 'options-invalid', message);
  }
  if (into === undefined && (target === undefined) !== inPlace) {
    throw new HoldfastError(
      'invalid',
      'restore-target-missing',
      'Say where to restore to: either `target`, a folder, or `inPlace: true` for the places that the files came from.',
    );
  }
  return {
    target: target === undefined ? '' : path.resolve(target).replace(/\/+$/, ''),
    inPlace: inPlace || into !== undefined,
    paths: paths?.map((each) => toByteString(each).replace(/^\/+|\/+$/g, '')),
    conflict,
    dryRun,
    owner: owner ?? process.geteuid?.() === 0,
    allowDamaged,
  };
}
