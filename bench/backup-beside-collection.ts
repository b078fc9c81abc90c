import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { BackupTool, ToolPlace } from './backup-tool.ts';
import type { CollectionPlan } from './collection-plan.ts';
import { writeRandomFile } from './data/data-set.ts';
import { randomBlocks } from './data/random-bytes.ts';
import { openEngine, recordOf } from './engine-access.ts';
import { newPlace } from './engine-jobs.ts';
import { copyFolder, warmPageCache } from './folder-contents.ts';
import { type Command, type Measurement, measureCommand } from './measured-command.ts';

export interface BesideSample extends Measurement {
  round: number;
  /** Seconds of each collection that ran beside it, in their order; only the first one has packs to rewrite. */
  prunes: readonly number[];
}

export interface BackupBesideCollection {
  sourceBytes: number;
  /** Of content of which a collection must copy every second piece, so that no pack stays as it is. */
  sparseBytes: number;
  alone: BesideSample[];
  beside: BesideSample[];
}

const SEED = 20_261_123;
/** Of these every second one is needed: each pack is needed by half. */
const PIECE_BYTES = 4 * 2 ** 20;
const BLOCKS_IN_PIECE = PIECE_BYTES / 65_536;
/** More than any backup here waits for: a repository that is collected already takes half a second. */
const MOST_PRUNES = 200;
/** So that the collection is past its start when the backup begins. */
const HEAD_START_MILLISECONDS = 300;

/** A backup of a random file into a repository with a lot to rewrite, once alone and once while that is done, in turns. */
export async function measureBackupBesideCollection(plan: CollectionPlan): Promise<BackupBesideCollection> {
  const sourceBytes = plan.quick ? 2 ** 29 : 2 ** 30;
  const results: BackupBesideCollection = { sourceBytes, sparseBytes: sourceBytes * 3, alone: [], beside: [] };
  const tool = plan.tools.find(({ forgetEverySecond }) => forgetEverySecond === undefined);
  if (tool === undefined) return results;
  plan.log('making a repository with a lot to rewrite …');
  const source = join(plan.workFolder, 'source-beside');
  mkdirSync(source);
  writeRandomFile(join(source, 'random.bin'), sourceBytes);
  const prepared = join(plan.workFolder, 'prepared');
  await makeSparse(tool, newPlace(prepared, tool), join(prepared, tool.name), results.sparseBytes);
  for (let round = 1; round <= plan.rounds; round++) {
    for (const kind of round % 2 === 0 ? (['beside', 'alone'] as const) : (['alone', 'beside'] as const)) {
      const folder = join(plan.workFolder, 'round', tool.name);
      copyFolder(join(prepared, tool.name), folder);
      const place = { repository: join(folder, 'repository'), cache: join(folder, 'cache') };
      warmPageCache(source);
      warmPageCache(place.repository);
      const sample = await measureBackup(
        tool.backup(place, source),
        kind === 'beside' ? tool.prune(place) : undefined,
        folder,
      );
      results[kind].push({ round, ...sample });
      plan.log(
        `backup ${kind}: ${sample.seconds.toFixed(2)} s, collections of ${sample.prunes.map((each) => each.toFixed(1)).join(' + ') || 'none'}`,
      );
      rmSync(folder, { recursive: true });
    }
  }
  for (const folder of [prepared, source]) rmSync(folder, { recursive: true });
  return results;
}

/** One snapshot of everything, which is forgotten, and one of every second piece. */
async function makeSparse(tool: BackupTool, place: ToolPlace, folder: string, bytes: number): Promise<void> {
  await measureCommand(tool.initialise(place), folder);
  const { repository } = await openEngine(place.repository);
  const backUp = async (blocks: AsyncGenerator<Uint8Array>): Promise<string> => {
    const writer = await repository.beginSnapshot({ encrypt: true });
    const { length, sha256, root } = await writer.writeStream(blocks);
    const made = { type: 'full', size: length, checksum: `sha256:${sha256}`, root, serviceData: {} } as const;
    return (await writer.commit(recordOf(writer, made))).backup.id;
  };
  const everything = await backUp(pieces(bytes, 1));
  await backUp(pieces(bytes, 2));
  await repository.forgetSnapshot(everything, { trashDays: 0, reason: 'bench' });
  await repository.close();
}

async function* pieces(bytes: number, every: number): AsyncGenerator<Uint8Array> {
  let block = 0;
  for (const content of randomBlocks(bytes, SEED))
    if (Math.floor(block++ / BLOCKS_IN_PIECE) % every === 0) yield Uint8Array.from(content);
}

async function measureBackup(
  backup: Command,
  prune: Command | undefined,
  folder: string,
): Promise<Measurement & { prunes: number[] }> {
  const prunes: number[] = [];
  if (prune === undefined) return { ...(await measureCommand(backup, folder)), prunes };
  let isOver = false;
  const collecting = (async () => {
    while (!isOver && prunes.length < MOST_PRUNES) prunes.push(await timed(prune));
  })();
  await delay(HEAD_START_MILLISECONDS);
  const measurement = await measureCommand(backup, folder);
  isOver = true;
  await collecting;
  return { ...measurement, prunes };
}

/** Not measured as the others are: that waits for the disk first, which would be in the backup's way. */
async function timed({ program, commandLine, environment }: Command): Promise<number> {
  const began = performance.now();
  const child = spawn(program, commandLine, { env: { ...process.env, ...environment }, stdio: 'ignore' });
  const code = await exitCode(child);
  if (code !== 0) throw new Error(`${[program, ...commandLine].join(' ')} ended with ${code}.`);
  return (performance.now() - began) / 1000;
}

function exitCode(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', resolve);
  });
}
