import { HoldfastError } from '../../core/errors.ts';
import type { DownloadMaterial } from '../../core/ports/service-download.ts';
import type { VariantContent } from '../../core/ports/variant-maker.ts';
import type { ContentDialect } from '../content/content-schema.ts';
import type { RowPlaces } from '../content/row-places.ts';
import { ARCHIVE_NOT_UNDERSTOOD } from '../content/table-content.ts';
import { tableContent } from '../content/table-contents.ts';
import type { RowSelection } from '../masking/row-selection.ts';
import { chooseInThread } from '../subset/choosing-thread.ts';
import { factsFingerprint, keysFingerprint } from '../subset/index-fingerprints.ts';
import type { GatheredIndex } from '../subset/key-index-builder.ts';
import { INDEX_VERSION, keyIndexBytes, readKeyIndex, readRowFacts, rowFactsBytes } from '../subset/key-index-file.ts';
import { buildKeyIndex } from '../subset/key-index-thread.ts';
import type { SubsetPlan } from '../subset/subset-plan.ts';
import { withContent } from './content-reading.ts';
import { keptFacts } from './kept-facts.ts';

interface IndexOptions {
  dialect: ContentDialect;
  plan: SubsetPlan;
  signal: AbortSignal;
}

/**
 * The rows of a reduced variant. Reads the content's keys, unless they were kept when somebody last read them.
 * @returns `places`: where rows stand in the content's archive, where it has one that was understood
 */
export async function chosenRows(
  content: VariantContent,
  options: IndexOptions,
): Promise<{ selection: RowSelection; places: RowPlaces | undefined }> {
  const { keys, facts } = await subsetIndex(content, options);
  // Nothing is chosen by it, and the memory of what is goes to a thread.
  const { places, ...rest } = keys;
  return { selection: await chooseInThread(options.plan, { keys: rest, facts }, options.signal), places };
}

/** What of the index was kept, and the rest of it in one pass over the content, which is then kept as well. */
export async function subsetIndex(content: VariantContent, options: IndexOptions): Promise<Required<GatheredIndex>> {
  const { plan, signal } = options;
  const names = {
    keys: `keys-${INDEX_VERSION}-${keysFingerprint(plan).slice(0, 32)}`,
    facts: `rows-${INDEX_VERSION}-${factsFingerprint(plan).slice(0, 32)}`,
  };
  const facts = await keptFacts(content, names.facts, signal, readRowFacts);
  const keys = await keptFacts(content, names.keys, signal, readKeyIndex);
  if (keys !== undefined && facts !== undefined) return { keys, facts };
  const parts = { keys: keys === undefined, facts: facts === undefined };
  const read = await withContent(content, { schemaOnly: false, signal }, ({ material }) =>
    readIndex(material, { ...options, parts }),
  );
  if (read.keys !== undefined) await content.sidecars?.write(names.keys, keyIndexBytes(read.keys), signal);
  if (read.facts !== undefined) await content.sidecars?.write(names.facts, rowFactsBytes(read.facts), signal);
  const whole = { keys: keys ?? read.keys, facts: facts ?? read.facts };
  if (whole.keys === undefined || whole.facts === undefined) throw new Error('a part of the index was not made');
  return { keys: whole.keys, facts: whole.facts };
}

/** From the archive where there is one: making SQL of it takes several times as long as reading it. */
async function readIndex(
  material: DownloadMaterial,
  options: Parameters<typeof buildKeyIndex>[1],
): Promise<GatheredIndex> {
  const { archive } = material;
  const { scanArchive } = await tableContent(options.dialect);
  if (archive === undefined || scanArchive === undefined) return buildKeyIndex(material.bytes(), options);
  try {
    return await buildKeyIndex(archive.bytes(), { ...options, isArchive: true });
  } catch (error) {
    if (!(error instanceof HoldfastError) || error.code !== ARCHIVE_NOT_UNDERSTOOD) throw error;
    return buildKeyIndex(material.bytes(), options);
  }
}
