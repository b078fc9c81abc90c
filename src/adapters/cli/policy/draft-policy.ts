import path from 'node:path';
import { makeFolders } from '../../../process/make-folders.ts';
import type { CommandSession } from '../command-session.ts';
import { usageError } from '../exit-codes.ts';
import { writeContent } from '../write-content.ts';
import { type ContentOptions, chosenContent } from './chosen-content.ts';

export interface InitOptions extends ContentOptions {
  output?: string;
  force?: boolean;
  key: string;
  sampleRows: number;
}

export async function draftPolicy(session: CommandSession, resourceId: string, options: InitOptions): Promise<void> {
  const { output, force = false, key, sampleRows: sampledRows } = options;
  if (force && output === undefined) throw usageError('force-without-output', '--force is for --output FILE.');
  const workshop = await session.composition.policyWorkshop(await session.configuration());
  const { content } = await chosenContent(session, resourceId, options);
  const { snapshotId } = content;
  session.deed = {
    action: 'masking-policy.draft',
    subject: resourceId,
    details: { snapshotId, sampledRows },
  };
  const text = await workshop.draft(content, { key, sampledRows }, session.signal);
  if (output === undefined) {
    if (session.output.options.json) session.output.result({ snapshotId, policy: text }, () => []);
    else await session.output.writePart(text);
    return;
  }
  const bytes = Buffer.from(text);
  const file = path.resolve(output);
  // The first policy of all is written into a folder that is not there yet.
  makeFolders(path.dirname(file), { mode: 0o777 });
  await writeContent(once(bytes), file, bytes.length, session, force ? 'overwrite' : 'fail', '--force');
  session.output.result({ snapshotId, file }, () => [
    `Wrote ${file}, by ${snapshotId}. Read each line: what is marked "review" nothing was found in.`,
  ]);
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
