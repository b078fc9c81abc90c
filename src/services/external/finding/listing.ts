import path from 'node:path/posix';
import ignore from 'ignore';
import { messageOf } from '../../../core/errors.ts';
import type { ObjectSource } from '../../../core/ports/object-source.ts';
import type { ListingConfiguration } from '../source-schema.ts';
import { StepFault } from '../step-failure.ts';
import { type FoundBackup, newestFirst, snapshotId } from './found-backup.ts';
import { NamePattern } from './name-pattern.ts';

/** Names that tools give to what they have not finished. */
const UNFINISHED = ['.*', '*~', '*.tmp', '*.temp', '*.part', '*.partial', '*.crdownload', '*.filepart', '*.inprogress'];
const MOST_OBJECTS = 1_000_000;

/**
 * Backups by the names of their objects, newest first. One that lies in several folders of a retained set (the same name, time and
 * size) is one backup, found where the first of the patterns that matches it looks.
 *
 * @throws StepFault
 */
export async function findByListing(
  { prefix, patterns, timeZone, ignore: ignored, minimumAgeSeconds }: ListingConfiguration,
  { source, limit, now, signal }: { source: ObjectSource; limit: number; now: Date; signal: AbortSignal },
): Promise<readonly FoundBackup[]> {
  const names = patterns.map((pattern) => new NamePattern(pattern, timeZone));
  const unwanted = ignore().add([...UNFINISHED, ...ignored]);
  const newestWanted = now.getTime() - minimumAgeSeconds * 1000;
  const found = new Map<string, FoundBackup & { rank: number }>();
  try {
    let looked = 0;
    for await (const { key, size, modifiedAt } of source.list(prefix, signal)) {
      if (++looked > MOST_OBJECTS)
        throw new StepFault('unsupported', `There are more than ${MOST_OBJECTS} objects. Name a longer \`prefix\`.`);
      const name = key.slice(prefix.length);
      if (!isPlain(name) || unwanted.ignores(name) || modifiedAt.getTime() > newestWanted) continue;
      for (const [rank, pattern] of names.entries()) {
        const match = pattern.match(name);
        if (match === false) continue;
        const createdAt = match.time ?? modifiedAt;
        const id = snapshotId(createdAt, `${path.basename(key)} ${size}`);
        const known = found.get(id);
        if (known === undefined || rank < known.rank || (rank === known.rank && key < known.key))
          found.set(id, { id, createdAt: createdAt.toISOString(), storedSize: size, key, rank });
        break;
      }
    }
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof StepFault) throw error;
    throw new StepFault('unavailable', `${source.location} could not be listed: ${messageOf(error)}`, { cause: error });
  }
  return newestFirst([...found.values()].map(({ rank: _rank, ...each }) => each)).slice(0, limit);
}

/** What `ignore` takes, and what is a name of a file at all. */
function isPlain(name: string): boolean {
  return name !== '' && !name.endsWith('/') && ignore.isPathValid(name);
}
