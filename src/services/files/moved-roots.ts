import path from 'node:path';
import { HoldfastError } from '../../core/errors.ts';
import type { Resource } from '../../core/resource.ts';
import { toByteString } from './byte-path.ts';
import { commonParent, parseFilesConfiguration } from './configuration.ts';
import type { MovedRoot } from './restore-target.ts';

/**
 * Where each path of a backup goes in another resource: one path into one path, whatever they are called; several where they lie in
 * the same way under a folder that they share.
 *
 * @param backedUp absolute paths
 * @throws HoldfastError `restore-target-paths-differ` (conflict)
 */
export function movedRoots(backedUp: readonly string[], target: Resource): MovedRoot[] {
  const from = backedUp.toSorted();
  const to = parseFilesConfiguration(target.configuration).paths.toSorted();
  const [shared, sharedThere] = [`/${commonParent(from)}`, `/${commonParent(to)}`];
  const isAlike =
    from.length === to.length &&
    (from.length === 1 ||
      from.every((each, at) => path.relative(shared, each) === path.relative(sharedThere, to[at] ?? '')));
  if (!isAlike) throw pathsDiffer(from, to, target.id);
  // The innermost first: a path below another one is a root of its own.
  return from
    .map((each, at) => ({ from: rootOf(each), to: rootOf(to[at] ?? '') }))
    .sort((a, b) => b.from.length - a.from.length);
}

function rootOf(absolute: string): string {
  return toByteString(absolute).replace(/^\/+/, '');
}

function pathsDiffer(from: readonly string[], to: readonly string[], id: string): HoldfastError {
  const message = `The backup is of ${from.join(', ')}, and the resource "${id}" of ${to.join(', ')}: it is not clear what goes where. Restore with \`target\` into a folder, or set up a resource with paths that lie alike.`;
  return new HoldfastError('conflict', 'restore-target-paths-differ', message, { details: { targetResourceId: id } });
}
