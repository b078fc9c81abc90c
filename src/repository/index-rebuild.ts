import { type ErrorKind, HoldfastError, messageOf } from '../core/errors.ts';
import type { CheckFinding } from '../core/ports/repository-check.ts';
import type { IndexRebuildReport } from '../core/ports/repository-repair.ts';
import type { StepProgress } from '../core/ports/step-progress.ts';
import { readCollectionState } from './collection/collection-state.ts';
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
  const session = pool.openSession({ keyring: keyring().secrets(), index: index.shared }, index.callbacks);
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
          // A fault that may pass is no damage: a pack that was not read this time must not fall out of the index.
          if (!(error instanceof HoldfastError) || !TELLING.has(error.kind)) throw error;
          // A collector removed it since the listing.
          if (error.kind === 'not-found') continue;
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
  await writeAnew(parts, listed, old);
  return { packs: listed.length, chunks: index.chunkCount, segments: index.segments.size, findings };
}

/**
 * A collector may have removed packs since they were listed. Were its last look at `index/` before these segments came, they
 * would name packs that have gone: so what was sealed is read after they are written, and taken out of them again.
 */
async function writeAnew(parts: RepositoryParts, listed: readonly ListedPack[], old: readonly string[]): Promise<void> {
  const { storage, index } = parts;
  let packs = listed;
  let replaced = old;
  for (;;) {
    const before = new Set(index.segments.keys());
    await index.add(packs.map(({ pack, frames }) => ({ ...pack, frames })));
    const written = [...index.segments.keys()].filter((name) => !before.has(name));
    // Were they back after a power cut, the next backup would rely on packs that are missing.
    for (const key of replaced) await storage.delete(key, { durable: true });
    await index.refresh();
    const { removed } = await readCollectionState(storage, parts.keyring());
    const present = new Set((await storage.list('packs/', { sizes: false })).map(({ key }) => packIdOf(key)));
    const left = packs.filter(({ pack }) => !removed.has(pack.idHex) && present.has(pack.idHex));
    if (left.length === packs.length) return;
    packs = left;
    replaced = written;
  }
}

const TELLING = new Set<ErrorKind>(['damaged', 'unsupported', 'wrong-key', 'not-found']);

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
