import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { type BackupBesideCollection, measureBackupBesideCollection } from './backup-beside-collection.ts';
import type { BackupTool, ToolPlace } from './backup-tool.ts';
import type { CollectionPlan } from './collection-plan.ts';
import { ChangingFiles } from './data/changing-files.ts';
import { newPlace, rotated } from './engine-jobs.ts';
import { copyFolder, folderBytes, warmPageCache } from './folder-contents.ts';
import { type LargeIndexSample, measureLargeIndexes } from './large-index.ts';
import { type Measurement, measureCommand } from './measured-command.ts';
import { beginHistory } from './snapshot-history.ts';

export interface PruneSample extends Measurement {
  tool: string;
  round: number;
  /** Of the whole repository. */
  bytesBefore: number;
  bytesAfter: number;
}

export interface CollectionResults {
  history: { snapshots: number; files: number; bytes: number };
  prunes: PruneSample[];
  beside: BackupBesideCollection;
  largeIndexes: LargeIndexSample[];
}

/** Collections of half of many snapshots, backups beside a collection, and all that depends on the length of the index. */
export async function measureCollection(plan: CollectionPlan): Promise<CollectionResults> {
  const history = plan.quick ? { snapshots: 40, files: 3000 } : { snapshots: 200, files: 10_000 };
  const pruned = await measurePrunes(plan, history);
  const beside = await measureBackupBesideCollection(plan);
  const largeIndexes = await measureLargeIndexes(plan);
  return { ...pruned, beside, largeIndexes };
}

async function measurePrunes(
  plan: CollectionPlan,
  { snapshots, files }: { snapshots: number; files: number },
): Promise<Pick<CollectionResults, 'history' | 'prunes'>> {
  const prepared = join(plan.workFolder, 'prepared');
  const source = new ChangingFiles(join(plan.workFolder, 'source-history'), files);
  const places = new Map(plan.tools.map((tool) => [tool, newPlace(prepared, tool)]));
  await makeHistories(plan, prepared, places, source, snapshots);
  const prunes: PruneSample[] = [];
  for (let round = 1; round <= plan.rounds; round++)
    for (const tool of rotated(plan.tools, round)) prunes.push(await measurePrune(plan, prepared, tool, round));
  rmSync(prepared, { recursive: true });
  rmSync(source.folder, { recursive: true });
  return { history: { snapshots, files, bytes: source.bytes }, prunes };
}

async function makeHistories(
  { tools, log }: CollectionPlan,
  prepared: string,
  places: ReadonlyMap<BackupTool, ToolPlace>,
  source: ChangingFiles,
  snapshots: number,
): Promise<void> {
  const histories = [];
  for (const tool of tools)
    histories.push(await beginHistory(tool, places.get(tool) as ToolPlace, join(prepared, tool.name)));
  log(`making ${snapshots} backups with each tool …`);
  for (let index = 0; index < snapshots; index++) {
    if (index > 0) source.change();
    for (const history of histories) await history.backUp(source.folder);
  }
  for (const history of histories) await history.forgetEverySecond();
}

/** On a copy that takes the place of the one before: what a tool remembers of a path must hold. */
async function measurePrune(
  { workFolder, log }: CollectionPlan,
  prepared: string,
  tool: BackupTool,
  round: number,
): Promise<PruneSample> {
  const folder = join(workFolder, 'round', tool.name);
  copyFolder(join(prepared, tool.name), folder);
  const place = { repository: join(folder, 'repository'), cache: join(folder, 'cache') };
  warmPageCache(folder);
  const bytesBefore = folderBytes(place.repository);
  const measurement = await measureCommand(tool.prune(place), folder);
  const bytesAfter = folderBytes(place.repository);
  const { seconds, peakMemoryBytes } = measurement;
  log(
    `prune ${tool.name.padEnd(9)}${seconds.toFixed(2).padStart(8)} s${(peakMemoryBytes / 1e6).toFixed(0).padStart(6)} MB, ` +
      `${(bytesBefore / 1e6).toFixed(0)} MB to ${(bytesAfter / 1e6).toFixed(0)} MB`,
  );
  // A tool that is fast because it took too much away would win.
  if (round === 1) await measureCommand(tool.verify(place), folder);
  rmSync(folder, { recursive: true });
  return { tool: tool.name, round, bytesBefore, bytesAfter, ...measurement };
}
