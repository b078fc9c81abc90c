import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DownloadMaterials } from './download-materials.ts';
import type { FoundSnapshot } from './downloadable-snapshots.ts';
import type { ManagerContext } from './manager-context.ts';
import type { ExternalSnapshots } from './ports/external-snapshots.ts';

test('what another tool keeps ends when it is closed, though nobody read it and nothing was cancelled', async () => {
  const signals: AbortSignal[] = [];
  const externalSnapshots: Pick<ExternalSnapshots, 'open'> = {
    open: async (_resource, _snapshot, { signal }) => {
      signals.push(signal);
      return {
        format: 'bytes',
        mediaType: 'x/y',
        fileExtension: '.bin',
        isReproducible: true,
        acceptsRanges: false,
      } as never;
    },
  };
  const services = { get: () => ({ externalSnapshots }) };
  const materials = new DownloadMaterials({ services } as unknown as ManagerContext);
  const snapshot = { id: 'one', resourceId: 'shop', external: { id: 'one' }, resource: { service: 'external' } };
  const opened = await materials.open(
    snapshot as unknown as FoundSnapshot,
    { format: 'bytes' },
    new AbortController().signal,
  );
  assert.deepEqual(
    signals.map(({ aborted }) => aborted),
    [false],
  );
  await opened.close();
  await opened.close();
  assert.deepEqual(
    signals.map(({ aborted }) => aborted),
    [true],
  );
});
