import path from 'node:path';
import type { RepositoryConfiguration } from '../core/configuration.ts';
import { HoldfastError } from '../core/errors.ts';
import { type S3Settings, s3Schema } from './s3-schema.ts';

type StorageChoice = RepositoryConfiguration['storage'];

/** What a configuration file says of where a repository lies. */
export interface ConfiguredPlace {
  folder?: string | undefined;
  s3?: S3Settings | undefined;
}

/**
 * The storage that a path or an address such as `s3://bucket/prefix?endpoint=https://minio.example:9000` names.
 *
 * @param configured what an address leaves open is as there, then as the environment of the AWS SDK says
 * @throws HoldfastError `storage-address-invalid` (invalid)
 */
export function storageAt(
  place: string,
  from: { workingFolder: string; environment: NodeJS.ProcessEnv },
  configured?: S3Settings,
): StorageChoice {
  if (!place.startsWith(SCHEME)) return inFolder(path.resolve(from.workingFolder, place));
  return inBucket({ ...configured, ...settingsOf(place) }, from);
}

export function storageOf(
  { folder, s3 }: ConfiguredPlace,
  from: { workingFolder: string; environment: NodeJS.ProcessEnv },
): StorageChoice | undefined {
  if (s3 !== undefined) return inBucket(s3, from);
  return folder === undefined ? undefined : storageAt(folder, from);
}

/** What a configuration file says of a place that an option names. @throws HoldfastError `storage-address-invalid` (invalid) */
export function settingOf(place: string, workingFolder: string): ConfiguredPlace {
  return place.startsWith(SCHEME) ? { s3: settingsOf(place) } : { folder: path.resolve(workingFolder, place) };
}

function inFolder(folder: string): StorageChoice {
  return { kind: 'local', options: { folder } };
}

function inBucket(
  settings: S3Settings,
  { workingFolder, environment }: { workingFolder: string; environment: NodeJS.ProcessEnv },
): StorageChoice {
  const endpoint = settings.endpoint ?? environment.AWS_ENDPOINT_URL_S3 ?? environment.AWS_ENDPOINT_URL;
  const caFile = settings.caFile ?? environment.AWS_CA_BUNDLE;
  const prefix = settings.prefix === undefined ? undefined : withoutSlashes(settings.prefix);
  const options = {
    ...settings,
    endpoint: endpoint?.replace(/\/$/, ''),
    region: settings.region ?? environment.AWS_REGION,
    caFile: caFile === undefined ? undefined : path.resolve(workingFolder, caFile),
    prefix,
  };
  return {
    kind: 's3',
    options: Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined && value !== '')),
  };
}

/** Credentials have no place in an address: it is seen in lists of processes and histories of shells. */
function settingsOf(address: string): Partial<S3Settings> & { bucket: string } {
  const [, bucket, prefix, query] = ADDRESS.exec(address) ?? [];
  if (bucket === undefined) throw invalid(address, RULE);
  const settings: Record<string, unknown> = { bucket };
  if (prefix !== undefined && prefix !== '/') settings.prefix = withoutSlashes(prefix);
  for (const [name, value] of new URLSearchParams(query)) {
    if (name === 'endpoint' || name === 'region') settings[name] = value;
    else if (name === 'pathStyle' && /^(true|false)$/.test(value)) settings[name] = value === 'true';
    else throw invalid(address, RULE);
  }
  const parsed = s3Schema.safeParse(settings);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw invalid(address, `Its ${issue?.path.join('.')} should be ${issue?.message}.`);
}

function withoutSlashes(prefix: string): string {
  return prefix.replace(/^\/+|\/+$/g, '');
}

const SCHEME = 's3://';
const ADDRESS = /^s3:\/\/([^/?#@]+)(\/[^?#@]*)?(?:\?([^#]*))?$/;
const RULE =
  'Write s3://bucket or s3://bucket/prefix, with ?endpoint=, ?region= and ?pathStyle=true after it where they are needed; credentials stand in the configuration or in the environment.';

function invalid(address: string, why: string): HoldfastError {
  const shown = address.replace(/\/\/.*@/, '//…@').replace(/\?.*/, '');
  return new HoldfastError(
    'invalid',
    'storage-address-invalid',
    `The address ${shown} does not name a place in a bucket. ${why}`,
  );
}
