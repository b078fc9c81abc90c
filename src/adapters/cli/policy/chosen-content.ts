import type { DownloadFormat } from '../../../core/download-format.ts';
import { HoldfastError } from '../../../core/errors.ts';
import type { VariantContent } from '../../../core/ports/variant-maker.ts';
import type { CommandSession } from '../command-session.ts';

/** Which backup of a resource a command means, and as what. */
export interface ContentOptions {
  backup?: string;
  format?: DownloadFormat;
  database?: string;
}

export interface ChosenContent {
  content: VariantContent;
  /** Those before it, newest first. */
  earlier: AsyncIterable<VariantContent>;
}

/** @throws HoldfastError `snapshot-not-found` (not-found) */
export async function chosenContent(
  session: CommandSession,
  resourceId: string,
  { backup, format, database }: ContentOptions,
): Promise<ChosenContent> {
  const { variants } = await session.application();
  const contents = variants.contents(
    {
      resourceId,
      ...(backup === undefined ? {} : { snapshotId: backup }),
      ...(format === undefined ? {} : { format }),
      ...(database === undefined ? {} : { database }),
    },
    session.signal,
  );
  const others = contents[Symbol.asyncIterator]();
  const first = await others.next();
  if (first.done === true) throw missing(resourceId, backup);
  if (first.value.format === 'bytes' && format === undefined)
    session.output.note('The backup is taken as plain bytes. Where it is a dump of a database, say so: --format sql.');
  return { content: first.value, earlier: restOf(others) };
}

async function* restOf(others: AsyncIterator<VariantContent>): AsyncGenerator<VariantContent> {
  try {
    for (;;) {
      const { done, value } = await others.next();
      if (done === true) return;
      yield value;
    }
  } finally {
    await others.return?.();
  }
}

function missing(resourceId: string, backup: string | undefined): HoldfastError {
  const what = backup === undefined ? 'no complete backup' : `no complete backup ${backup}`;
  const message = `There is ${what} of ${resourceId} of which variants can be made. "holdfast list --resource ${resourceId}" shows those that exist.`;
  return new HoldfastError('not-found', 'snapshot-not-found', message);
}
