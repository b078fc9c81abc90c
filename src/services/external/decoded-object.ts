import type { ObjectSource } from '../../core/ports/object-source.ts';
import type { ExternalConfiguration } from './configuration.ts';
import { type DecodedStream, decode } from './decoding/decode.ts';
import type { DecodingKeys } from './decoding-keys.ts';
import type { FoundBackup } from './finding/found-backup.ts';
import { readWholeObject } from './objects/whole-object.ts';
import { stepFailure } from './step-failure.ts';

/**
 * The plain bytes of a backup in a bucket or folder. Every fault says which step it is of; an end without one means that every step
 * ended well.
 */
export async function openDecodedObject(
  source: ObjectSource,
  found: FoundBackup,
  {
    configuration,
    keys,
    signal,
    warn,
  }: {
    configuration: ExternalConfiguration;
    keys: DecodingKeys;
    signal: AbortSignal;
    warn(message: string): void;
  },
): Promise<DecodedStream> {
  const { key, storedSize } = found;
  const stored = ofStep('object', readWholeObject(source, key, { expected: storedSize, signal }), signal);
  const { encryption, compression, openssl, mostBytes } = configuration;
  const options = { encryption, compression, ...keys, warn };
  try {
    return await decode(
      stored,
      {
        ...options,
        ...(openssl === undefined ? {} : { openssl }),
        ...(mostBytes === undefined ? {} : { mostBytes }),
      },
      signal,
    );
  } catch (error) {
    throw stepFailure('decoding', error, signal);
  }
}

async function* ofStep(
  step: 'object',
  source: AsyncIterable<Uint8Array>,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  try {
    yield* source;
  } catch (error) {
    throw stepFailure(step, error, signal);
  }
}
