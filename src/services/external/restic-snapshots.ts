import { type DecodedStream, decode } from './decoding/decode.ts';
import { ResticRepository } from './decoding/restic-repository.ts';
import type { DecodingKeys } from './decoding-keys.ts';
import { type FoundBackup, newestFirst, snapshotId } from './finding/found-backup.ts';
import type { ResticConfiguration } from './source-schema.ts';
import { inStep, StepFault, stepFailure } from './step-failure.ts';

export interface ResticAccess {
  /** The repository's password is among them. */
  keys: DecodingKeys;
  resolveSecret(reference: string): Promise<string>;
  signal: AbortSignal;
}

/** @throws HoldfastError `configuration-invalid` for a repository or credentials that restic is not given here */
export function requireUsableRestic({ repository, credentials }: ResticConfiguration): void {
  new ResticRepository({ repository, password: '', credentials });
}

/** The snapshots of a restic repository as backups, newest first. */
export async function findInRestic(
  configuration: ResticConfiguration,
  limit: number,
  access: ResticAccess,
): Promise<readonly FoundBackup[]> {
  const { host, tags, paths } = configuration;
  const repository = await opened(configuration, access);
  const filter = { ...(host === undefined ? {} : { host }), tags, paths };
  const found = (await repository.snapshots(filter, access.signal)).map(({ id, createdAt }) => ({
    ...{ id: snapshotId(new Date(createdAt), id), createdAt, key: id },
  }));
  return newestFirst(found).slice(0, limit);
}

/** The bytes of the configured path; what restic decrypts may still be compressed. */
export async function openInRestic(
  configuration: ResticConfiguration,
  { key }: FoundBackup,
  {
    mostBytes,
    compression,
    warn,
    ...access
  }: ResticAccess & {
    mostBytes: number | undefined;
    compression: 'auto' | 'none';
    warn(message: string): void;
  },
): Promise<DecodedStream> {
  const { signal } = access;
  const repository = await inStep('object', signal, () => opened(configuration, access));
  const dumped = ofObject(repository.dump(key, configuration.path, signal), signal);
  const options = { encryption: 'none' as const, compression, warn };
  return inStep('decoding', signal, () =>
    decode(dumped, { ...options, ...(mostBytes === undefined ? {} : { mostBytes }) }, signal),
  );
}

async function opened(
  { repository, credentials, cacheFolder }: ResticConfiguration,
  { keys, resolveSecret }: ResticAccess,
): Promise<ResticRepository> {
  const password = await keys.passphrase?.();
  if (password === undefined) throw new StepFault('unavailable', 'The repository has a password, and none is set.');
  const named = await Promise.all(
    Object.entries(credentials).map(async ([name, reference]) => [name, await resolveSecret(reference)] as const),
  );
  return new ResticRepository({
    ...{ repository, password, credentials: Object.fromEntries(named) },
    ...(cacheFolder === undefined ? {} : { cacheFolder }),
  });
}

async function* ofObject(source: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncGenerator<Uint8Array> {
  try {
    yield* source;
  } catch (error) {
    throw stepFailure('object', error, signal);
  }
}
