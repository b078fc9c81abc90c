import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { rotated } from './engine-jobs.ts';
import { folderBytes } from './folder-contents.ts';
import { HoldfastCommands } from './holdfast-commands.ts';
import { type Command, type Measurement, measureCommand } from './measured-command.ts';
import type { PostgresqlCluster } from './postgresql-cluster.ts';

type Job = 'first dump' | 'again, 1 % changed together' | 'again, 1 % changed all over';
const WAYS = ['TCP', 'socket'] as const;
/** How the server is connected to, all within one machine. */
type Way = (typeof WAYS)[number];

export interface LogicalSample extends Measurement {
  tool: string;
  job: `${Job}, by ${Way}`;
  /** What it added to the repository or the folder of dumps, bytes. */
  addedBytes: number;
}

/** Dumps of a database by Holdfast, and by pg_dump with the same compression and as many threads. */
export async function measureLogical(plan: LogicalPlan): Promise<LogicalSample[]> {
  const samples: LogicalSample[] = [];
  const benches = new Map<Way, DumpBench>();
  const measure = async (job: Job, round: number): Promise<void> => {
    for (const way of rotated(WAYS, round)) {
      plan.log(`dumping: ${job}, by ${way}, ${round} of ${plan.rounds} …`);
      const bench = benches.get(way);
      if (bench !== undefined) samples.push(...(await bench.measure(job, round)));
    }
  };
  for (let round = 1; round <= plan.rounds; round++) {
    for (const way of WAYS) benches.set(way, await DumpBench.open(plan, way, join(plan.workFolder, `${way}-${round}`)));
    await measure('first dump', round);
  }
  for (let round = 1; round <= plan.rounds; round++) {
    await plan.cluster.changeOnePercent('together', round);
    await measure('again, 1 % changed together', round);
  }
  for (let round = 1; round <= plan.rounds; round++) {
    await plan.cluster.changeOnePercent('scattered', round);
    await measure('again, 1 % changed all over', round);
  }
  return samples;
}

interface LogicalPlan {
  cluster: PostgresqlCluster;
  workFolder: string;
  rounds: number;
  log: (line: string) => void;
}

/** A repository, and a folder of dumps of the peer. */
class DumpBench {
  readonly #plan: LogicalPlan;
  readonly #way: Way;
  readonly #holdfast: HoldfastCommands;
  readonly #dumps: string;
  #dumped = 0;

  private constructor(plan: LogicalPlan, way: Way, holdfast: HoldfastCommands, dumps: string) {
    this.#plan = plan;
    this.#way = way;
    this.#holdfast = holdfast;
    this.#dumps = dumps;
  }

  static async open(plan: LogicalPlan, way: Way, folder: string): Promise<DumpBench> {
    const { server, database } = plan.cluster;
    const holdfast = await HoldfastCommands.open(folder);
    const { socket, ...rest } = server.connection();
    const connection = way === 'TCP' ? { ...rest, host: LOOPBACK } : { ...rest, socket };
    await holdfast.putResource('dump', 'postgresql', { connection, databases: [database] });
    const dumps = `${folder}-dumps`;
    mkdirSync(dumps);
    return new DumpBench(plan, way, holdfast, dumps);
  }

  async measure(job: Job, round: number): Promise<LogicalSample[]> {
    const peer = () => this.#measured('pg_dump and zstd', this.#dumpAndCompress(), this.#dumps);
    const ours = () =>
      this.#measured('Holdfast', this.#holdfast.command('backup', '--resource', 'dump'), this.#holdfast.folder);
    const samples: LogicalSample[] = [];
    // Whoever comes first pays for what was not read since it was written.
    for (const tool of rotated([peer, ours], round))
      samples.push({ ...(await tool()), job: `${job}, by ${this.#way}` });
    return samples;
  }

  async #measured(tool: string, command: Command, folder: string) {
    const before = folderBytes(folder);
    const measurement = await measureCommand(command, this.#plan.workFolder);
    return { tool, ...measurement, addedBytes: folderBytes(folder) - before };
  }

  #dumpAndCompress(): Command {
    const { cluster } = this.#plan;
    const { program, environment } = cluster.tool('pg_dump');
    const file = join(this.#dumps, `${++this.#dumped}.zst`);
    const script = `set -o pipefail; "${program}" -Fc -Z0 ${cluster.database} | zstd -3 -T2 -q -o "${file}" && sync "${file}"`;
    const place = this.#way === 'TCP' ? { ...environment, PGHOST: LOOPBACK, PGSSLMODE: 'disable' } : environment;
    return { program: 'bash', commandLine: ['-c', script], environment: place };
  }
}

const LOOPBACK = '127.0.0.1';
