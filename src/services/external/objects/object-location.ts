import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ObjectsConfiguration } from '../source-schema.ts';
import { StepFault } from '../step-failure.ts';

/**
 * The key of the object that a document names by `s3://bucket/key`, `file:///folder/name`, a path or a key alone. Only what lies in
 * the configured bucket or folder is read, so that whoever can write documents cannot have other things fetched.
 *
 * @throws StepFault
 */
export function keyOfLocation(location: string, objects: ObjectsConfiguration): string {
  const key = objects.kind === 's3' ? keyInBucket(location, objects.bucket) : keyInFolder(location, objects.folder);
  if (key !== undefined && key !== '' && !key.split('/').includes('..')) return key;
  const place = objects.kind === 's3' ? `the bucket "${objects.bucket}"` : `the folder ${objects.folder}`;
  throw new StepFault('denied', `${location} is not in ${place}, so it is not read. Look at \`objects\`.`);
}

function keyInBucket(location: string, bucket: string): string | undefined {
  if (!location.includes('://')) return location;
  // Not parsed as a URL: keys may hold any characters, and they are written as they are.
  const start = `s3://${bucket}/`;
  return location.startsWith(start) ? location.slice(start.length) : undefined;
}

function keyInFolder(location: string, folder: string): string | undefined {
  const isUrl = location.startsWith('file:');
  if (!isUrl && location.includes('://')) return undefined;
  const place = path.resolve(folder, isUrl ? pathOf(location) : location);
  const below = path.relative(folder, place);
  return below.startsWith('..') || path.isAbsolute(below) ? undefined : below;
}

function pathOf(url: string): string {
  try {
    return fileURLToPath(url);
  } catch {
    return '..';
  }
}
