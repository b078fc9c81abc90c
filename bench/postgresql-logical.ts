import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
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
export async function measureLogical(
  cluster: PostgresqlCluster,
  workFolder: string,
  log: (line: string) => void,
): Promise<LogicalSample[]> {
  const holdfast = await HoldfastCommands.open(join(workFolder, 'logical'));
  await holdfast.putResource('dump', 'postgresql', {
    connection: cluster.server.connection(),
    databases: [cluster.database],
  });
  const dumps = join(workFolder, 'dumps');
  mkdirSync(dumps);
  const samples: LogicalSample[] = [];
  const measure = async (job: LogicalSample['job'], number: number): Promise<void> => {
    log(`dumping: ${job} …`);
    // Each reads the database once before, so that neither pays for a cold page cache.
    const peer = await measured('pg_dump and zstd', dumpAndCompress(cluster, join(dumps, `${number}.zst`)), dumps);
    const ours = await measured('Holdfast', holdfast.command('backup', '--resource', 'dump'), holdfast.folder);
    samples.push({ ...peer, job }, { ...ours, job });
  };
  const measured = async (tool: string, command: Command, folder: string) => {
    const before = folderBytes(folder);
    const measurement = await measureCommand(command, workFolder);
    return { tool, ...measurement, addedBytes: folderBytes(folder) - before };
  };
  await measure('first dump', 1);
  await cluster.changeOnePercent('together');
  await measure('again, 1 % changed together', 2);
  await cluster.changeOnePercent('scattered');
  await measure('again, 1 % changed all over', 3);
  return samples;
}

function dumpAndCompress(cluster: PostgresqlCluster, file: string): Command {
  const dump = cluster.tool('pg_dump');
  const script = `set -o pipefail; "${dump.program}" -Fc -Z0 ${cluster.database} | zstd -3 -T2 -q -o "${file}" && sync "${file}"`;
  return { program: 'bash', commandLine: ['-c', script], environment: dump.environment };
}
