import { parentPort, workerData } from 'node:worker_threads';
import { WatchingProbe } from '../canary/watching-probe.ts';
import { serveBlocks } from './block-server.ts';
import { RowMasker } from './row-masker.ts';
import { seededColumns } from './seeded-columns.ts';

if (parentPort === null) throw new Error('This is the program of a worker thread.');
serveBlocks(parentPort, workerData, {
  values: (plan, columns, key, probe) => new RowMasker(plan, columns, key, probe),
  split: (plan, columns, key, excluded, allowsQuotes, probe) => {
    const seeded = seededColumns(plan, columns, key, excluded, allowsQuotes);
    const leftOut = new Set(seeded.map(({ index }) => index));
    return { seeded, others: new RowMasker(plan, columns, key, probe, leftOut) };
  },
  canary: (plan, columns, { canary }) =>
    canary && new WatchingProbe(canary.memory, canary.detectors, { plan, columns }),
});
