import { loadavg } from 'node:os';
import { type DatabaseResults, databasesReport, measureDatabases } from './variants-database.ts';
import { measureStreams, type StreamResults, streamsReport } from './variants-streams.ts';

export interface VariantResults {
  /** Of the machine in the minute before, and at the end: where it is well above 0 others worked on it, and CPU seconds tell more than seconds. */
  load: readonly [before: number, after: number];
  streams: StreamResults;
  databases: DatabaseResults;
}

/** Masked and reduced copies: what the masking of a stream costs, and a database of twenty tables beside pg_dump, psql and Greenmask. */
export async function measureVariants(options: {
  workFolder: string;
  quick: boolean;
  large: boolean;
  log: (line: string) => void;
}): Promise<VariantResults> {
  const before = loadavg()[0] ?? 0;
  const streams = await measureStreams(options);
  const databases = await measureDatabases(options);
  return { load: [before, loadavg()[0] ?? 0], streams, databases };
}

export function variantsReport({ load, streams, databases }: VariantResults): string {
  const [before, after] = load;
  return [
    `Load of the machine before: ${before.toFixed(1)}, after: ${after.toFixed(1)}.`,
    streamsReport(streams),
    databasesReport(databases),
  ].join('\n\n');
}
