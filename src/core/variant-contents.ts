import { declaredVariants } from './declared-variants.ts';
import { DownloadMaterials } from './download-materials.ts';
import { DownloadableSnapshots, type FoundSnapshot } from './downloadable-snapshots.ts';
import type { ManagerContext } from './manager-context.ts';
import type { VariantContent } from './ports/variant-maker.ts';
import type { VariantContentRequest } from './variant.ts';
import { variantFormat, variantFormats } from './variant-formats.ts';
import { variantContent } from './variant-production.ts';

/** What `VariantManager.contents` promises. */
export async function* variantContents(
  context: ManagerContext,
  request: VariantContentRequest,
  signal: AbortSignal,
): AsyncGenerator<VariantContent> {
  const materials = new DownloadMaterials(context);
  const { database } = request;
  const isOfTables = (await declaredVariants(context, request.resourceId)).some((each) => each.isOfTables === true);
  const declared = isOfTables ? { isOfTables } : {};
  let wanted = request.format;
  for await (const snapshot of chosenSnapshots(context, request, signal)) {
    // Only of the first it is a fault that it cannot be had as that.
    if (wanted !== undefined && wanted !== request.format && !variantFormats(snapshot, declared).includes(wanted))
      continue;
    wanted ??= variantFormat(snapshot, declared, undefined);
    const format = variantFormat(snapshot, declared, wanted);
    const order = { snapshot, format, ...(database === undefined ? {} : { database }) };
    yield withoutTrace(variantContent(context, materials, order));
  }
}

async function* chosenSnapshots(
  context: ManagerContext,
  { resourceId, snapshotId }: VariantContentRequest,
  signal: AbortSignal,
): AsyncGenerator<FoundSnapshot> {
  const snapshots = new DownloadableSnapshots(context);
  if (snapshotId === undefined) {
    yield* snapshots.newestFirst({ resourceId }, signal);
    return;
  }
  const found = await snapshots.get(resourceId, snapshotId, signal);
  if (found === undefined) return;
  yield found;
  const { id, createdAt } = found;
  yield* snapshots.newestFirst({ resourceId, before: { id, createdAt } }, signal);
}

/** What was kept is read; nothing is kept. */
function withoutTrace({ sidecars, ...content }: VariantContent): VariantContent {
  if (sidecars === undefined) return content;
  return {
    ...content,
    sidecars: { read: (name, signal) => sidecars.read(name, signal), write: async () => undefined },
  };
}
