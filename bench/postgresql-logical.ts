import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { rotated } from './engine-jobs.ts';
import { folderBytes } from './folder-contents.ts';
import { HoldfastCommands } from './holdfast-commands.ts';
import { type Command, type Measurement, measureCommand } from './measured-command.ts';
import type { PostgresqlCluster } from './postgresql-cluster.ts';

export interface LogicalSample extends Measurement {
  tool: string;
  job: 'first dump' | 'again, 1 % changed together' | 'again, 1 % changed all over';
  /** What it added to the repository or the folder of dumps, bytes. */
  addedBytes: number;
}

/** Dumps of a database by Holdfast, and by pg_dump with the same compression and as many threads. */
export async function measureLogical({ cluster, workFolder, rounds, log }: LogicalPlan): Promise<LogicalSample[]> {
  const dumps = join(workFolder, 'dumps');
  mkdirSync(dumps);
  const samples: LogicalSample[] = [];
  const measured = async (tool: string, command: Command, folder: string) => {
    const before = folderBytes(folder);
    const measurement = await measureCommand(command, workFolder);
    return { tool, ...measurement, addedBytes: folderBytes(folder) - before };
  };
  const measure = async (job: LogicalSample['job'], round: number, holdfast: HoldfastCommands): Promise<void> => {
    log(`dumping: ${job}, ${round} of ${rounds} …`);
    const peer = () =>
      measured('pg_dump and zstd', dumpAndCompress(cluster, join(dumps, `${samples.length}.zst`)), dumps);
    const ours = () => measured('Holdfast', holdfast.command('backup', '--resource', 'dump'), holdfast.folder);
    // Whoever comes first pays for what was not read since it was written.
    for (const tool of rotated([peer, ours], round)) samples.push({ ...(await tool()), job });
  };
  let repository = await newRepository(cluster, join(workFolder, 'logical-1'));
  for (let round = 1; round <= rounds; round++) {
    if (round > 1) repository = await newRepository(cluster, join(workFolder, `logical-${round}`));
    await measure('first dump', round, repository);
  }
  for (let round = 1; round <= rounds; round++) {
    await cluster.changeOnePercent('together', round);
    await measure('again, 1 % changed together', round, repository);
  }
  for (let round = 1; round <= rounds; round++) {
    await cluster.changeOnePercent('scattered', round);
    await measure('again, 1 % changed all over', round, repository);
  }
  return samples;
}

interface LogicalPlan {
  cluster: PostgresqlCluster;
  workFolder: string;
  rounds: number;
  log: (line: string) => void;
}

async function newRepository(cluster: PostgresqlCluster, folder: string): Promise<HoldfastCommands> {
  const holdfast = await HoldfastCommands.open(folder);
  const connection = cluster.server.connection();
  await holdfast.putResource('dump', 'postgresql', { connection, databases: [cluster.database] });
  return holdfast;
}

function dumpAndCompress(cluster: PostgresqlCluster, file: string): Command {
  const dump = cluster.tool('pg_dump');
  const script = `set -o pipefail; "${dump.program}" -Fc -Z0 ${cluster.database} | zstd -3 -T2 -q -o "${file}" && sync "${file}"`;
  return { program: 'bash', commandLine: ['-c', script], environment: dump.environment };
}
