import { HoldfastError, messageOf } from '../core/errors.ts';
import type { CheckFinding, IndexRebuildReport, StepProgress } from '../core/ports/repository.ts';
import { packIdOf } from './pack-format.ts';
import type { ListedPack } from './pipeline/engine-tasks.ts';
import { ENGINE_MODULE } from './pipeline/messages.ts';
import type { RepositoryParts } from './repository-parts.ts';

/**
 * Writes index segments for all packs from their footers, or from their frames where a footer is lost, and then removes the
 * segments that were there before. New segments are durable before old ones go: the index never leads the storage, nor does
 * it lag behind for a moment.
 */
export async function rebuildIndex(
  parts: RepositoryParts,
  options: { signal?: AbortSignal; report?: (progress: StepProgress) => void },
): Promise<IndexRebuildReport> {
  const { storage, index, pool, keyring } = parts;
  const old = (await storage.list('index/', { sizes: false })).map((object) => object.key);
  const packs = (await storage.list('packs/')).filter((object) => packIdOf(object.key) !== undefined);
  const findings: CheckFinding[] = [];
  const listed: ListedPack[] = [];
  const session = pool.openSession(
    { keyring: keyring().secrets(), index: index.shared },
    { packOf: (number) => index.pack(number) },
  );
  try {
    const queue = packs.values();
    const lanes = Array.from({ length: pool.size * 2 }, async () => {
      for (const { key } of queue) {
        options.signal?.throwIfAborted();
        try {
          const pack = (await session.run(ENGINE_MODULE, {}, { kind: 'list-pack', key })) as ListedPack;
          listed.push(pack);
          if (pack.scanned) findings.push(footerLost(key, pack));
        } catch (error) {
          if (!(error instanceof HoldfastError) || error.kind === 'cancelled') throw error;
          findings.push({
            severity: error.kind === 'unsupported' ? 'unsupported' : 'damage',
            code: error.code,
            object: key,
            message: messageOf(error),
          });
        }
        options.report?.({ phase: 'packs', done: listed.length, total: packs.length });
      }
    });
    await Promise.all(lanes);
  } finally {
    await session.close(false);
  }
  if (findings.some((finding) => finding.severity === 'unsupported')) {
    throw new HoldfastError(
      'unsupported',
      'format-newer',
      'Some packs were written by a newer Holdfast. The index was left as it is: rebuild it with that version.',
      { details: { findings } },
    );
  }
  index.clear();
  await index.add(listed.map(({ pack, frames }) => ({ ...pack, frames })));
  for (const key of old) if (!index.segmentNames.has(key)) await storage.delete(key);
  return { packs: listed.length, chunks: index.chunkCount, segments: index.segmentNames.size, findings };
}

function footerLost(key: string, pack: ListedPack): CheckFinding {
  const found = `${pack.frames.length} frames were found one by one`;
  return {
    severity: 'damage',
    code: 'pack-footer-lost',
    object: key,
    message: pack.complete
      ? `${key} has lost its footer; ${found}, and none is missing before it.`
      : `${key} has lost its footer; ${found} up to a damaged place.`,
  };
}
