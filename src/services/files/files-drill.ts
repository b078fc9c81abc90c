import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { HoldfastError } from '../../core/errors.ts';
import type { SnapshotReader } from '../../core/ports/repository.ts';
import type { RestoreContext } from '../../core/ports/service.ts';
import type { DrillContext, DrillFinding, DrillOutcome } from '../../core/ports/service-drill.ts';
import { toByteString } from './byte-path.ts';
import {
  addComparison,
  addDifference,
  type ComparisonResult,
  type Differences,
  emptyComparison,
} from './comparison-result.ts';
import type { ComparisonTask, ComparisonTaskOptions } from './comparison-task.ts';
import { expectedOfFile, type FilesAssertion, judgeFile } from './files-assertions.ts';
import { restoreFiles } from './restore.ts';
import { RestoreTarget, type RestoreTargetOptions } from './restore-target.ts';
import type { FilesSizes } from './sizes.ts';
import { StopFlag } from './stop-flag.ts';

const TASK_MODULE = new URL('./comparison-task.ts', import.meta.url).href;
const PAGES_IN_A_TASK = 8;
/** What a file system needs for an entry beside its bytes, about. */
const BYTES_OF_AN_ENTRY = 4096;
const SLASH = Buffer.from('/');

/**
 * Restores a tree into the drill's folder and compares every entry there with the tree: names, types, sizes, every byte, modes,
 * times, links, and as root owners. What is compared is read from the repository once more, verified chunk by chunk.
 */
export async function drillFiles(context: DrillContext, sizes: FilesSizes): Promise<DrillOutcome> {
  const reader = context.chain.at(-1)?.reader;
  if (reader === undefined)
    throw new HoldfastError('internal', 'chain-empty', 'A drill was begun without a backup to restore.');
  const { root } = reader.record;
  const entries = root.kind === 'tree' ? root.entries : 0;
  await context.requireRoom(context.backup.size + entries * BYTES_OF_AN_ENTRY);
  const target = path.join(context.folder, 'tree');
  const warnings = await restore(context, target, entries, sizes);
  const place = placeOf(target, reader);
  const result = await compareAndKeep(context, { reader, place, entries, warnings });
  const restoreTarget = new RestoreTarget(place);
  // Each assertion came through the service's own schema.
  for (const assertion of context.assertions as readonly FilesAssertion[])
    await context.checks.make(
      {
        name: 'assertion',
        kind: 'assertion',
        description: assertion.name ?? 'The file is what is asserted',
        subject: assertion.path,
        expected: expectedOfFile(assertion),
      },
      () => judgeFile(assertion, restoreTarget, context.signal),
    );
  return { restoredBytes: result.bytes, software: {} };
}

function placeOf(target: string, reader: SnapshotReader): RestoreTargetOptions {
  const { commonParent } = reader.record.serviceData;
  const strip = typeof commonParent === 'string' ? toByteString(commonParent) : '';
  return { folder: toByteString(target), strip, trusted: [] };
}

/** @returns how often the restore warned of something that could not be given again here */
async function restore(context: DrillContext, target: string, entries: number, sizes: FilesSizes): Promise<number> {
  const { backup, chain, checks, signal, report } = context;
  let warnings = 0;
  const order: RestoreContext = {
    backup,
    chain,
    options: { target },
    signal,
    report: ({ percent, ...progress }) => report({ ...progress, percent: Math.floor(percent / 2) }),
    warn: (message) => {
      warnings++;
      context.warn(message);
    },
  };
  await checks.make(
    {
      name: 'restored',
      kind: 'integrity',
      description: 'The whole tree is restored into an empty folder',
      expected: `${entries} entries`,
    },
    async () => {
      const { report: told } = await restoreFiles(order, sizes).catch(refuseEscape);
      context.dataReady();
      const { files, directories, other } = told as Record<string, number>;
      return { outcome: 'passed', found: `${files} files, ${directories} folders, ${other} others` };
    },
  );
  return warnings;
}

async function compare(
  { signal, report }: DrillContext,
  reader: SnapshotReader,
  place: RestoreTargetOptions,
): Promise<ComparisonResult> {
  const stop = new StopFlag();
  const stopWorkers = () => stop.stop();
  signal.addEventListener('abort', stopWorkers);
  const options: ComparisonTaskOptions = { ...place, owner: process.geteuid?.() === 0, stop: stop.shared };
  const runner = reader.tasks<ComparisonTask, ComparisonResult>({ module: TASK_MODULE, options: { ...options } });
  const sum = emptyComparison();
  const running = new Set<Promise<void>>();
  let failure: unknown;
  try {
    const pages = (await reader.pages()).map(({ page }) => page);
    for (let at = 0; at < pages.length; at += PAGES_IN_A_TASK) {
      signal.throwIfAborted();
      if (failure !== undefined) throw failure;
      const task = runner
        .run({ pages: pages.slice(at, at + PAGES_IN_A_TASK) })
        .then((part) => {
          addComparison(sum, part);
          report({ percent: 50 + Math.floor((49 * at) / pages.length), phase: 'comparing', doneFiles: sum.files });
        })
        .catch((error: unknown) => {
          failure ??= error;
        });
      running.add(task);
      void task.finally(() => running.delete(task));
      while (running.size >= reader.concurrency * 2) await Promise.race(running);
    }
  } finally {
    if (failure !== undefined) stopWorkers();
    await Promise.all(running);
    signal.removeEventListener('abort', stopWorkers);
  }
  signal.throwIfAborted();
  if (failure !== undefined) throw failure;
  compareLinks(sum);
  await lookForOthers(place.folder, sum);
  return sum;
}

/** Names that were of one file must be again, and of no other. */
function compareLinks(result: ComparisonResult): void {
  const files = new Map<string, string>();
  for (const { path: name, group, file } of result.links) {
    const first = files.get(group);
    files.set(group, first ?? file);
    if (first !== undefined && first !== file)
      addDifference(result, 'attributes', `/${Buffer.from(name, 'latin1').toString()} is a file of its own`);
  }
}

/** What the tree does not have must not be there either. */
async function lookForOthers(folder: string, result: ComparisonResult): Promise<void> {
  let there = 0;
  const folders = [Buffer.from(folder, 'latin1')];
  for (let next = folders.pop(); next !== undefined; next = folders.pop())
    for (const entry of await readdir(next, { withFileTypes: true, encoding: 'buffer' })) {
      there++;
      if (entry.isDirectory()) folders.push(Buffer.concat([next, SLASH, entry.name]));
    }
  const others = there - result.found;
  if (others > 0) addDifference(result, 'entries', `${others} names are there that the backup does not have`);
}

/** In a folder that was empty, a path can only leave because the tree itself is made so. */
function refuseEscape(error: unknown): never {
  if (!(error instanceof HoldfastError) || error.code !== 'path-escapes-target') throw error;
  const { code, message, details } = error;
  throw new HoldfastError('damaged', code, message, { cause: error, details });
}

async function compareAndKeep(
  context: DrillContext,
  given: { reader: SnapshotReader; place: RestoreTargetOptions; entries: number; warnings: number },
): Promise<ComparisonResult> {
  const { checks } = context;
  const { reader, place, entries, warnings } = given;
  const judge = ({ count, told }: Differences, text: string, isThere: boolean): DrillFinding => {
    if (count > 0) return { outcome: 'failed', found: `${count} differ: ${told[0]}`, details: told };
    return { outcome: isThere ? 'passed' : 'not-applicable', found: text };
  };
  let result = emptyComparison();
  await checks.make(
    {
      name: 'content',
      kind: 'content',
      description: 'Every byte of every file equals what the repository holds, chunk by chunk',
      expected: 'no difference',
    },
    async () => {
      result = await compare(context, reader, place);
      const { files, bytes } = result;
      return judge(result.differences.content, `${files} files, ${bytes} bytes compared`, files > 0);
    },
  );
  const { entries: compared, found, differences } = result;
  await checks.make(
    {
      name: 'entries',
      kind: 'content',
      description: 'Every file, folder and link of the tree is there, and nothing else',
      expected: `${entries} entries`,
    },
    () => {
      const isWhole = compared === entries;
      if (!isWhole) return { outcome: 'failed', found: `${compared} entries in the tree` };
      return judge(differences.entries, `${found} entries`, entries > 0);
    },
  );
  await checks.make(
    {
      name: 'metadata',
      kind: 'content',
      description: 'Modes and times (to the nanosecond) are those that were backed up',
      expected: 'no difference',
    },
    () => judge(differences.metadata, `${found} entries compared`, found > 0),
  );
  await checks.make(
    {
      name: 'attributes',
      kind: 'content',
      description: 'Owners (for root), hard links and extended attributes are those that were backed up',
      expected: 'no difference',
    },
    () => {
      const { count, told } = differences.attributes;
      if (count === 0 || warnings === 0) return judge(differences.attributes, `${found} entries compared`, found > 0);
      const cannot = `${count} could not be given again here, of which the restore warned`;
      return { outcome: 'not-applicable', found: cannot, details: told };
    },
  );
  return result;
}
