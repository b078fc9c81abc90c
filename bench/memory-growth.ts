import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { BackupTool } from './backup-tool.ts';
import { writeRandomFile } from './data/data-set.ts';
import { markdownTable } from './markdown-table.ts';
import { type Measurement, measureCommand } from './measured-command.ts';

export interface GrowthSample extends Measurement {
  tool: string;
  job: 'backup' | 'restore';
  gibibytes: number;
}

const SIZES = [1, 8];

/** Whether memory grows with the input: one random file of 1 GiB and one of 8 GiB, backed up and restored once each. */
export async function measureGrowth(
  tools: readonly BackupTool[],
  workFolder: string,
  log: (line: string) => void,
): Promise<GrowthSample[]> {
  const samples: GrowthSample[] = [];
  const source = join(workFolder, 'source-growth');
  const round = join(workFolder, 'round');
  const target = join(round, 'restored');
  for (const gibibytes of SIZES) {
    mkdirSync(source, { recursive: true });
    writeRandomFile(join(source, 'random.bin'), gibibytes * 2 ** 30);
    for (const tool of tools) {
      const place = { repository: join(round, 'repository'), cache: join(round, 'cache') };
      for (const path of Object.values(place)) mkdirSync(path, { recursive: true });
      await measureCommand(tool.initialise(place), round);
      for (const job of ['backup', 'restore'] as const) {
        const command = job === 'backup' ? tool.backup(place, source) : tool.restore(place, target);
        const measurement = await measureCommand(command, round);
        samples.push({ tool: tool.name, job, gibibytes, ...measurement });
        const { seconds, peakMemoryBytes } = measurement;
        log(`${gibibytes} GiB ${job} ${tool.name}: ${seconds.toFixed(1)} s, ${(peakMemoryBytes / 1e6).toFixed(0)} MB`);
      }
      rmSync(round, { recursive: true });
    }
    rmSync(source, { recursive: true });
  }
  return samples;
}

export function growthReport(samples: readonly GrowthSample[]): string {
  const tools = [...new Set(samples.map((sample) => sample.tool))];
  const rows = (['backup', 'restore'] as const).flatMap((job) =>
    SIZES.map((gibibytes) => [
      `${job}, ${gibibytes} GiB`,
      ...tools.map((tool) => {
        const sample = samples.find((each) => each.tool === tool && each.job === job && each.gibibytes === gibibytes);
        if (sample === undefined) return '';
        return `${(sample.peakMemoryBytes / 1e6).toFixed(0)} (${sample.seconds.toFixed(1)} s)`;
      }),
    ]),
  );
  return ['### Memory as the input grows, MB', markdownTable(['job', ...tools], rows)].join('\n\n');
}
