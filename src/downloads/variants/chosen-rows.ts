import type { VariantContent } from '../../core/ports/variant-maker.ts';
import type { ContentDialect } from '../content/content-schema.ts';
import type { RowSelection } from '../masking/row-selection.ts';
import { chooseInThread } from '../subset/choosing-thread.ts';
import { indexFingerprint } from '../subset/compile-subset.ts';
import type { KeyIndex } from '../subset/key-index.ts';
import { keyIndexBytes, readKeyIndex } from '../subset/key-index-file.ts';
import { buildKeyIndex } from '../subset/key-index-thread.ts';
import type { SubsetPlan } from '../subset/subset-plan.ts';
import { withContent } from './content-reading.ts';
import { keptFacts } from './kept-facts.ts';

/** The rows of a reduced variant. Reads the content's keys, unless they were kept when somebody last read them. */
export async function chosenRows(
  content: VariantContent,
  { dialect, plan, signal }: { dialect: ContentDialect; plan: SubsetPlan; signal: AbortSignal },
): Promise<RowSelection> {
  const index = await keyIndex(content, { dialect, plan, signal });
  return chooseInThread(plan, index, signal);
}

/** Raise it where the layout of an index, or what it is made of, changes. */
const VERSION = 1;

export async function keyIndex(
  content: VariantContent,
  { dialect, plan, signal }: { dialect: ContentDialect; plan: SubsetPlan; signal: AbortSignal },
): Promise<KeyIndex> {
  const name = `keys-${VERSION}-${indexFingerprint(plan).slice(0, 32)}`;
  const known = await keptFacts(content, name, signal, readKeyIndex);
  if (known !== undefined) return known;
  const index = await withContent(content, { schemaOnly: false, signal }, ({ material }) =>
    buildKeyIndex(material.bytes(), { dialect, plan, signal }),
  );
  await content.sidecars?.write(name, keyIndexBytes(index), signal);
  return index;
}
