import path from 'node:path';
import { z } from 'zod';
import { parseConfiguration } from '../../core/service-settings.ts';

const schema = z.strictObject({
  /** Absolute paths of files and folders. */
  paths: z.array(z.string().refine((value) => path.isAbsolute(value), 'must be an absolute path')).min(1),
  /** Patterns in gitignore syntax; those with a slash are relative to each path. */
  exclude: z.array(z.string()).default([]),
  /** Files that hold such patterns, one a line. */
  excludeFiles: z.array(z.string().refine((value) => path.isAbsolute(value), 'must be an absolute path')).default([]),
  /** Of folders that hold a file of one of these names, nothing but the folder itself is kept. */
  excludeIfPresent: z.array(z.string().min(1)).default([]),
  /** Stay on the file system of each path. */
  oneFileSystem: z.boolean().default(false),
});

export type FilesConfiguration = z.infer<typeof schema>;

/** @throws HoldfastError `configuration-invalid` naming the field */
export function parseFilesConfiguration(configuration: unknown): FilesConfiguration {
  const data = parseConfiguration(schema, configuration, {
    kind: 'files',
    advice: 'It needs `paths`, and may have `exclude`, `excludeFiles`, `excludeIfPresent` and `oneFileSystem`.',
  });
  return { ...data, paths: [...new Set(data.paths.map((each) => path.resolve(each)))].sort() };
}

/** The folder under which all paths lie; restores into another folder keep what comes after it. `''` is the root. */
export function commonParent(paths: readonly string[]): string {
  const parents = paths.map((each) => path.dirname(each).split('/').filter(Boolean));
  const first = parents[0] ?? [];
  let length = first.length;
  for (const parent of parents)
    while (length > 0 && parent.slice(0, length).join('/') !== first.slice(0, length).join('/')) length--;
  return first.slice(0, length).join('/');
}
