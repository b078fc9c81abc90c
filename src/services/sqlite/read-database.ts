import { createHash } from 'node:crypto';
import { HoldfastError } from '../../core/errors.ts';
import type { ContentDamage } from '../../core/ports/repository.ts';
import type { ChainLink } from '../../core/ports/service.ts';

/**
 * The bytes of a database file, verified to the end.
 * @param options `onDamage`: give zeros for what is lost, and tell of it
 * @throws HoldfastError `checksum-differs` (damaged) instead of a normal end, unless damage was allowed and told of
 */
export async function* readDatabase(
  chain: readonly ChainLink[],
  signal: AbortSignal,
  { onDamage }: { onDamage?: (damage: ContentDamage) => void } = {},
): AsyncGenerator<Uint8Array> {
  const link = chain.at(-1);
  if (link === undefined) throw new HoldfastError('internal', 'chain-empty', 'No snapshot was given to read from.');
  const { backup, reader } = link;
  const hash = createHash('sha256');
  let isDamaged = false;
  const tell = (damage: ContentDamage): void => {
    isDamaged = true;
    onDamage?.(damage);
  };
  for await (const bytes of reader.read(undefined, undefined, onDamage === undefined ? {} : { onDamage: tell })) {
    if (signal.aborted) throw new HoldfastError('cancelled', 'operation-cancelled', 'The operation was cancelled.');
    hash.update(bytes);
    yield bytes;
  }
  const found = `sha256:${hash.digest('hex')}`;
  if (found === backup.checksum || isDamaged) return;
  throw new HoldfastError(
    'damaged',
    'checksum-differs',
    `The bytes of backup ${backup.id} differ from what was backed up (checksum ${found} instead of ${backup.checksum}). Do not use them; restore an earlier backup, and verify the repository.`,
    { details: { backupId: backup.id, expected: backup.checksum, found } },
  );
}
